/**
 * Paths into objects, as people write them: `spec.replicas`, `data["app.yaml"]`,
 * `spec.template.spec.containers[name=gateway].env[name=LOG_LEVEL]`, `metadata.finalizers[=example.com/hold]`.
 * Patterns add `[*]` for every item of a list and `*` inside quoted keys: `metadata.annotations["example.com/*"]`.
 */
export type Segment =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'keys'; readonly matches: RegExp }
  | { readonly kind: 'item'; readonly where: Readonly<Record<string, unknown>> }
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'every' }
  | { readonly kind: 'index'; readonly index: number };

type Values = Record<string, unknown>;

const SEGMENT = /\.?(?:([^.[\]"]+)|\["((?:[^"\\]|\\.)*)"\]|\[\*\]|\[(\d+)\]|\[=([^\]]*)\]|\[([^\]=]+)=([^\]]*)\])/y;

/** Throws TypeError, naming path and position, when it cannot be understood. */
export function parseFieldPath(path: string): readonly Segment[] {
  const segments: Segment[] = [];
  SEGMENT.lastIndex = 0;
  while (SEGMENT.lastIndex < path.length) {
    const at = SEGMENT.lastIndex;
    const match = SEGMENT.exec(path);
    if (match === null) throw new TypeError(`the path '${path}' cannot be understood from '${path.slice(at)}' on`);
    const [, plain, quoted, index, value, field, wanted] = match;
    if (plain !== undefined) segments.push({ kind: 'key', key: plain });
    else if (quoted !== undefined) segments.push(keySegment(quoted.replace(/\\(.)/g, '$1')));
    else if (index !== undefined) segments.push({ kind: 'index', index: Number(index) });
    else if (value !== undefined) segments.push({ kind: 'value', value });
    else if (field !== undefined) segments.push({ kind: 'item', where: { [field]: wanted } });
    else segments.push({ kind: 'every' });
  }
  if (segments.length === 0) throw new TypeError('an empty path names nothing');
  return segments;
}

/** The first value at the path, or undefined. */
export function fieldPathGet(object: unknown, path: string): unknown {
  return occurrences(object, parseFieldPath(path)).next().value?.value;
}

/** A copy of the object without what stands at the path. The same object when there is nothing. */
export function fieldPathRemove<T>(object: T, path: string): T {
  const segments = parseFieldPath(path);
  if (occurrences(object, segments).next().done === true) return object;
  const copy = structuredClone(object);
  removeAt(copy, segments);
  return copy;
}

/** One value found by a pattern, with a path that names it alone. */
export interface Occurrence {
  readonly path: readonly Segment[];
  readonly value: unknown;
}

/** Everything in `object` that the pattern names. */
export function* occurrences(
  object: unknown,
  segments: readonly Segment[],
  before: readonly Segment[] = [],
): Generator<Occurrence> {
  const [head, ...rest] = segments;
  if (head === undefined) {
    yield { path: before, value: object };
    return;
  }
  for (const [segment, value] of step(object, head)) yield* occurrences(value, rest, [...before, segment]);
}

/** Removes in place everything that the pattern names. */
export function removeAt(object: unknown, segments: readonly Segment[]): void {
  const parents = [...occurrences(object, segments.slice(0, -1))];
  const last = segments.at(-1);
  if (last === undefined) return;
  for (const { value: parent } of parents) {
    const found = step(parent, last);
    if (Array.isArray(parent)) {
      const values = new Set(found.map(([, value]) => value));
      parent.splice(0, parent.length, ...parent.filter((item: unknown) => !values.has(item)));
    } else for (const [segment] of found) if (segment.kind === 'key') delete (parent as Values)[segment.key];
  }
}

export interface AddOptions {
  /** Index of a new list item. @default the end */
  readonly near?: number | undefined;
  /** Keys of maps and lists that may be made on the way. @default all */
  readonly makes?: ReadonlySet<string>;
}

/**
 * Puts a value in place at a path without patterns, when it is not there yet. Maps on the way are made, items of lists
 * are not: without its container there is no place for a variable.
 */
export function addAt(object: unknown, path: readonly Segment[], value: unknown, options: AddOptions = {}): void {
  let parent: unknown = object;
  for (const [position, segment] of path.slice(0, -1).entries()) {
    let found = step(parent, segment)[0]?.[1];
    if (found === undefined) {
      if (segment.kind !== 'key' || !isMap(parent) || options.makes?.has(segment.key) === false) return;
      const next = path[position + 1]?.kind;
      found = next === 'key' ? {} : [];
      parent[segment.key] = found;
    }
    parent = found;
  }
  const last = path.at(-1);
  if (last === undefined || step(parent, last).length > 0) return;
  if (last.kind === 'key' && isMap(parent)) parent[last.key] = structuredClone(value);
  else if (Array.isArray(parent))
    parent.splice(Math.min(options.near ?? parent.length, parent.length), 0, structuredClone(value));
}

function keySegment(key: string): Segment {
  if (!key.includes('*')) return { kind: 'key', key };
  const source = key.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return { kind: 'keys', matches: new RegExp(`^${source.join('.*')}$`) };
}

const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What one segment names in a value, each with a segment that names it alone. */
function step(value: unknown, segment: Segment): (readonly [Segment, unknown])[] {
  if (segment.kind === 'key') {
    return isMap(value) && Object.hasOwn(value, segment.key) ? [[segment, value[segment.key]]] : [];
  }
  if (segment.kind === 'keys') {
    if (!isMap(value)) return [];
    return Object.entries(value)
      .filter(([key]) => segment.matches.test(key))
      .map(([key, one]) => [{ kind: 'key', key }, one]);
  }
  if (!Array.isArray(value)) return [];
  const items = value as readonly unknown[];
  if (segment.kind === 'every') return items.map((item, index) => [identityOf(item, index), item]);
  if (segment.kind === 'index') return segment.index < items.length ? [[segment, items[segment.index]]] : [];
  if (segment.kind === 'value') return items.filter((item) => item === segment.value).map((item) => [segment, item]);
  return items.filter((item) => isMap(item) && fits(item, segment.where)).map((item) => [segment, item]);
}

const fits = (item: Values, where: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(where).every(
    ([field, wanted]) => item[field] === wanted || (typeof item[field] === 'number' && `${item[field]}` === wanted),
  );

/** What tells an item of a list from its neighbours: its name, a port with its protocol, else its place. */
function identityOf(item: unknown, index: number): Segment {
  if (isMap(item) && typeof item['name'] === 'string') return { kind: 'item', where: { name: item['name'] } };
  if (isMap(item) && item['port'] !== undefined) {
    return { kind: 'item', where: { port: item['port'], protocol: item['protocol'] } };
  }
  return { kind: 'index', index };
}
