import type { Json, Outcome, Phase, Plan, Step } from '../model/index.ts';
import type { Direction, Person, StepOutcome, TurnCause } from './entry.ts';

/** `begun`: its intent is stored and its end is not, so the act may or may not have happened. */
export type StepStatus = 'pending' | 'begun' | StepOutcome;

export interface StepState {
  readonly step: Step;
  readonly status: StepStatus;
  /** How often it was begun, over resumes. */
  readonly attempts: number;
  /** The operation that is open, or was the last one. */
  readonly operation?: string;
  readonly result?: Json;
  readonly message?: string;
  readonly code?: string;
  /** False only when every attempt was proven to have changed nothing; one that was cut off proves nothing. */
  readonly touched?: boolean;
  /** ISO 8601, of the last attempt. */
  readonly beganAt?: string;
  readonly endedAt?: string;
}

export interface PhaseVisit {
  readonly phase: Phase;
  readonly enteredAt: string;
}

export interface Turn {
  readonly direction: Direction;
  readonly reason: string;
  readonly cause?: TurnCause;
  readonly code?: string;
  readonly signal?: string;
}

/** What a journal says: everything that decides what a run does next, and nothing from anywhere else. */
export interface RunState {
  readonly run: string;
  readonly stack: string;
  readonly plan: Plan;
  readonly by: Person;
  readonly startedAt: string;
  readonly phase: Phase;
  readonly phases: readonly PhaseVisit[];
  readonly direction: Direction;
  /** The last turn; absent while the run only went forward. */
  readonly turn?: Turn;
  /** The turn that sent the run back. It stays so through resumes: what was taken back cannot be built upon again. */
  readonly wentBack?: Turn;
  /** In the plan's order. */
  readonly steps: ReadonlyMap<string, StepState>;
  /** Steps that were, or are being, taken back. */
  readonly reverses: ReadonlyMap<string, StepState>;
  readonly resumed: readonly { readonly by: Person; readonly at: string }[];
  readonly ended?: { readonly outcome: Outcome; readonly reason?: string; readonly code?: string; readonly at: string };
  /** Of the last entry. */
  readonly sequence: number;
  /** Of the last event. */
  readonly eventSequence: number;
  readonly lastAt: string;
}
