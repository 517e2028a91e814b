import type { JsonObject } from './json.ts';

/** `unknown` means that it could not be measured. It never counts as pass. */
export type Verdict = 'pass' | 'fail' | 'unknown';

/** One measured answer, with the reason in one line that a person can act on. */
export interface CheckResult {
  readonly name: string;
  readonly kind: string;
  readonly verdict: Verdict;
  readonly reason: string;
  /** ISO 8601 time at which the measurement began. */
  readonly at: string;
  /** Milliseconds the measurement took. */
  readonly durationMs: number;
  /** What was measured, such as `{ count, averageMs, p95Ms, maxMs, failures }`. */
  readonly measured?: JsonObject;
}

/** fail beats unknown beats pass; nothing measured is unknown. */
export function overall(results: readonly Pick<CheckResult, 'verdict'>[]): Verdict {
  if (results.some((r) => r.verdict === 'fail')) return 'fail';
  if (results.length === 0 || results.some((r) => r.verdict === 'unknown')) return 'unknown';
  return 'pass';
}
