import type { SnapshotRow } from './types.ts';

export const WIDTH = 1_000;
/** Left free on both sides. */
export const EDGE = 14;

export interface Point {
  readonly x: number;
  readonly row: SnapshotRow;
}

/** Places on a line of this width by time; those that would lie on each other are pushed apart, in order. Pure. */
export function placed(rows: readonly SnapshotRow[], width = WIDTH, apart = 26): readonly Point[] {
  const sorted = rows.toSorted((a, b) => Date.parse(a.capturedAt) - Date.parse(b.capturedAt));
  const times = sorted.map(({ capturedAt }) => Date.parse(capturedAt));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const span = Math.max(1, last - first);
  const room = width - 2 * EDGE;
  const step = Math.min(apart, room / Math.max(1, sorted.length - 1));
  const wanted = times.map((time) => EDGE + ((time - first) / span) * room);
  const pushed: number[] = [];
  for (const x of wanted) pushed.push(Math.max(x, (pushed.at(-1) ?? -step) + step));
  // What was pushed over the edge goes back, the last ones first.
  for (let i = pushed.length - 1; i >= 0; i--) {
    const limit = (pushed[i + 1] ?? width - EDGE + step) - step;
    pushed[i] = Math.min(pushed[i] ?? 0, limit);
  }
  return sorted.map((row, i) => ({ x: pushed[i] ?? 0, row }));
}

/** What is known of it, in the order in which it matters. */
export function kindOf(row: SnapshotRow): 'good' | 'held' | 'fail' | 'unknown' {
  if (row.held !== undefined) return 'held';
  if (row.knownGood) return 'good';
  return row.verdict === 'fail' ? 'fail' : 'unknown';
}
