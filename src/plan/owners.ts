import { canonicalJson, type JsonObject, type KubeObject } from '../model/index.ts';

/** Tools that people drive: what they set is taken over without asking, and listed. */
const PEOPLES_TOOLS = /^(kubectl([-_].*)?|helm|Helm|pulumi.*|backstay.*|before-first-apply)$/;

/** Managers that are Backstay itself: not worth a line in a plan. */
const OURSELVES = /^backstay/;

export function mayTakeFrom(manager: string, takeFrom: readonly string[]): boolean {
  return PEOPLES_TOOLS.test(manager) || takeFrom.includes(manager);
}

export interface Ownership {
  /** Managers whose fields change and are taken over, sorted. */
  readonly takesOver: readonly string[];
  /** Fields that change and belong to somebody who was not named: a controller, a GitOps tool. */
  readonly contested: readonly { readonly manager: string; readonly path: string }[];
}

/**
 * Who owns the fields that change, by the live object's `managedFields`. Status entries never count; those of `scale` do,
 * for whoever scales by that subresource will scale back.
 */
export function ownership(
  live: KubeObject,
  before: KubeObject,
  after: KubeObject,
  takeFrom: readonly string[],
): Ownership {
  const taken = new Set<string>();
  const contested: { manager: string; path: string }[] = [];
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.subresource === 'status' || OURSELVES.test(entry.manager)) continue;
    const paths = ownedChanges(entry.fieldsV1 ?? {}, before, after, '');
    if (paths.length === 0) continue;
    if (mayTakeFrom(entry.manager, takeFrom)) taken.add(entry.manager);
    else contested.push(...paths.map((path) => ({ manager: entry.manager, path })));
  }
  return { takesOver: [...taken].sort(), contested };
}

/** Leaves of an ownership tree (`f:NAME`, `k:{…}`, `v:…`, `i:N`) at which the two forms differ. */
function ownedChanges(tree: JsonObject, before: unknown, after: unknown, path: string): readonly string[] {
  if (equal(before, after)) return [];
  const names = Object.keys(tree).filter((name) => name !== '.');
  if (names.length === 0) return [path];
  return names.flatMap((name) => {
    const below = (tree[name] ?? {}) as JsonObject;
    return ownedChanges(below, childOf(before, name), childOf(after, name), extend(path, name));
  });
}

function childOf(value: unknown, name: string): unknown {
  const selector = name.slice(2);
  if (name.startsWith('f:')) return (value as Readonly<Record<string, unknown>> | undefined | null)?.[selector];
  if (!Array.isArray(value)) return undefined;
  const items = value as readonly unknown[];
  if (name.startsWith('i:')) return items[Number(selector)];
  const wanted = JSON.parse(selector) as unknown;
  if (name.startsWith('v:')) return items.find((item) => equal(item, wanted));
  const keys = Object.entries(wanted as JsonObject);
  return items.find((item) => keys.every(([key, is]) => equal((item as Readonly<Record<string, unknown>>)[key], is)));
}

function extend(path: string, name: string): string {
  const selector = name.slice(2);
  if (!name.startsWith('f:')) return `${path}[${name.startsWith('k:') ? describeKey(selector) : selector}]`;
  if (!/^[A-Za-z0-9_-]+$/.test(selector)) return `${path}[${JSON.stringify(selector)}]`;
  return path === '' ? selector : `${path}.${selector}`;
}

function describeKey(json: string): string {
  return Object.entries(JSON.parse(json) as JsonObject)
    .map(([key, is]) => `${key}=${typeof is === 'string' ? is : canonicalJson(is)}`)
    .join(',');
}

function equal(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || canonicalJson(a) === canonicalJson(b);
}
