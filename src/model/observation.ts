import type { WatchSetting } from './trigger.ts';
import type { Verdict } from './verdict.ts';

/** How a stack is watched for some time after a run that changed it. */
export interface ObservationPolicy {
  /** Milliseconds after the end of a run. @default 30 min */
  readonly forMs: number;
  /** Milliseconds between two looks. @default 30_000 */
  readonly everyMs: number;
  /** Each against a fixed limit; a baseline would be one of the version that was rolled back from. */
  readonly watches: readonly WatchSetting[];
  /** Names of the stack's checks, asked at every look. */
  readonly checks: readonly string[];
  /** How many other clients a data store may have. */
  readonly sessions: readonly ObservedSessions[];
  /** Absent: logs are not read. */
  readonly logs?: ObservedLogs;
  /** Namespaces whose workloads may not become unready after the run has begun. */
  readonly neighbours: readonly string[];
}

export interface ObservedSessions {
  readonly store: string;
  /** @default 0 */
  readonly atLeast: number;
  readonly atMost: number;
}

export interface ObservedLogs {
  /** Patterns of lines that are no news. */
  readonly ignore: readonly string[];
}

/** What was seen of one subject, and from when on. */
export interface ObservedFinding {
  readonly verdict: Verdict;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface ObservedSubject {
  /** `watch NAME`, `check NAME`, `sessions STORE`, `logs` or `neighbours NAMESPACE`. */
  readonly name: string;
  /** Every change of its verdict, in order. Empty: not measured yet. */
  readonly findings: readonly ObservedFinding[];
}

/**
 * `quiet`: every subject was measured, and none failed. `disturbed`: one failed at some time. `unmeasured`: none failed, and
 * one could not be measured at the end. `stopped`: a later run of the stack began.
 */
export type ObservationOutcome = 'quiet' | 'disturbed' | 'unmeasured' | 'stopped';

/** What came after a run. */
export interface Observation {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly until: string;
  readonly subjects: readonly ObservedSubject[];
  readonly ended?: { readonly outcome: ObservationOutcome; readonly reason: string; readonly at: string };
}

/** Pure. What an observation says so far. */
export function observedOutcome(subjects: readonly ObservedSubject[]): Exclude<ObservationOutcome, 'stopped'> {
  if (subjects.some(({ findings }) => findings.some(({ verdict }) => verdict === 'fail'))) return 'disturbed';
  return subjects.every(({ findings }) => findings.at(-1)?.verdict === 'pass') ? 'quiet' : 'unmeasured';
}
