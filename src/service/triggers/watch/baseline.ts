/*
 * What is usual: the median of what was measured while the stack was well. A median, because one bad minute that was taken
 * for well must not move it. Pure: times are milliseconds since the epoch.
 */

export interface Baseline {
  /** Oldest first. */
  readonly values: readonly number[];
  /** Of the last one. */
  readonly at: number;
}

/** Milliseconds between two values: measurements of one moment say the same thing again. */
export const LEARN_EVERY_MS = 60_000;
/** Four hours of them: what is usual may change slowly. */
const MOST_VALUES = 240;
/** With fewer, nothing is known to be usual, and a limit against it does not fire. */
export const LEAST_VALUES = 10;

export function isDue(before: Baseline | undefined, now: number): boolean {
  return before === undefined || now - before.at >= LEARN_EVERY_MS;
}

export function learn(before: Baseline | undefined, value: number, now: number): Baseline {
  return { values: [...(before?.values ?? []), value].slice(-MOST_VALUES), at: now };
}

/** Undefined while there is too little to say. */
export function usualOf(baseline: Baseline | undefined): number | undefined {
  const values = baseline?.values ?? [];
  if (values.length < LEAST_VALUES) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = sorted.length % 2 === 0 ? sorted.slice(middle - 1) : [sorted[middle], sorted[middle]];
  return (low + high) / 2;
}
