import type { Fragment } from './fragments.ts';

/** Text on one baseline without a wide gap in it. */
export interface Segment {
  readonly text: string;
  readonly x0: number;
  readonly x1: number;
  readonly y: number;
  readonly size: number;
}

/** Share of the font size by which two baselines may differ and still be the same line. */
const SAME_LINE = 0.35;
/** Share of the font size from which a gap is a space. */
const SPACE = 0.15;

export function sameLine(a: Pick<Segment, 'y' | 'size'>, b: Pick<Segment, 'y' | 'size'>): boolean {
  return Math.abs(a.y - b.y) <= SAME_LINE * Math.min(a.size, b.size);
}

/** Joins pieces that follow each other on one baseline, up to gaps of `widest` times the font size, in the order given. */
export function segmentsOf(fragments: readonly Fragment[], widest: number): Segment[] {
  const segments: Segment[] = [];
  for (const { text, x, y, width, size } of fragments) {
    const next: Segment = { text, x0: x, x1: x + width, y, size };
    const last = segments.at(-1);
    const gap = last === undefined ? Infinity : next.x0 - last.x1;
    if (last === undefined || !sameLine(last, next) || gap > widest * size || gap < -size) segments.push(next);
    else
      segments[segments.length - 1] = {
        ...last,
        text: glued(last.text, text, gap > SPACE * size),
        x1: next.x1,
        size: Math.max(last.size, size),
      };
  }
  return segments.map((segment) => ({ ...segment, text: segment.text.replace(/\s+/g, ' ').trim() }));
}

function glued(a: string, b: string, space: boolean): string {
  return space && !a.endsWith(' ') && !b.startsWith(' ') ? `${a} ${b}` : `${a}${b}`;
}

/** Segments by baseline, from the top of the page down, each row from left to right. */
export function rowsOf(segments: readonly Segment[]): Segment[][] {
  const rows: Segment[][] = [];
  for (const segment of segments.toSorted((a, b) => b.y - a.y || a.x0 - b.x0)) {
    const row = rows.at(-1);
    if (row?.[0] !== undefined && sameLine(row[0], segment)) row.push(segment);
    else rows.push([segment]);
  }
  return rows.map((row) => row.toSorted((a, b) => a.x0 - b.x0));
}
