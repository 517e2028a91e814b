import type { ApprovalSeen, Decided, PendingApproval } from '../actions/approve.ts';
import type { CaptureResult } from '../actions/capture.ts';
import type { PastRun } from '../actions/history.ts';
import type { SnapshotDetails, SnapshotRow } from '../actions/snapshots.ts';
import type { Trigger } from '../journal/index.ts';
import type { Change, Digest, Outcome, Phase, Plan, PlanOptions, Proposal, Scope } from '../model/index.ts';

/** One page of a list, and where the next one begins. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export interface StackView {
  readonly name: string;
  readonly namespaces: readonly string[];
  readonly checks: number;
  readonly problem?: string;
  readonly state?: 'idle' | 'running' | 'unfinished' | 'waiting';
  readonly run?: string;
  readonly lastRun?: { readonly run: string; readonly outcome: string; readonly endedAt?: string };
  readonly lastKnownGood?: { readonly id: Digest; readonly labels: readonly string[]; readonly capturedAt: string };
}

export interface ProposalsAsked {
  readonly stack?: string;
  readonly state?: Proposal['state'];
}

/** A rollback that alerts asked for, with its plan where that is still kept. */
export type ProposalSeen = Proposal & { readonly planDetail?: Plan };

/** What a run is asked to do; the same as the options of the verbs. */
export interface PlanAsked {
  readonly target?: string;
  readonly scope?: Scope;
  readonly options?: Partial<PlanOptions>;
  readonly onInvalid?: 'halt' | 'return';
}

export type PlanAnswer =
  | { readonly kind: 'planned'; readonly plan: Plan; readonly warnings?: readonly string[] }
  | { readonly kind: 'nothing-to-do'; readonly target: { readonly id: Digest }; readonly warnings?: readonly string[] };

export interface RunAsked {
  /** Hash of a plan that the service made. */
  readonly plan: string;
  readonly trigger?: Trigger;
  readonly abandon?: { readonly run: string; readonly reason: string };
}

export interface RunStarted {
  readonly run: string;
  /** `waiting`: for an approval. */
  readonly state: 'waiting' | 'queued';
}

/** The plan moves nothing: no run was made. */
export interface NothingToDo {
  readonly kind: 'nothing-to-do';
}

/** A run as it is now. */
export interface RunSeen {
  readonly run: string;
  readonly stack: string;
  readonly plan: Plan;
  readonly state: 'waiting' | 'queued' | 'running' | 'unfinished' | 'ended';
  readonly outcome?: Outcome;
  /** Of the command line, once it has ended. */
  readonly exitCode?: number;
  readonly reason?: string;
  readonly code?: string;
  readonly phase: Phase;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly downtime?: string;
  /** The command that goes on, where a person is needed. */
  readonly next?: string;
  readonly undo?: string;
  /** The service that has it: whether it is at a loss, and why. */
  readonly carried?: { readonly stuck?: true; readonly problem?: { readonly code: string; readonly message: string } };
  /** Of the last entry of its journal. */
  readonly sequence: number;
}

export interface DiffAnswer {
  readonly from: string;
  readonly to: Digest | 'live';
  readonly scope: Scope;
  readonly labels?: readonly string[];
  readonly changes: readonly Change[];
  readonly warnings: readonly string[];
  readonly refusals: readonly { readonly code: string; readonly message: string }[];
}

export interface SnapshotPage extends Page<SnapshotRow> {
  readonly damaged: readonly { readonly path: string; readonly damaged: string }[];
}

/** What is to be decided, and the tag that says that nobody decided meanwhile. */
export interface ReviewAnswer {
  readonly review: ApprovalSeen;
  readonly etag: string;
}

/** As `backstay capture` tells it: of the objects their number. */
export type CaptureAnswer =
  | Extract<CaptureResult, { kind: 'empty' }>
  | (Omit<Extract<CaptureResult, { kind: 'captured' }>, 'content'> & {
      readonly objects: number;
      readonly flags: Extract<CaptureResult, { kind: 'captured' }>['content']['flags'];
    });

export type { Decided, PastRun, PendingApproval, SnapshotDetails };
