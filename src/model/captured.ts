import { type Condition, OUTSIDE_CAPTURED_FORM, type OutsideRow, PAUSED_BY } from './captured-table.ts';
import { addAt, occurrences, parseFieldPath, removeAt, type Segment } from './field-path.ts';
import type { KubeObject } from './object.ts';
import { matchesGlob } from './pattern.ts';
import type { ForeignField } from './stack.ts';
import { asItWas, suspendedLike } from './suspended.ts';

export { OUTSIDE_CAPTURED_FORM, type OutsideRow, PAUSED_BY } from './captured-table.ts';

type Values = Record<string, unknown>;
type Draft = { metadata: Values } & Values;

const PARSED = OUTSIDE_CAPTURED_FORM.map((row) => ({ row, path: parseFieldPath(row.path) }));
/** What a write makes to put bookkeeping into; a template or a selector that the target lacks is not made for it. */
const BOOKKEEPING_MAPS = new Set(['metadata', 'labels', 'annotations', 'finalizers']);
const HOLD = parseFieldPath(`metadata.annotations["${PAUSED_BY}"]`);
const foreignPaths = new WeakMap<ForeignField, readonly Segment[]>();

/**
 * An object without what lies outside captured form: the rows of OUTSIDE_CAPTURED_FORM, and the stack's foreign fields.
 * Doing it twice changes nothing. A Secret's `stringData` becomes `data`, as the server would store it, so that no value
 * escapes the hashing of `data`; finalizers are a set and are sorted. What a run keeps from acting is read as what it was.
 */
export function capturedForm(object: KubeObject, foreign: readonly ForeignField[] = []): KubeObject {
  const draft = structuredClone(asItWas(object)) as unknown as Draft;
  if (draft['kind'] === 'Secret') storeStrings(draft);
  for (const field of foreign) if (concerns(field, object)) removeWithParents(draft, pathOf(field), 1);
  const met = conditionsOf(object);
  for (const { row, path } of PARSED) if (applies(row, object, met)) outside(draft, row, path);
  const finalizers = draft.metadata['finalizers'];
  if (Array.isArray(finalizers)) draft.metadata['finalizers'] = [...(finalizers as string[])].sort();
  return draft as unknown as KubeObject;
}

export interface CarryOptions {
  readonly foreign?: readonly ForeignField[];
  /** Make the write depend on the live object being as it was read. @default false */
  readonly precondition?: boolean;
}

/**
 * What to write so that `live` becomes `target`: the target with those fields of the live object that lie outside
 * captured form and have to stay (addresses, bindings, bookkeeping, holds, foreign fields). The target's own values win. What
 * is suspended stays so, and will be the target's when it is given back.
 */
export function carryOver(live: KubeObject, target: KubeObject, options: CarryOptions = {}): KubeObject {
  const draft = structuredClone(asItWas(target)) as unknown as Draft;
  const met = conditionsOf(live);
  for (const { row, path } of PARSED) {
    if (row.onWrite !== 'keep' || !applies(row, live, met) || !hasPlace(row, target)) continue;
    for (const { path: found, value } of occurrences(live, path)) {
      // The condition is asked of the value that would be kept, as it is when captured.
      if (row.when === undefined || satisfied(row.when, value, met))
        addAt(draft, found, value, { makes: BOOKKEEPING_MAPS });
    }
  }
  // The other's value, and not what a run of ours has put in its place for a while.
  const acting = asItWas(live);
  for (const field of options.foreign ?? []) {
    if (!concerns(field, live)) continue;
    const path = pathOf(field);
    // A foreign field is the other's alone: what the target says about it, if anything, does not count.
    removeAt(draft, path);
    for (const { path: found, value } of occurrences(acting, path))
      addAt(draft, found, value, { near: placeOf(live, found, value) });
  }
  for (const { row, path } of PARSED) if (row.onWrite === 'drop' && applies(row, live, met)) removeAt(draft, path);
  // A target that is paused itself is not a hold of ours: taking the hold away must not set it going.
  if ((target['spec'] as Values | undefined)?.['paused'] === true) removeAt(draft, HOLD);
  const { resourceVersion } = live.metadata;
  if (options.precondition === true && resourceVersion !== undefined)
    draft.metadata['resourceVersion'] = resourceVersion;
  return suspendedLike(live, draft as unknown as KubeObject);
}

