import type { Json } from './json.ts';
import type { ObservationOutcome } from './observation.ts';
import type { Outcome, Phase } from './phase.ts';
import type { CheckResult, Verdict } from './verdict.ts';

/**
 * What a run says while it works: one stream to which CLI, HTTP and page listen. `sequence` grows by one within a run.
 * docs/events.md lists them; a test keeps it so.
 */
export type RunEvent = {
  readonly run: string;
  readonly stack: string;
  readonly sequence: number;
  readonly time: string;
} & (
  | { readonly type: 'run.started'; readonly target: string; readonly plan: string }
  | {
      readonly type: 'approval.needed';
      readonly severity: string;
      readonly roles: readonly string[];
      readonly count: number;
      readonly when: 'before' | 'after';
      readonly until: string;
      readonly waived?: 'emergency' | 'break-glass';
    }
  | {
      readonly type: 'approval.given';
      readonly decision: 'approved' | 'denied';
      readonly user: string;
      readonly role: string;
      readonly reason?: string;
    }
  | { readonly type: 'phase.entered'; readonly phase: Phase }
  | { readonly type: 'phase.left'; readonly phase: Phase; readonly durationMs: number }
  | { readonly type: 'step.started'; readonly step: string; readonly title: string; readonly phase: Phase }
  | {
      readonly type: 'step.ended';
      readonly step: string;
      readonly outcome: 'done' | 'skipped' | 'failed' | 'warned';
      readonly durationMs: number;
      readonly message?: string;
    }
  | { readonly type: 'object.progress'; readonly object: string; readonly state: ObjectState; readonly message: string }
  | { readonly type: 'check.measured'; readonly result: CheckResult }
  | {
      readonly type: 'probe.changed';
      readonly name: string;
      readonly verdict: ProbeVerdict;
      readonly reason: string;
      /** ISO 8601: when the request was due whose answer this is. Downtime counts from here, not from the answer. */
      readonly at: string;
      /** Milliseconds from then to the answer; absent where none came. */
      readonly latencyMs?: number;
    }
  | { readonly type: 'run.message'; readonly level: 'info' | 'warn'; readonly message: string; readonly data?: Json }
  | { readonly type: 'run.ended'; readonly outcome: Outcome; readonly reason?: string; readonly durationMs: number }
  | { readonly type: 'observation.started'; readonly until: string; readonly subjects: readonly string[] }
  | {
      readonly type: 'observation.changed';
      readonly subject: string;
      readonly verdict: Verdict;
      readonly reason: string;
    }
  | { readonly type: 'observation.ended'; readonly outcome: ObservationOutcome; readonly reason: string }
);

/** `unknown`: nobody could measure. It is kept apart, and never counts as up. */
export type ProbeVerdict = 'up' | 'down' | 'unknown';

export type ObjectState = 'creating' | 'updating' | 'deleting' | 'waiting' | 'ready' | 'done' | 'failed';

/** An event before the run stamps it. Distributes over the union. */
export type RunEventBody = RunEvent extends infer E
  ? E extends unknown
    ? Omit<E, 'run' | 'stack' | 'sequence' | 'time'>
    : never
  : never;
