import type { DataStoreSetting } from './data-store.ts';
import type { MaintenanceSetting } from './maintenance.ts';
import type { NotificationPolicy } from './notification.ts';
import type { ObservationPolicy } from './observation.ts';
import type { NamedScope, Phase } from './phase.ts';
import type { Scenario } from './scenario.ts';
import type { Schedule } from './schedule.ts';
import type { TriggerPolicy } from './trigger.ts';

/**
 * A stack's settings after validation, defaults and unit conversion (config/ makes it from `stacks/Pulumi.<stack>.yaml`,
 * keys `backstay:*`). Durations are milliseconds.
 */
export interface Stack {
  readonly name: string;
  /** Absolute path of the stack file. */
  readonly file: string;
  readonly cluster: {
    readonly context?: string;
    readonly kubeconfig?: string;
    /** kube-system UID; when set, every other cluster is refused. */
    readonly uid?: string;
    /** Where the Lease is: a namespace that exists before the stack's own do. @default 'default' */
    readonly leaseNamespace: string;
    /** A run that does not renew its Lease for so long is taken for dead. Whole seconds. @default 30_000 */
    readonly leaseDurationMs: number;
  };
  /** The first is the default for names without a namespace. */
  readonly namespaces: readonly string[];
  readonly capture: {
    /** Objects left out of every snapshot, beside the built-in exclusions. */
    readonly exclude: readonly ObjectPattern[];
    /** Cluster-scoped objects to include by name, as `Kind/name` patterns. */
    readonly include: readonly ObjectPattern[];
  };
  /** Which workloads play which part. What matches none is `application`. */
  readonly roles: {
    readonly workers: readonly ObjectPattern[];
    /** Data stores: belong to scope `database`, never to `application`. */
    readonly data: readonly ObjectPattern[];
  };
  /** Fields that another controller owns and that stay as they are. */
  readonly foreign: readonly ForeignField[];
  readonly flags: readonly FlagSetting[];
  readonly secrets: {
    /** age recipients (`age1…`). Several: the team's and the break-glass one. */
    readonly recipients: readonly string[];
    /** age identity for decrypting. */
    readonly identity: KeySource;
    /** 32 bytes, base64: the stack's key for comparing secret values without decrypting. */
    readonly comparisonKey: KeySource;
  };
  readonly signing: {
    /** Ed25519 public keys, as JWK `x` values (base64url), by name. */
    readonly trusted: readonly { readonly name: string; readonly publicKey: string }[];
    /** Private key, JWK JSON or PKCS#8 PEM. */
    readonly key: KeySource;
  };
  readonly engine: {
    readonly provider: 'backstay' | 'official';
    /** Pulumi backend URL; relative `file://` paths are relative to the project. */
    readonly backend: string;
    readonly secretsProvider: string;
    readonly passphrase: KeySource;
    /** Each update is foreseen by Pulumi and bound to what was foreseen: its own saved plan, beside our permit. */
    readonly savedPlan: boolean;
  };
  readonly hooks: readonly HookSetting[];
  readonly checks: readonly CheckSetting[];
  /** Asked through the whole of a run: what they measure is its downtime. */
  readonly probes: readonly ProbeSetting[];
  /** The alerts that must be firing for the runbook to apply; empty: no such precondition. */
  readonly context: {
    readonly alertmanager?: HttpTarget;
    readonly anyOf: readonly string[];
    /** Checks by name that must pass, so that the fault is the suspect's own and not its dependency's. */
    readonly dependencies: readonly string[];
    /** The runbook is about this change of a flag; other plans do not ask. Absent: every plan asks. */
    readonly when?: { readonly flag: string; readonly from: string; readonly to: string };
  };
  /** What is kept of a failing version before it goes. Never keeps a run waiting longer than its limit. */
  readonly evidence: {
    /** Milliseconds. @default 10_000 */
    readonly limitMs: number;
    /** Milliseconds, for a run with `emergency`. @default 3_000 */
    readonly emergencyLimitMs: number;
    /** Of all files together, before they are compressed. @default 20 MiB */
    readonly limitBytes: number;
    /** Newest lines of each container, and of the one before it. @default 2_000 */
    readonly logLines: number;
  };
  /** Where figures of the time before a run come from; absent: they are not kept. */
  readonly metrics?: {
    /** Base of Prometheus' HTTP API: what comes before `/api/v1`. */
    readonly prometheus: HttpTarget;
    /** Milliseconds. @default an hour */
    readonly windowMs: number;
    /** Milliseconds. @default 15_000 */
    readonly stepMs: number;
    readonly queries: readonly { readonly name: string; readonly query: string }[];
  };
  /** What `backstay doctor` asks from inside, beside what it finds by itself. */
  readonly doctor: {
    readonly hosts: readonly string[];
    readonly databases: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  };
  /** The databases of the stack. */
  readonly stores: readonly DataStoreSetting[];
  /** How data stores go with a rollback. */
  readonly data: {
    /** Instead of what the revisions say; a person can still force another. */
    readonly scenario?: Scenario;
    /** Milliseconds: an older backup is restored only where it is named. @default an hour */
    readonly backupMaxAgeMs: number;
  };
  /** Workloads by name: of those that change, each is well before the next one is touched. Dependencies first. */
  readonly order: readonly string[];
  /** When the checks fail at the target: a person decides, or the run returns to *before* by itself. @default 'halt' */
  readonly onInvalid: 'halt' | 'return';
  /** What is kept from acting by itself while a run works. */
  readonly hold: {
    /** Rollouts under way in what changes. @default true */
    readonly rollouts: boolean;
    /** Autoscalers of workloads that change. @default true */
    readonly autoscalers: boolean;
    /** What brings Git's version back: kept off after a rollback, until it is undone or finalized. */
    readonly deliveries: readonly Delivery[];
  };
  /** How the stack is closed while data is exchanged or migrated; absent: it is not. */
  readonly maintenance?: MaintenanceSetting;
  /** How long ways back stay open; `finalize --expired` closes those that are past it. */
  readonly retention: {
    /** Milliseconds from the end of a run. @default 7 days */
    readonly undoMs: number;
    /** Milliseconds for snapshots that nothing else keeps. @default 90 days */
    readonly snapshotsMs: number;
    /** The newest so many snapshots stay however old they are. @default 20 */
    readonly keep: number;
  };
  /** Limit for a workload to become ready. @default 300_000 */
  readonly readyTimeoutMs: number;
  /** What alerts may start. Absent: nothing. */
  readonly triggers?: TriggerPolicy;
  /** What is watched for some time after a run that changed the stack. Absent: nothing. */
  readonly observe?: ObservationPolicy;
  /** What a service does by itself, again and again. Absent: nothing. */
  readonly schedules?: readonly Schedule[];
  /** Whom a service tells about runs and proposals. Absent: nobody. */
  readonly notifications?: NotificationPolicy;
  /** Which incident needs whose agreement before (or after) a run. */
  readonly approvals: ApprovalPolicy;
  /** Require a `--reason` (production). @default true */
  readonly requireReason: boolean;
}

