import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

export interface Place {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** A YAML file that remembers where each value stands. */
export interface SourceFile {
  readonly value: unknown;
  /** Faults of the YAML itself, such as a key given twice. */
  readonly faults: readonly { readonly place: Place; readonly message: string }[];
  /** Where the value (or, with `key`, its key) at a path stands; where it is missing, the nearest thing around it. */
  place(path: readonly PropertyKey[], of?: 'key' | 'value'): Place;
}

export function parseSource(text: string): SourceFile {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = document.errors.map((error) => ({ place: placeAt(error.pos[0]), message: error.message }));
  return {
    value: faults.length === 0 ? document.toJS() : undefined,
    faults,
    place: (path, of = 'value') => placeAt(offsetOf(document, path, of)),
  };
}

function offsetOf(document: Document, path: readonly PropertyKey[], of: 'key' | 'value'): number {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    let key: Node | undefined;
    let next: Node | null | undefined;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      key = pair?.key as Node | undefined;
      next = pair?.value as Node | null | undefined;
    } else if (isSeq(node)) {
      next = node.items[Number(step)] as Node | undefined;
    }
    if (key === undefined && next === undefined) return offset;
    // A key without a value has no node of its own: its key is the best place there is.
    const chosen = of === 'key' || !hasText(next) ? (key ?? next) : next;
    offset = chosen?.range?.[0] ?? offset;
    node = next;
  }
  return offset;
}

function hasText(node: Node | null | undefined): boolean {
  const range = node?.range;
  return range !== undefined && range !== null && (range[1] > range[0] || !isScalar(node));
}
