import type { Person } from '../journal/index.ts';
import type {
  CheckResult,
  Digest,
  EvidenceLimits,
  EvidenceManifest,
  ForeignField,
  HookSetting,
  HttpTarget,
  Json,
  KubeObject,
  ObjectKey,
  Plan,
  Scope,
  Stack,
  Verdict,
} from '../model/index.ts';
import type {
  Clock,
  Cluster,
  DataStore,
  Engine,
  HttpAnswer,
  JournalStore,
  Lock,
  Migrations,
  Reporter,
  SecretHasher,
  SnapshotStore,
} from '../ports/index.ts';

/** What a run is given. Ports, and the few things that live beside it in the layout and are wired in by actions/. */
export interface RunDeps {
  readonly stack: Stack;
  readonly by: Person;
  readonly journal: JournalStore;
  /** Where the journal lies, told to whoever finds the lease held. */
  readonly journalName: string;
  readonly lock: Pick<Lock, 'acquire'>;
  readonly cluster: Cluster;
  readonly engine: Engine;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  /** Those that the stack file declares. */
  readonly dataStores: () => Promise<readonly DataStore[]>;
  /** Of those that say how they are migrated. Absent: none does. */
  readonly migrations?: () => Promise<readonly Migrations[]>;
  readonly reporter: Reporter;
  readonly capture: (request: CaptureRequest) => Promise<Captured>;
  readonly collectEvidence: (request: CollectRequest) => Promise<Collected>;
  readonly observe: (plan: Plan) => Promise<Observation>;
  /**
   * What lies between live and a stored snapshot, in the plan's scope, exact to the last field. Throws the refusals of
   * planning and the store's errors.
   */
  readonly compareWith: (plan: Plan, snapshot: Digest, signal?: AbortSignal) => Promise<Between>;
  /** The objects as the API server would store them over what is live now, by dry runs; none of them a Secret. */
  readonly defaulted: (
    objects: readonly KubeObject[],
    seen: Pick<Observation, 'live'> & { readonly foreign: readonly ForeignField[] },
  ) => Promise<readonly KubeObject[]>;
  readonly runHook: (hook: HookSetting, request: HookRequest) => Promise<HookDone>;
  readonly runChecks: (request: ChecksRequest) => Promise<readonly CheckResult[]>;
  readonly ask: (target: HttpTarget, options: AskOptions) => Promise<HttpAnswer>;
  /** Where a target is, so that it can be asked again and again. @throws TARGET_UNRESOLVED, and what the cluster throws */
  readonly find: (target: HttpTarget) => Promise<FoundTarget>;
}

export interface CaptureRequest {
  readonly reason: 'before-run' | 'after-run';
  readonly run: string;
  /** What was measured, for the record's verdict. */
  readonly checks: readonly CheckResult[];
  readonly note: string;
  readonly signal?: AbortSignal;
}

export interface Captured {
  readonly id: Digest;
  readonly verdict: Verdict;
  /** What could not be recorded, in words. */
  readonly warnings?: readonly string[];
}

export interface CollectRequest {
  readonly run: string;
  readonly plan: Plan;
  readonly limits: EvidenceLimits;
  readonly signal: AbortSignal;
}

export interface Collected {
  readonly path: string;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly manifest: EvidenceManifest;
  /** Of the archive. */
  readonly bytes: number;
}

/** One look at the live objects in the plan's scope. */
export interface Observation {
  /** With Secret values hashed and everything else as the server sent it, so that uid and resourceVersion are there. */
  readonly live: ReadonlyMap<ObjectKey, KubeObject>;
  /** Where live is not what the plan saw. Empty: nothing was changed since. */
  readonly moved: readonly Moved[];
}

/** The transition from live to a snapshot, as a plan holds it. */
export interface Between extends Pick<Plan, 'changes' | 'desired' | 'live' | 'warnings'> {
  readonly foreign: readonly ForeignField[];
}

/** A live object that is not what the plan saw: changed, gone, or new. */
export interface Moved {
  readonly key: ObjectKey;
  /** In one line: what differs. */
  readonly what: string;
}

export interface HookRequest {
  readonly run: string;
  readonly attempt: number;
  /** For `{{placeholders}}`. */
  readonly values: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HookDone {
  readonly message: string;
  readonly result: Json;
}

export interface ChecksRequest {
  readonly when: 'before' | 'after' | 'named';
  /** Checks of other scopes are not asked. */
  readonly scope?: Scope;
  readonly names: readonly string[];
  readonly onResult: (result: CheckResult) => void;
  readonly signal: AbortSignal;
}

export interface FoundTarget {
  /** For messages; never with a query. */
  readonly name: string;
  /** @throws ENDPOINT_UNREACHABLE, TIMEOUT: it was asked and did not answer */
  request(options: AskOptions): Promise<HttpAnswer>;
}

export interface AskOptions {
  readonly method: string;
  /** Added to the target's own path. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}
