/**
 * What the page reads of the service's answers: less than they carry. Nouns are those of the model, as types alone, which leave
 * nothing in the built page; of the service itself it imports nothing, and test/web/derive.test.ts keeps the answers below true
 * to what they are made from.
 */
import type { Phase } from '../model/phase.ts';
import type { Change, Plan } from '../model/plan.ts';
import type { Proposal as Proposed } from '../model/trigger.ts';
import type { CheckResult, Verdict } from '../model/verdict.ts';

export type { ProbeVerdict, RunEvent } from '../model/event.ts';
export type { ObjectRef } from '../model/object.ts';
export type { Phase, Scope } from '../model/phase.ts';
export type { Change, FieldChange, Plan, Step } from '../model/plan.ts';
export type { Alert } from '../model/trigger.ts';
export type { CheckResult, Verdict } from '../model/verdict.ts';

export interface Items<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export interface Me {
  readonly principal: {
    readonly id: string;
    readonly name: string;
    readonly grants: readonly { readonly role: string; readonly stacks: readonly string[] }[];
  };
}

export interface StackItem {
  readonly name: string;
  readonly namespaces: readonly string[];
  readonly checks: number;
  readonly problem?: string;
  readonly state?: string;
  readonly run?: string;
  readonly lastRun?: { readonly run: string; readonly outcome: string; readonly endedAt?: string };
  readonly lastKnownGood?: { readonly id: string; readonly labels: readonly string[]; readonly capturedAt: string };
  /** How many versions are held, for they went wrong. */
  readonly holds?: number;
  readonly triggers?: string;
  readonly openProposals?: number;
}

export interface StackDetail extends StackItem {
  readonly policy?: {
    readonly severities: readonly { readonly name: string; readonly advice?: string }[];
    readonly requireReason: boolean;
    readonly requireSeverity: boolean;
  };
  readonly stores?: readonly { readonly name: string; readonly kind: string }[];
  readonly notifications?: readonly string[];
  readonly schedules?: readonly ScheduleView[];
}

/** What the service does to a stack by itself, again and again. */
export interface ScheduleView {
  readonly name: string;
  readonly do: string;
  readonly everyMs: number;
  /** Absent: no service has seen it yet. */
  readonly nextAt?: string;
  readonly isFiring: boolean;
  readonly last?: { readonly at: string; readonly outcome: string; readonly code?: string; readonly message?: string };
  readonly succeededAt?: string;
}

/** A backup that is restored beside the live data, counted and dropped again. */
export interface Drill {
  readonly id: string;
  readonly store: string;
  /** Id, or `latest`. */
  readonly backup: string;
  readonly by: string;
  readonly startedAt: string;
  readonly state: string;
  /** What the command said at its end. */
  readonly result?: unknown;
}

/** Something that a channel was told, is told, or could not be told. */
export interface Delivery {
  readonly event: string;
  readonly notice: string;
  readonly channel: string;
  readonly at: string;
  readonly state: string;
  readonly attempts: number;
  readonly dueAt?: string;
  readonly settledAt?: string;
  readonly because?: string;
}

export interface SnapshotRow {
  readonly id: string;
  readonly shortId: string;
  readonly capturedAt: string;
  readonly reason: string;
  readonly labels: readonly string[];
  readonly verdict: Verdict;
  readonly knownGood: boolean;
  readonly held?: { readonly run: string; readonly reason: string };
  readonly removed?: { readonly because: string };
  readonly note?: string;
}

export interface Compared {
  /** `live`, or the id of a snapshot. */
  readonly to: string;
  readonly labels: readonly string[];
  readonly changes: readonly Change[];
  readonly warnings?: readonly string[];
  readonly refusals?: readonly { readonly code: string; readonly message: string; readonly next?: string }[];
}

export interface RunView {
  readonly run: string;
  readonly stack: string;
  readonly state: 'waiting' | 'queued' | 'running' | 'unfinished' | 'ended';
  readonly outcome?: string;
  readonly reason?: string;
  readonly phase: Phase;
  readonly plan: Plan;
  readonly by: { readonly user: string; readonly host: string };
  readonly trigger: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly next?: string;
  /** The command that takes it back, where there is something to take back. */
  readonly undo?: string;
  readonly undoes?: string;
  readonly undone?: { readonly byRun: string } | undefined;
  readonly finalized?: { readonly at: string } | undefined;
  readonly carried?: {
    readonly host?: string;
    readonly problem?: { readonly code: string; readonly message: string; readonly next?: string };
    readonly stuck?: true;
  };
  readonly cancel?: { readonly reason: string };
  /** Of the last entry of its journal. */
  readonly sequence: number;
}

export interface PastRun {
  readonly kind: 'run' | 'damaged';
  readonly run: string;
  readonly stack: string;
  readonly startedAt: string;
  readonly outcome?: string;
  readonly phase?: Phase;
  readonly durationMs?: number;
  readonly downMs?: number;
  readonly trigger?: string;
  readonly target?: string;
  readonly by?: string;
  readonly reason?: string;
  readonly resumable?: boolean;
  readonly undoes?: string;
  readonly undone?: { readonly byRun: string };
  readonly why?: string;
}

export interface Figures {
  readonly runs: number;
  readonly perMonth: number;
  readonly ended: number;
  readonly succeeded: number;
  readonly successRate?: number;
  readonly duration?: { readonly mean: number; readonly median: number; readonly p95: number };
  readonly downtime?: {
    readonly measured: number;
    readonly totalMs: number;
    readonly meanMs: number;
    readonly maxMs: number;
  };
}

export interface Stats {
  readonly since: string;
  readonly until: string;
  readonly all: Figures;
}

export type Proposal = Proposed & { readonly planDetail?: Plan };

export interface PendingApproval {
  readonly run: string;
  readonly stack: string;
  readonly standing: string;
  readonly severity: string;
  readonly roles: readonly string[];
  readonly given: number;
  readonly count: number;
  readonly until: string;
  readonly requestedBy: string;
  readonly target: string;
  readonly reason?: string;
  readonly said: string;
}

export interface LiveStack {
  readonly at: string;
  readonly workloads: readonly {
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly health: { readonly state: string; readonly reason: string };
    readonly images: readonly string[];
  }[];
  readonly checks?: readonly CheckResult[];
}

export interface Review {
  readonly plan: Plan;
  readonly need?: { readonly roles: readonly string[]; readonly count: number };
  readonly requestedBy?: { readonly user: string; readonly host: string };
  readonly requestedAt?: string;
  /** In which the caller may decide. */
  readonly role?: string;
  /** Why the caller may not. */
  readonly because?: string;
}