function outside(draft: Draft, row: OutsideRow, path: readonly Segment[]): void {
  // A custom resource may need its `spec`, empty or not; of the kinds that have rows of their own none does.
  const least = row.kind === '*' ? 2 : 1;
  if (row.when !== 'empty') return removeWithParents(draft, path, least);
  for (const { path: found, value } of occurrences(draft, path))
    if (isEmpty(value)) removeWithParents(draft, found, least);
}

/** Whether a map on the way is empty or absent is no difference, once what it may hold lies outside captured form. */
function removeWithParents(draft: Draft, path: readonly Segment[], least: number): void {
  removeAt(draft, path);
  for (let depth = path.length - 1; depth >= least; depth -= 1) {
    const parents = path.slice(0, depth);
    const last = parents.at(-1)?.kind;
    if (last !== 'key') continue;
    for (const { path: found, value } of occurrences(draft, parents)) if (isEmpty(value)) removeAt(draft, found);
  }
}

const applies = (row: OutsideRow, object: KubeObject, met: ReadonlySet<Condition>): boolean =>
  (row.kind === '*' || row.kind === object.kind) &&
  (row.when === undefined || row.when === 'empty' || met.has(row.when));

const satisfied = (when: Condition, value: unknown, met: ReadonlySet<Condition>): boolean =>
  when === 'empty' ? isEmpty(value) : met.has(when);

function conditionsOf(object: KubeObject): ReadonlySet<Condition> {
  const met = new Set<Condition>();
  if (object.metadata.annotations?.[PAUSED_BY] !== undefined) met.add('held');
  if (object.kind !== 'Service') return met;
  const spec = (object['spec'] ?? {}) as Values;
  // `None` is a setting (headless), an address is not.
  const address = spec['clusterIP'] ?? (spec['clusterIPs'] as readonly unknown[] | undefined)?.[0];
  if (address !== 'None') met.add('assigned');
  if ((spec['ipFamilyPolicy'] ?? 'SingleStack') === 'SingleStack') met.add('single-family');
  return met;
}

/** An address has no place in a Service that the target makes headless, external or internal only. */
function hasPlace(row: OutsideRow, target: KubeObject): boolean {
  if (row.kind !== 'Service' || target.kind !== 'Service' || !row.path.startsWith('spec.')) return true;
  const spec = (target['spec'] ?? {}) as Values;
  if (row.path === 'spec.clusterIP' || row.path === 'spec.clusterIPs' || row.path === 'spec.ipFamilies') {
    return (
      spec['clusterIP'] !== 'None' &&
      spec['type'] !== 'ExternalName' &&
      (spec['ipFamilyPolicy'] ?? 'SingleStack') === 'SingleStack'
    );
  }
  if (row.path === 'spec.ports[*].nodePort') return spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer';
  if (row.path === 'spec.healthCheckNodePort')
    return spec['type'] === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local';
  return true;
}

function storeStrings(draft: Draft): void {
  const strings = draft['stringData'];
  delete draft['stringData'];
  if (typeof strings !== 'object' || strings === null) return;
  const data: Values = { ...(draft['data'] as Values | undefined) };
  for (const [key, text] of Object.entries(strings)) data[key] = Buffer.from(String(text)).toString('base64');
  draft['data'] = data;
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

const concerns = (field: ForeignField, object: KubeObject): boolean =>
  matchesGlob(field.kind, object.kind) && matchesGlob(field.name, object.metadata.name);

function pathOf(field: ForeignField): readonly Segment[] {
  let path = foreignPaths.get(field);
  if (path === undefined) foreignPaths.set(field, (path = parseFieldPath(field.path)));
  return path;
}

/** Where a list item stood in the live object, so that an injected first container stays the first. */
function placeOf(live: KubeObject, path: readonly Segment[], value: unknown): number | undefined {
  const parent = occurrences(live, path.slice(0, -1)).next().value?.value;
  const index = Array.isArray(parent) ? parent.indexOf(value) : -1;
  return index < 0 ? undefined : index;
}
