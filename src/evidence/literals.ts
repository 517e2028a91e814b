/** One text that must not stand in what is written, and the name that stands there instead. */
export interface Literal {
  readonly text: string;
  readonly name: string;
}

const HEAD = 4;

/** Replaces every literal, the longest where several begin at one place. Reads a text once, however many literals there are. */
export function literalReplacer(
  literals: readonly Literal[],
): (text: string, replacement: (name: string) => string) => { readonly text: string; readonly count: number } {
  const byHead = new Map<string, Literal[]>();
  // Asked for every character: whether any literal begins with this one and the next.
  const begins = new Uint8Array(1 << 16);
  for (const literal of literals.filter(({ text }) => text.length >= HEAD)) {
    const head = literal.text.slice(0, HEAD);
    byHead.set(head, [...(byHead.get(head) ?? []), literal]);
    begins[pairOf(head, 0)] = 1;
  }
  for (const list of byHead.values()) list.sort((a, b) => b.text.length - a.text.length);
  return (text, replacement) => {
    if (byHead.size === 0) return { text, count: 0 };
    const parts: string[] = [];
    let [from, count] = [0, 0];
    for (let at = 0; at <= text.length - HEAD; at += 1) {
      if (begins[pairOf(text, at)] === 0) continue;
      const found = byHead.get(text.slice(at, at + HEAD))?.find((literal) => text.startsWith(literal.text, at));
      if (found === undefined) continue;
      parts.push(text.slice(from, at), replacement(found.name));
      count += 1;
      from = at + found.text.length;
      at = from - 1;
    }
    return count === 0 ? { text, count } : { text: [...parts, text.slice(from)].join(''), count };
  };
}

/** 16 bits of two characters; others may share them, which costs a look and no more. */
function pairOf(text: string, at: number): number {
  return ((text.charCodeAt(at) * 257) ^ text.charCodeAt(at + 1)) & 0xffff;
}
