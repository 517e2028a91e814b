/**
 * What the page reads of the service's answers: less than they carry. The page imports nothing of the service, it knows it by
 * its answers alone; test/web/shapes.test.ts keeps these types true to what the answers are made from.
 */

export type Verdict = 'pass' | 'fail' | 'unknown';

export const PHASES = [
  'planned',
  'locked',
  'frozen',
  'safeguarded',
  'quiesced',
  'restored',
  'applied',
  'resumed',
  'validated',
  'completed',
] as const;
export type Phase = (typeof PHASES)[number];

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
  readonly notifications?: readonly string[];
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

export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface FieldChange {
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
  readonly secret?: true;
  readonly lines?: readonly string[];
}

export interface Change {
  readonly key: string;
  readonly ref: ObjectRef;
  readonly action: 'create' | 'update' | 'replace' | 'delete' | 'restart';
  readonly fields: readonly FieldChange[];
  readonly reason?: string;
}

export interface Compared {
  /** `live`, or the id of a snapshot. */
  readonly to: string;
  readonly labels: readonly string[];
  readonly changes: readonly Change[];
  readonly warnings?: readonly string[];
  readonly refusals?: readonly { readonly code: string; readonly message: string; readonly next?: string }[];
}

export type Risk = 'none' | 'low' | 'medium' | 'high';

export interface Step {
  readonly id: string;
  readonly phase: Phase;
  readonly title: string;
  readonly action: { readonly kind: string };
  readonly reverse?: { readonly kind: string };
  readonly risk: Risk;
  readonly destructive: boolean;
  readonly expected?: { readonly ms: number; readonly runs: number };
  readonly dataLoss?: string;
}

export type Scope = { readonly kind: string; readonly names?: readonly string[] };

export interface Plan {
  readonly hash: string;
  readonly stack: string;
  readonly createdAt: string;
  readonly scope: Scope;
  readonly target: { readonly id: string; readonly said: string; readonly labels: readonly string[] };
  readonly changes: readonly Change[];
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
  readonly risk: Risk;
  readonly options: {
    readonly reason?: string;
    readonly incident?: string;
    readonly severity?: string;
    readonly emergency?: boolean;
    readonly skipValidation?: boolean;
  };
  readonly approval?: {
    readonly severity: string;
    readonly roles: readonly string[];
    readonly when: 'before' | 'after';
    readonly count: number;
    readonly expiresMs: number;
    readonly waived?: string;
  };
  readonly advice?: string;
  readonly undoes?: string;
  readonly scenarios?: readonly {
    readonly store: string;
    readonly scenario: string;
    readonly because: string;
    readonly loses?: string;
  }[];
}

export interface CheckResult {
  readonly name: string;
  readonly kind: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly at: string;
  readonly durationMs: number;
  readonly measured?: Readonly<Record<string, unknown>>;
}

export type ProbeVerdict = 'up' | 'down' | 'unknown';

interface Stamp {
  readonly run: string;
  readonly stack: string;
  readonly sequence: number;
  /** ISO 8601. */
  readonly time: string;
}

/** One event of a run, as docs/events.md has them. */
export type RunEvent = Stamp &
  (
    | { readonly type: 'run.started'; readonly target: string; readonly plan: string }
    | {
        readonly type: 'approval.needed';
        readonly severity: string;
        readonly roles: readonly string[];
        readonly count: number;
        readonly when: 'before' | 'after';
        readonly until: string;
        readonly waived?: string;
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
    | { readonly type: 'object.progress'; readonly object: string; readonly state: string; readonly message: string }
    | { readonly type: 'check.measured'; readonly result: CheckResult }
    | {
        readonly type: 'probe.changed';
        readonly name: string;
        readonly verdict: ProbeVerdict;
        readonly reason: string;
        readonly at: string;
        readonly latencyMs?: number;
      }
    | { readonly type: 'run.message'; readonly level: 'info' | 'warn'; readonly message: string }
    | { readonly type: 'run.ended'; readonly outcome: string; readonly reason?: string; readonly durationMs: number }
  );

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

export interface Alert {
  readonly name: string;
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
  readonly summary?: string;
  readonly url?: string;
}

export interface Proposal {
  readonly id: string;
  readonly stack: string;
  readonly createdAt: string;
  readonly alerts: readonly Alert[];
  readonly mode: string;
  readonly target: string;
  readonly plan?: string;
  readonly planDetail?: Plan;
  readonly problem?: { readonly code: string; readonly message: string; readonly next?: string };
  readonly state: 'planning' | 'open' | 'started' | 'dismissed' | 'settled' | 'expired';
  readonly because?: string;
  readonly run?: string;
  readonly by?: string;
}

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
