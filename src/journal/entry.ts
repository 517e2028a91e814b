import type { Json, Outcome, Phase, Plan, RunEvent } from '../model/index.ts';

/** Grows when an entry changes meaning. A reader refuses a greater number. */
export const JOURNAL_FORMAT = 1;

/**
 * One fact about a run. An act may not start before its `begin` is stored; it is not done before its `end` is.
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

export type JournalFact =
  | { readonly kind: 'run-created'; readonly plan: Plan; readonly by: { readonly user: string; readonly host: string } }
  | { readonly kind: 'phase-entered'; readonly phase: Phase }
  | { readonly kind: 'step-begin'; readonly operation: string; readonly step: string; readonly attempt: number }
  | {
      readonly kind: 'step-end';
      readonly operation: string;
      readonly step: string;
      readonly outcome: 'done' | 'skipped' | 'failed' | 'warned';
      readonly result?: Json;
      readonly message?: string;
    }
  | { readonly kind: 'direction'; readonly direction: 'forward' | 'back' | 'halt'; readonly reason: string }
  | { readonly kind: 'resumed'; readonly by: { readonly user: string; readonly host: string } }
  | { readonly kind: 'run-ended'; readonly outcome: Outcome; readonly reason?: string }
  | { readonly kind: 'event'; readonly event: RunEvent };
