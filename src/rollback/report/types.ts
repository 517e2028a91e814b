import type { Approval, LeaseTaken, Note, Person, StepState, Trigger } from '../../journal/index.ts';
import type {
  Change,
  CheckResult,
  Digest,
  Observation,
  Outcome,
  Phase,
  ProbeVerdict,
  Scope,
  StoreScenario,
} from '../../model/index.ts';

/** A run as those see it who review it afterwards. Data only, from the journal alone; no values of fields, no secrets. */
export interface RunReport {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'RunReport';
  readonly run: string;
  readonly stack: string;
  readonly clusterUid: string;
  readonly outcome: Outcome | 'unfinished';
  readonly because?: string;
  readonly by: Person;
  readonly trigger: Trigger;
  readonly severity?: string;
  readonly startedAt: string;
  /** ISO 8601: when the policy of its severity wanted it done. */
  readonly deadline?: string;
  readonly endedAt?: string;
  /** What was live before: its snapshot, and the images that the run changed. */
  readonly from: { readonly snapshot?: Digest; readonly images: readonly ChangedImage[] };
  readonly target: { readonly id: Digest; readonly said: string; readonly labels: readonly string[] };
  readonly scope: Scope;
  readonly plan: Digest;
  readonly reason?: string;
  readonly incident?: string;
  /** Choices that took a guard away. */
  readonly overrides: readonly string[];
  readonly warnings: readonly string[];
  readonly changes: readonly ReportedChange[];
  readonly steps: readonly ReportedStep[];
  readonly phases: readonly ReportedPhase[];
  readonly time: TimeSpent;
  /** One for each probe of the stack; empty where it has none: then downtime was not measured, and is not known. */
  readonly downtime: readonly ReportedDowntime[];
  readonly objects: readonly ReportedObject[];
  readonly checks: { readonly before: readonly CheckResult[]; readonly after: readonly CheckResult[] };
  readonly snapshots: { readonly before?: Digest; readonly after?: Digest; readonly held?: Digest };
  /** Archives of what the failing version left. */
  readonly evidence: readonly { readonly name: string; readonly digest?: string }[];
  /** What may be lost for good, as the steps that were begun had declared it. */
  readonly dataLoss: readonly { readonly step: string; readonly what: string }[];
  /** What became of data stores whose schema was another, or that were named. Absent: there were none. */
  readonly scenarios?: readonly StoreScenario[];
  readonly approvals: readonly Approval[];
  /** What came after the run. Absent: nobody watched. */
  readonly observation?: Observation;
  /** Times that the lease was taken from somebody else. */
  readonly takeovers: readonly LeaseTaken[];
  readonly resumes: readonly Resumed[];
  readonly undoes?: string;
  readonly undone?: { readonly byRun: string; readonly by: Person; readonly at: string };
  readonly finalized?: {
    readonly by: Person;
    readonly because: 'person' | 'retention';
    readonly removed: readonly string[];
    readonly at: string;
  };
  /** What people found out afterwards: of each topic the last one, of follow-ups every one. */
  readonly findings: {
    readonly rootCause?: Note;
    readonly impact?: Note;
    readonly dataLoss?: Note;
    readonly followUps: readonly Note[];
  };
  readonly followUps: readonly string[];
  /** ISO 8601. */
  readonly postMortemDue?: string;
}

export interface Resumed {
  readonly by: Person;
  readonly at: string;
  /** ISO 8601: the last sign of the process before; nothing was done between then and `at`. */
  readonly idleSince?: string;
}

export interface ReportedChange {
  readonly key: Change['key'];
  readonly action: Change['action'];
  readonly fields: readonly string[];
  readonly reason?: string;
}

export interface ChangedImage {
  readonly object: Change['key'];
  /** Path of the field. */
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
}

export interface ReportedStep {
  readonly id: string;
  readonly title: string;
  readonly phase: Phase;
  readonly status: StepState['status'];
  readonly takenBack: boolean;
  readonly attempts: number;
  /** ISO 8601, of the last attempt. */
  readonly beganAt?: string;
  readonly endedAt?: string;
  readonly durationMs?: number;
  /** Milliseconds that the plan foresaw. */
  readonly expectedMs?: number;
  readonly message?: string;
  /** When the step was, or is being, taken back. */
  readonly reverse?: {
    readonly status: StepState['status'];
    readonly beganAt?: string;
    readonly endedAt?: string;
    readonly message?: string;
  };
}

export interface ReportedPhase {
  readonly phase: Phase;
  /** ISO 8601. */
  readonly from: string;
  readonly durationMs: number;
}

/** Milliseconds; the three make up the time from the run's beginning to its end. */
export interface ReportedDowntime {
  readonly probe: string;
  readonly upMs: number;
  readonly downMs: number;
  /** Nobody measured; never counted as up. */
  readonly unknownMs: number;
  /** Without gaps, in order. */
  readonly spans: readonly {
    readonly verdict: ProbeVerdict;
    readonly from: string;
    readonly to: string;
    readonly reason: string;
  }[];
}

/** An object on its way, from the first that was told of it to the last. */
export interface ReportedObject {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  /** The last state that was told. */
  readonly state: string;
}

/** Where every millisecond went. `ownMs` is what neither the engine nor anything outside took. */
export interface TimeSpent {
  readonly totalMs: number;
  readonly engineMs: number;
  /** Of the engine's time: waiting for pods. */
  readonly waitingMs: number;
  readonly hooksMs: number;
  readonly checksMs: number;
  readonly ownMs: number;
}
