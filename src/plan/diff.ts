import type { FieldChange, Json, KubeObject } from '../model/index.ts';
import { keyText, type ListKey, listKeyFor, refersToVariables } from './list-keys.ts';
import { type Path, renderPath } from './path.ts';
import { isMultiLine, unifiedLines } from './text-diff.ts';

/**
 * What differs between two objects in captured form, as a person would say it: list items by their key, map keys by
 * name, text line by line, Secrets only as "this key changed". Paths are in code unit order, the same for the same
 * objects. Empty means that the objects are the same to Kubernetes: the order of a list counts only where it has a
 * meaning (list-keys.ts). Absent and undefined are the same; null is a value.
 */
export function diffObjects(before: KubeObject, after: KubeObject): readonly FieldChange[] {
  const found: FieldChange[] = [];
  compare(before, after, [], { kind: after.kind, secret: isSecret(before) || isSecret(after), found });
  return found;
}

/** Whether two objects are the same to Kubernetes. */
export function sameForm(a: KubeObject, b: KubeObject): boolean {
  return diffObjects(a, b).length === 0;
}

/** Everything that an object brings with it, as additions (`create`) or removals (`delete`). */
export function describeObject(object: KubeObject, as: 'added' | 'removed'): readonly FieldChange[] {
  const { name, namespace } = object.metadata;
  const bare: KubeObject = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  };
  return as === 'added' ? diffObjects(bare, object) : diffObjects(object, bare);
}

interface Walk {
  readonly kind: string;
  readonly secret: boolean;
  readonly found: FieldChange[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Maps whose keys are things of their own: one added as a whole is shown key by key. */
const KEYED_MAPS = new Set(['data', 'binaryData', 'stringData', 'labels', 'annotations']);
const SECRET_MAPS = new Set(['data', 'stringData']);
/** Where clients leave a copy of a whole manifest: in a Secret's case, with its values. */
const MANIFEST_COPY = 'kubectl.kubernetes.io/last-applied-configuration';

function compare(before: unknown, after: unknown, path: Path, walk: Walk): void {
  if (Object.is(before, after)) return;
  if (isMap(before) && isMap(after)) return compareMaps(before, after, path, walk);
  if (isMap(before ?? {}) && isMap(after ?? {}) && isKeyedMap(path)) {
    return compareMaps((before ?? {}) as Fields, (after ?? {}) as Fields, path, walk);
  }
  if (Array.isArray(before) && Array.isArray(after)) return compareLists(before, after, path, walk);
  report(before, after, path, walk);
}

function compareMaps(before: Fields, after: Fields, path: Path, walk: Walk): void {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const key of [...keys].sort()) compare(before[key], after[key], [...path, { field: key }], walk);
}

function compareLists(before: readonly unknown[], after: readonly unknown[], path: Path, walk: Walk): void {
  const last = path.at(-1);
  const field = last !== undefined && 'field' in last ? last.field : '';
  // Most lists are equal: seeing that is much cheaper than telling their items apart.
  if (identical(before, after)) return;
  if (![...before, ...after].every(isMap)) return compareValues(before, after, path, walk, field);
  const key = listKeyFor(walk.kind, field, before, after);
  if (key === undefined) return comparePlaces(before, after, path, walk);
  compareKeyed(before as readonly Fields[], after as readonly Fields[], key, path, walk);
}

function compareKeyed(before: readonly Fields[], after: readonly Fields[], key: ListKey, path: Path, walk: Walk): void {
  const index = (items: readonly Fields[]): Map<string, Fields> =>
    new Map(items.map((item) => [keyText(key.of(item) ?? {}), item]));
  const [from, to] = [index(before), index(after)];
  const counts =
    key.ordered === 'yes' || (key.ordered === 'when-referring' && refersToVariables([...before, ...after]));
  const texts = [...new Set([...from.keys(), ...to.keys()])];
  // Where order counts, new items are told in the order in which they have to be appended.
  for (const text of counts ? texts : texts.sort()) {
    const item = key.of((to.get(text) ?? from.get(text)) as Fields) ?? {};
    compare(from.get(text), to.get(text), [...path, { item }], walk);
  }
  if (!counts) return;
  const common = (a: Map<string, Fields>, b: Map<string, Fields>): string[] =>
    [...a.keys()].filter((text) => b.has(text));
  if (common(from, to).join() === common(to, from).join() && !insertedBetween(from, to)) return;
  const names = (items: readonly Fields[]): Json => items.map((item) => Object.values(key.of(item) ?? {}).join(','));
  walk.found.push({
    path: renderPath([...path, { order: true }]),
    kind: 'changed',
    before: names(before),
    after: names(after),
  });
}

/** New items that are not simply the last ones: appending them would not give the list that is wanted. */
function insertedBetween(from: ReadonlyMap<string, unknown>, to: ReadonlyMap<string, unknown>): boolean {
  let sawNew = false;
  for (const text of to.keys()) {
    if (!from.has(text)) sawNew = true;
    else if (sawNew) return true;
  }
  return false;
}

/** Lists of plain values: sets by what they hold, the others by place where they are as long as before, else whole. */
function compareValues(
  before: readonly unknown[],
  after: readonly unknown[],
  path: Path,
  walk: Walk,
  field: string,
): void {
  if (SETS.has(field)) {
    const text = (items: readonly unknown[]): string =>
      JSON.stringify([...items].map((item) => JSON.stringify(item)).sort());
    if (text(before) !== text(after)) report(before, after, path, walk);
    return;
  }
  if (before.length === after.length) return comparePlaces(before, after, path, walk);
  report(before, after, path, walk);
}

const SETS = new Set([
  'finalizers',
  'accessModes',
  'ipFamilies',
  'policyTypes',
  'loadBalancerSourceRanges',
  'externalIPs',
]);

function comparePlaces(before: readonly unknown[], after: readonly unknown[], path: Path, walk: Walk): void {
  for (let index = 0; index < Math.max(before.length, after.length); index++) {
    compare(before[index], after[index], [...path, { index }], walk);
  }
}

function report(before: unknown, after: unknown, path: Path, walk: Walk): void {
  const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  if (walk.secret && isSecretPath(path)) {
    walk.found.push({ path: renderPath(path), kind, secret: true });
    return;
  }
  const lines = textLines(before, after);
  walk.found.push({
    path: renderPath(path),
    kind,
    ...(before === undefined ? {} : { before: before as Json }),
    ...(after === undefined ? {} : { after: after as Json }),
    ...(lines === undefined ? {} : { lines }),
  });
}

function textLines(before: unknown, after: unknown): readonly string[] | undefined {
  const [from, to] = [before ?? '', after ?? ''];
  if (typeof from !== 'string' || typeof to !== 'string') return undefined;
  return isMultiLine(from) || isMultiLine(to) ? unifiedLines(from, to) : undefined;
}

function isSecret(object: KubeObject): boolean {
  return object.kind === 'Secret' && object.apiVersion === 'v1';
}

function isSecretPath(path: Path): boolean {
  const fields = path.map((segment) => ('field' in segment ? segment.field : ''));
  return SECRET_MAPS.has(fields[0] ?? '') || fields.includes(MANIFEST_COPY) || fields.join() === 'metadata,annotations';
}

function isKeyedMap(path: Path): boolean {
  const last = path.at(-1);
  return last !== undefined && 'field' in last && KEYED_MAPS.has(last.field);
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function identical(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => identical(item, b[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && identical(a[key], b[key]))
  );
}
