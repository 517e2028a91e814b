import {
  canonicalJson,
  type ForeignField,
  type JsonObject,
  type KubeObject,
  type ManagedFieldsEntry,
  matchesGlob,
  parseFieldPath,
} from '../../model/index.ts';
import type { Segment } from '../../model/field-path.ts';

/**
 * Field ownership as the API server keeps it in `metadata.managedFields`: a tree whose keys are `f:NAME` (map field),
 * `k:{…}` (list item by key), `v:…` (set item) and `.` (the item itself).
 */
type FieldTree = JsonObject;
type FieldPath = readonly Segment[];

export const OUR_MANAGER = 'backstay';

/** Tools that people drive: what they set is taken over, and said so. `before-first-apply` is what an apply finds unowned. */
const PEOPLES_TOOLS = /^(kubectl([-_].*)?|helm|Helm|pulumi.*|backstay.*|before-first-apply)$/;

export function isTakenOver(manager: string, takeFrom: readonly string[]): boolean {
  return PEOPLES_TOOLS.test(manager) || takeFrom.includes(manager);
}

export interface Contest {
  readonly manager: string;
  readonly path: string;
}

/** Every field that differs between the two captured forms, with each of its owners. */
export function changesByOwner(live: KubeObject, before: KubeObject, after: KubeObject): readonly Contest[] {
  return (live.metadata.managedFields ?? []).flatMap((entry) =>
    changedPaths(entry.fieldsV1 ?? {}, before, after, '').map((path) => ({ manager: entry.manager, path })),
  );
}

/** Fields whose change would go against an owner that is not taken over. Both forms are captured ones. */
export function contests(
  live: KubeObject,
  before: KubeObject,
  after: KubeObject,
  manager: string,
  takeFrom: readonly string[],
): readonly Contest[] {
  return changesByOwner(live, before, after).filter(
    ({ manager: owner }) => owner !== manager && !isTakenOver(owner, takeFrom),
  );
}

/** Managers that own a field which differs: what a plan lists as taken over. */
export function ownersOf(live: KubeObject, before: KubeObject, after: KubeObject): readonly string[] {
  return [...new Set(changesByOwner(live, before, after).map(({ manager }) => manager))];
}

function changedPaths(tree: FieldTree, before: unknown, after: unknown, path: string): readonly string[] {
  const keys = Object.keys(tree).filter((key) => key !== '.');
  if (keys.length === 0) return same(before, after) ? [] : [path];
  return keys.flatMap((key) => {
    const [from, to, name] = [childAt(before, key), childAt(after, key), pathAt(path, key)];
    return same(from, to) ? [] : changedPaths((tree[key] ?? {}) as FieldTree, from, to, name);
  });
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || canonicalJson(a) === canonicalJson(b);
}

function childAt(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const [kind, rest] = [key.slice(0, 2), key.slice(2)];
  if (kind === 'f:') return (value as Record<string, unknown>)[rest];
  if (!Array.isArray(value)) return undefined;
  if (kind === 'i:') return value[Number(rest)];
  const wanted = JSON.parse(rest) as unknown;
  if (kind === 'v:') return value.find((item) => same(item, wanted));
  const keys = Object.entries(wanted as JsonObject);
  return value.find((item: Record<string, unknown>) => keys.every(([name, is]) => same(item[name], is)));
}