export interface ApprovalPolicy {
  /** Users by the role they hold. */
  readonly approvers: Readonly<Record<string, readonly string[]>>;
  readonly severities: Readonly<Record<string, SeverityPolicy>>;
  /** Whether a run must name one of the severities. */
  readonly requireSeverity: boolean;
}

export interface SeverityPolicy {
  /** Absent: nobody has to agree. */
  readonly approval?: {
    /** Any of these may decide. */
    readonly roles: readonly string[];
    readonly when: 'before' | 'after';
    /** Different people. @default 1 */
    readonly count: number;
    /** Milliseconds. @default an hour for `before`, a day for `after` */
    readonly expiresMs: number;
  };
  /** Milliseconds from when a run is asked for until it should be done. */
  readonly deadlineMs?: number;
  /** Milliseconds from a run's end until its post-mortem is due. */
  readonly postMortemMs?: number;
  readonly advice?: string;
}

/** Glob patterns (`*` only). Absent: any. */
export interface ObjectPattern {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** An object that brings the stack from Git: an Argo CD Application, a Flux Kustomization or HelmRelease. */
export interface Delivery {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface ForeignField {
  readonly kind: string;
  readonly name?: string;
  /** Path such as `spec.replicas` or `spec.template.spec.containers[name=istio-proxy]`. */
  readonly path: string;
}

/** A value that is never in a stack file itself. */
export type KeySource = { readonly env: string } | { readonly file: string };

export interface FlagSetting {
  readonly name: string;
  readonly source:
    | { readonly configMap: string; readonly key: string; readonly namespace?: string }
    | { readonly workload: string; readonly container?: string; readonly env: string; readonly namespace?: string };
}

/** Where a request goes. `via` reaches into the cluster without a route of our own. */
export interface HttpTarget {
  /** Path with query when `via` is given (`/health`), else an absolute URL. */
  readonly url: string;
  readonly via?:
    | { readonly service: string; readonly port: number | string; readonly namespace?: string }
    /** Sent to the address in the Ingress' status, with the Host of its first rule unless `host` is given. */
    | { readonly ingress: string; readonly namespace?: string; readonly host?: string };
}

export interface HookSetting {
  readonly name: string;
  /** The hook runs while the run goes into this phase. */
  readonly phase: Phase;
  readonly scopes?: readonly NamedScope[];
  /** Milliseconds. @default 30_000 */
  readonly timeoutMs: number;
  /** `halt`: the phase fails. `warn`: reported, the run goes on. @default 'halt' */
  readonly onError: 'halt' | 'warn';
  readonly action: HookAction;
  /** Takes the action back, when the run goes back. */
  readonly reverse?: HookAction;
}

export type HookAction =
  | {
      readonly kind: 'http';
      readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
      readonly target: HttpTarget;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      readonly accept: readonly number[];
    }
  | { readonly kind: 'command'; readonly command: readonly string[]; readonly env?: Readonly<Record<string, string>> }
  | { readonly kind: 'restart'; readonly workloads: readonly string[] }
  /** Slack-compatible incoming webhook; the URL itself is a secret. */
  | { readonly kind: 'announce'; readonly webhook: KeySource; readonly channel?: string; readonly text: string }
  /** GitHub-compatible issue API. */
  | {
      readonly kind: 'ticket';
      readonly api: string;
      readonly repository: string;
      readonly token: KeySource;
      readonly title: string;
      readonly body: string;
      readonly labels: readonly string[];
    };

/** A user-facing route. One GET each interval, sent whether or not the earlier ones were answered. */
export interface ProbeSetting {
  readonly name: string;
  readonly target: HttpTarget;
  /** Status codes that count as up. */
  readonly accept: readonly number[];
  /** Milliseconds between requests. @default 500 */
  readonly intervalMs: number;
  /** Milliseconds; an answer that takes longer counts as down. @default 2_000 */
  readonly timeoutMs: number;
}

export type CheckSetting = {
  readonly name: string;
  /** `before`: also asked before the run (and at capture); every check is asked after. */
  readonly when: readonly ('capture' | 'before' | 'after')[];
  readonly scopes?: readonly NamedScope[];
  /** Asked only while a flag has this value, such as docling 503 while the backend is mineru. */
  readonly onlyIf?: { readonly flag: string; readonly is: string };
  /** Milliseconds for the whole check. @default 30_000 */
  readonly timeoutMs: number;
} & (
  | { readonly kind: 'http'; readonly target: HttpTarget; readonly accept: readonly number[] }
  | {
      readonly kind: 'performance';
      readonly target: HttpTarget;
      readonly accept: readonly number[];
      readonly count: number;
      /** Requests a second, open loop: latency counts from the intended start. */
      readonly rate: number;
      readonly averageMs: number;
      readonly p95Ms: number;
      readonly maxMs: number;
    }
  /** observedGeneration, updated and available replicas, no pods of an older template. Empty: every workload in scope. */
  | { readonly kind: 'rollout'; readonly workloads: readonly string[] }
  | {
      readonly kind: 'canary';
      readonly target: HttpTarget;
      /** PDF (or other) files sent as the body; paths relative to the stack file. */
      readonly documents: readonly { readonly file: string; readonly recorded: string }[];
      readonly contentType: string;
      /** Which backend must have answered, from the answer's `backend` field. */
      readonly backend?: string;
      /** Similarity to the recorded text, 0 to 1. */
      readonly minSimilarity: number;
    }
);
