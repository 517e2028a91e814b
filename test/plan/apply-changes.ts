import type { FieldChange, KubeObject } from '../../src/model/index.ts';

type Segment =
  | { readonly field: string }
  | { readonly item: Readonly<Record<string, string>> }
  | { readonly index: number }
  | { readonly order: true };
type Box = Record<string, unknown> | unknown[];

/**
 * Carries out what a difference says, on a copy: the other half of the diff's contract. Secret changes carry no values
 * and cannot be carried out: TypeError.
 */
export function applyChanges(object: KubeObject, changes: readonly FieldChange[]): KubeObject {
  const copy = structuredClone(object) as unknown as Box;
  const isOrder = ({ path }: FieldChange): boolean => path.endsWith('[*]');
  const removals = changes.filter(({ kind }) => kind === 'removed').toReversed();
  const others = changes.filter((change) => change.kind !== 'removed' && !isOrder(change));
  for (const change of [...others, ...removals, ...changes.filter(isOrder)]) {
    if (change.secret === true) throw new TypeError(`${change.path} has no value to apply`);
    applyOne(copy, parsePath(change.path), change);
  }
  return copy as unknown as KubeObject;
}

function applyOne(root: Box, path: readonly Segment[], change: FieldChange): void {
  let box: Box = root;
  for (const [at, segment] of path.slice(0, -1).entries()) {
    const found = child(box, segment);
    if (found === undefined) {
      if (!('field' in segment) || Array.isArray(box)) throw new TypeError(`${change.path} leads nowhere`);
      const next = path[at + 1];
      box[segment.field] = next !== undefined && 'field' in next ? {} : [];
    }
    box = child(box, segment) as Box;
  }
  const last = path.at(-1) as Segment;
  if ('order' in last) return sortItems(box as unknown[], change.after as readonly string[]);
  if (change.kind === 'removed') return remove(box, last);
  if ('field' in last) (box as Record<string, unknown>)[last.field] = change.after;
  else if ('index' in last) (box as unknown[])[last.index] = change.after;
  else {
    const list = box as unknown[];
    const index = list.indexOf(child(box, last));
    if (index < 0) list.push(change.after);
    else list[index] = change.after;
  }
}

function remove(box: Box, segment: Segment): void {
  if ('field' in segment) delete (box as Record<string, unknown>)[segment.field];
  else if (Array.isArray(box)) box.splice('index' in segment ? segment.index : box.indexOf(child(box, segment)), 1);
}

function child(box: Box, segment: Segment): unknown {
  if ('field' in segment) return (box as Record<string, unknown>)[segment.field];
  if ('index' in segment) return (box as unknown[])[segment.index];
  if ('order' in segment) return box;
  return (box as unknown[]).find((item) => keysOf(item, segment.item));
}

const DEFAULTS: Readonly<Record<string, string>> = { protocol: 'TCP', operator: 'Equal', host: '*' };

function keysOf(item: unknown, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => valueOf(item, key) === value) && !isAnother(item, wanted);
}

/** A key part that has its ordinary value is not written: without it, only an item with that value is meant. */
function isAnother(item: unknown, wanted: Readonly<Record<string, string>>): boolean {
  const own = item as Record<string, unknown>;
  if (!('containerPort' in wanted || 'port' in wanted) || 'protocol' in wanted) return false;
  return own['protocol'] !== undefined && own['protocol'] !== 'TCP';
}

function valueOf(item: unknown, key: string): string | undefined {
  const own = item as Record<string, { name?: string } | string | number | undefined>;
  const direct = own[key];
  if (typeof direct === 'object') return direct.name;
  if (direct !== undefined) return String(direct);
  const ref = own[`${key}Ref`];
  if (typeof ref === 'object') return ref.name;
  return DEFAULTS[key];
}

function sortItems(list: unknown[], order: readonly string[]): void {
  const place = (item: unknown): number => {
    const { name } = item as { name?: string };
    return order.indexOf(name ?? '');
  };
  list.sort((a, b) => place(a) - place(b));
}

function parsePath(path: string): readonly Segment[] {
  const segments: Segment[] = [];
  let rest = path;
  while (rest !== '') {
    const field = /^\.?([A-Za-z_][\w-]*)/.exec(rest);
    const bracket = /^\[((?:"(?:[^"\\]|\\.)*"|[^\]"])*)\]/.exec(rest);
    if (field !== null) segments.push({ field: field[1] as string });
    else if (bracket !== null) segments.push(parseBracket(bracket[1] as string));
    else throw new TypeError(`${path} cannot be read from ${rest} on`);
    rest = rest.slice((field ?? bracket)?.[0].length);
  }
  return segments;
}

function parseBracket(text: string): Segment {
  if (text === '*') return { order: true };
  if (/^\d+$/.test(text)) return { index: Number(text) };
  if (text.startsWith('"')) return { field: JSON.parse(text) as string };
  const pairs = [...text.matchAll(/([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^,]*)/g)];
  const value = (raw: string): string => (raw.startsWith('"') ? (JSON.parse(raw) as string) : raw);
  return { item: Object.fromEntries(pairs.map(([, key, raw]) => [key as string, value(raw as string)])) };
}
