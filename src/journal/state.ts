import type { Digest, Json, Observation, Outcome, Phase, Plan, ProbeVerdict, Step } from '../model/index.ts';
import type { Direction, JournalFact, NoteTopic, Person, StepOutcome, Trigger, TurnCause } from './entry.ts';

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

export type Approval = Omit<Extract<JournalFact, { kind: 'approval' }>, 'kind'> & { readonly at: string };

export interface LeaseTaken extends Omit<Extract<JournalFact, { kind: 'lease-taken' }>, 'kind'> {
  readonly at: string;
}

/** What a probe found when its verdict changed; between two of them it stayed the same. */
export interface ProbeFinding {
  readonly name: string;
  readonly verdict: ProbeVerdict;
  readonly reason: string;
  /** ISO 8601: from when on it was so. */
  readonly at: string;
  readonly latencyMs?: number;
}

export interface Note {
  readonly topic: NoteTopic;
  readonly text: string;
  readonly by: Person;
  readonly at: string;
}

/** What a journal says: everything that decides what a run does next, and nothing from anywhere else. */
export interface RunState {
  readonly run: string;
  readonly stack: string;
  readonly plan: Plan;
  readonly by: Person;
  readonly trigger: Trigger;
  readonly undoes?: string;
  /** An unfinished run that this one was told to give up. */
  readonly abandons?: { readonly run: string; readonly reason: string };
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
  /** `idleSince`: the last sign of the process before. */
  readonly resumed: readonly { readonly by: Person; readonly at: string; readonly idleSince: string }[];
  readonly ended?: { readonly outcome: Outcome; readonly reason?: string; readonly code?: string; readonly at: string };
  /** In the order in which they were given. */
  readonly approvals: readonly Approval[];
  /** Every time that the lease came to this run: first, and after each resume. */
  readonly leases: readonly LeaseTaken[];
  readonly undone?: { readonly byRun: string; readonly by: Person; readonly at: string };
  readonly finalized?: Omit<Extract<JournalFact, { kind: 'finalized' }>, 'kind'> & { readonly at: string };
  readonly notes: readonly Note[];
  /** Every change of a probe's verdict, in order. A process that died leaves `unknown` until another one measures. */
  readonly probes: readonly ProbeFinding[];
  /** What came after the end, where somebody watched. */
  readonly observation?: Observation;
  /** Time of the last entry by which the run itself showed that it was at work; not of what people said about it. */
  readonly workedAt: string;
  /** Kinds of entries that a newer program wrote and this one left unread; empty as a rule. */
  readonly unread: readonly string[];
  /** Link of the last entry: what the next one names as `previous`. */
  readonly head: Digest;
  /** Of the last entry. */
  readonly sequence: number;
  /** Of the last event. */
  readonly eventSequence: number;
  readonly lastAt: string;
}
