import type { Digest, Json, Outcome, Phase, Plan, RunEvent } from '../model/index.ts';

/** Grows when an entry changes meaning. A reader refuses a greater number. Since 2, entries are chained by `previous`. */
export const JOURNAL_FORMAT = 2;

/** Grows when a kind of entry is added that an older program may leave unread. A reader warns of a greater number. */
export const JOURNAL_REVISION = 0;

/**
 * One fact about a run. An act may not start before its `step-begin` is stored; it is not done before its `step-end` is.
 * `operation` joins the two.
 */
export type JournalEntry = {
  readonly format: number;
  /** Absent: 0. */
  readonly revision?: number;
  /** Link of the entry before (see chain.ts). Absent in the first entry, and in format 1. */
  readonly previous?: Digest;
  readonly run: string;
  readonly stack: string;
  /** Starts at 1, grows by one. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly time: string;
} & JournalFact;

export type StepOutcome = 'done' | 'skipped' | 'failed' | 'warned';

export type Direction = 'forward' | 'back' | 'halt';

/**
 * Why a run turned: a step failed, a person stopped it, its lease went to somebody else, or the target did not pass its
 * validation and the plan says that this sends the run back to *before*.
 */
export type TurnCause = 'failed' | 'cancelled' | 'lease-lost' | 'invalid';

/** Who or what asked for a run; figures are kept for each. */
export const TRIGGERS = ['person', 'alert', 'pipeline', 'schedule'] as const;
export type Trigger = (typeof TRIGGERS)[number];

export interface Person {
  readonly user: string;
  readonly host: string;
  /** Who that is, where `user` names one of several things that a person may show (`token:anna-laptop`, of `anna`). */
  readonly person?: string;
}

export interface LeaseHolder extends Person {
  readonly run: string;
  readonly journal: string;
  readonly phase?: Phase;
}

export type JournalFact =
  | {
      readonly kind: 'run-created';
      readonly plan: Plan;
      readonly by: Person;
      /** Absent: `person`. */
      readonly trigger?: Trigger;
      /** The run whose effect this one takes back. */
      readonly undoes?: string;
      /** An unfinished run that this one was told to give up, by its name. */
      readonly abandons?: { readonly run: string; readonly reason: string };
    }
  /** What a person whose role may decide said of the plan; bound to its hash. */
  | {
      readonly kind: 'approval';
      readonly decision: 'approved' | 'denied';
      readonly plan: Digest;
      readonly by: Person;
      readonly role: string;
      readonly reason?: string;
    }
  /** The lease is this run's. `from` is whose it was, where it was taken from somebody, and `reason` why that was right. */
  | {
      readonly kind: 'lease-taken';
      readonly token: number;
      readonly from?: LeaseHolder;
      /** `released`, `process gone` or `not renewed for N s`. */
      readonly reason?: string;
      /** The unfinished run that was given up with it. */
      readonly abandoned?: LeaseHolder & { readonly since: string };
    }
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
  /** A person gave the unfinished run up. */
  | { readonly kind: 'abandoned'; readonly by: Person; readonly reason: string; readonly inFavourOf?: string }
  /** After the end: another run took its effect back. */
  | { readonly kind: 'undone'; readonly byRun: string; readonly by: Person }
  /** After the end: the way back was closed, and what was kept for it is gone. */
  | {
      readonly kind: 'finalized';
      readonly by: Person;
      readonly because: 'person' | 'retention';
      readonly removed: readonly string[];
    }
  /** After the end: what people found out, for the report. A later note of one topic replaces the earlier one; follow-ups add up. */
  | { readonly kind: 'noted'; readonly by: Person; readonly topic: NoteTopic; readonly text: string }
  | { readonly kind: 'event'; readonly event: RunEvent };

export const NOTE_TOPICS = ['root-cause', 'impact', 'data-loss', 'follow-up'] as const;
export type NoteTopic = (typeof NOTE_TOPICS)[number];
