import type { Json, Outcome, Phase, Plan, RunEvent } from '../model/index.ts';

/** Grows when an entry changes meaning. A reader refuses a greater number. */
export const JOURNAL_FORMAT = 1;

/**
 * One fact about a run. An act may not start before its `step-begin` is stored; it is not done before its `step-end` is.
 * `operation` joins the two.
 */
export type JournalEntry = {
  readonly format: typeof JOURNAL_FORMAT;
  readonly run: string;
  readonly stack: string;
  /** Starts at 1, grows by one. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly time: string;
} & JournalFact;

export type StepOutcome = 'done' | 'skipped' | 'failed' | 'warned';

export type Direction = 'forward' | 'back' | 'halt';

/** Why a run turned: a step failed, a person stopped it, or its lease went to somebody else. */
export type TurnCause = 'failed' | 'cancelled' | 'lease-lost';

export interface Person {
  readonly user: string;
  readonly host: string;
}

export type JournalFact =
  | { readonly kind: 'run-created'; readonly plan: Plan; readonly by: Person }
  | { readonly kind: 'phase-entered'; readonly phase: Phase }
  | {
      readonly kind: 'step-begin';
      readonly operation: string;
      readonly step: string;
      /** Counts from 1, over resumes. */
      readonly attempt: number;
      /** The step is being taken back. */
      readonly reverse?: true;
    }
  | {
      readonly kind: 'step-end';
      readonly operation: string;
      readonly step: string;
      readonly outcome: StepOutcome;
      readonly result?: Json;
      readonly message?: string;
      /** Code of the error that failed the step. */
      readonly code?: string;
      /** False on a failure that was proven to have changed nothing. */
      readonly touched?: boolean;
      readonly reverse?: true;
    }
  | {
      readonly kind: 'direction';
      readonly direction: Direction;
      readonly reason: string;
      readonly cause?: TurnCause;
      readonly code?: string;
      /** `SIGINT` or `SIGTERM`, when a signal was the cause. */
      readonly signal?: string;
    }
  | { readonly kind: 'resumed'; readonly by: Person }
  | { readonly kind: 'run-ended'; readonly outcome: Outcome; readonly reason?: string; readonly code?: string }
  | { readonly kind: 'event'; readonly event: RunEvent };