function pathAt(path: string, key: string): string {
  const rest = key.slice(2);
  if (key.startsWith('f:')) {
    const plain = /^[A-Za-z0-9_-]+$/.test(rest);
    if (!plain) return `${path}[${JSON.stringify(rest)}]`;
    return path === '' ? rest : `${path}.${rest}`;
  }
  if (!key.startsWith('k:')) return `${path}[${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as JsonObject).map(([name, is]) => `${name}=${textOf(is)}`);
  return `${path}[${keys.join(',')}]`;
}

/**
 * Ownership as it must be before our apply, so that whatever the apply leaves out goes away: entries of people's tools
 * and of `takeFrom` become ours. Subresource entries (autoscaler, controllers) and foreign fields stay with their owners;
 * a foreign field that only we own is parked in an Update entry, for an apply without it would remove it.
 * Undefined: ownership is so already.
 */
export function takenOver(
  live: KubeObject,
  manager: string,
  takeFrom: readonly string[],
  foreign: readonly ForeignField[],
): readonly ManagedFieldsEntry[] | undefined {
  const paths = foreignOf(live, foreign).map(({ path }) => parseFieldPath(path));
  const entries = live.metadata.managedFields ?? [];
  const others: ManagedFieldsEntry[] = [];
  let ours: FieldTree = {};
  for (const entry of entries) {
    const taken =
      entry.subresource === undefined && (entry.manager === manager || isTakenOver(entry.manager, takeFrom));
    if (!taken) {
      others.push(entry);
      continue;
    }
    const { matching, rest } = split(entry.fieldsV1 ?? {}, paths);
    ours = union(ours, rest ?? {});
    if (matching !== undefined) park(others, { ...entry, operation: 'Update', fieldsV1: matching });
  }
  if (Object.keys(ours).length === 0) return undefined;
  const taken = [
    ...others,
    { manager, operation: 'Apply', apiVersion: live.apiVersion, fieldsType: 'FieldsV1', fieldsV1: ours } as const,
  ];
  return sameEntries(entries, taken) ? undefined : taken;
}

/** One entry a manager, operation and version: the API server would keep only the last of two. */
function park(entries: ManagedFieldsEntry[], added: ManagedFieldsEntry): void {
  const index = entries.findIndex(
    ({ manager, operation, apiVersion, subresource }) =>
      manager === added.manager &&
      operation === 'Update' &&
      apiVersion === added.apiVersion &&
      subresource === undefined,
  );
  const there = entries[index];
  if (there === undefined) entries.push(added);
  else entries[index] = { ...there, fieldsV1: union(there.fieldsV1 ?? {}, added.fieldsV1 ?? {}) };
}

function sameEntries(a: readonly ManagedFieldsEntry[], b: readonly ManagedFieldsEntry[]): boolean {
  const texts = (entries: readonly ManagedFieldsEntry[]): readonly string[] =>
    entries.map((entry) => canonicalJson({ ...entry, time: null })).sort();
  return canonicalJson(texts(a)) === canonicalJson(texts(b));
}

export function union(a: FieldTree, b: FieldTree): FieldTree {
  const merged: { [key: string]: FieldTree } = { ...(a as { [key: string]: FieldTree }) };
  for (const [key, tree] of Object.entries(b)) merged[key] = union(merged[key] ?? {}, tree as FieldTree);
  return merged;
}

/** Parts a tree into what lies at these paths and the rest. */
export function split(
  tree: FieldTree,
  paths: readonly FieldPath[],
): { readonly matching?: FieldTree; readonly rest?: FieldTree } {
  const matching: { [key: string]: FieldTree } = {};
  const rest: { [key: string]: FieldTree } = {};
  for (const [key, child] of Object.entries(tree) as [string, FieldTree][]) {
    const deeper = paths.filter(([step]) => step !== undefined && keyTakes(step, key)).map((path) => path.slice(1));
    if (deeper.some((path) => path.length === 0)) {
      matching[key] = child;
      continue;
    }
    const parts = deeper.length === 0 ? { rest: child } : split(child, deeper);
    if (parts.matching !== undefined) matching[key] = parts.matching;
    if (parts.rest !== undefined) rest[key] = parts.rest;
  }
  const leaf = Object.keys(tree).length === 0;
  return {
    ...(Object.keys(matching).length > 0 ? { matching } : {}),
    ...(leaf || Object.keys(rest).length > 0 ? { rest } : {}),
  };
}

/** Keys of list items are plain values; a path gives them as text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

function keyTakes(segment: Segment, key: string): boolean {
  const [kind, rest] = [key.slice(0, 2), key.slice(2)];
  switch (segment.kind) {
    case 'key':
      return kind === 'f:' && rest === segment.key;
    case 'keys':
      return kind === 'f:' && segment.matches.test(rest);
    case 'every':
      return kind === 'k:' || kind === 'v:' || kind === 'i:';
    case 'index':
      return kind === 'i:' && Number(rest) === segment.index;
    case 'value':
      return kind === 'v:' && JSON.parse(rest) === segment.value;
    case 'item': {
      if (kind !== 'k:') return false;
      const item = JSON.parse(rest) as JsonObject;
      return Object.entries(segment.where).every(([name, is]) => textOf(item[name]) === textOf(is));
    }
  }
}

/** What a stack leaves to others on this object. */
export function foreignOf(object: KubeObject, foreign: readonly ForeignField[]): readonly ForeignField[] {
  return foreign.filter(({ kind, name }) => matchesGlob(kind, object.kind) && matchesGlob(name, object.metadata.name));
}
