import type { Digest, Json } from './json.ts';
import type { FlagPlace, MaintenanceSetting } from './maintenance.ts';
import type { KubeObject, ObjectKey, ObjectRef } from './object.ts';
import type { MigrationWay } from './migration.ts';
import type { Phase, Scope } from './phase.ts';
import type { DataOptions, StoreScenario } from './scenario.ts';
import type { ForeignField, HookSetting } from './stack.ts';

/** One field that differs. Secret values never appear: both sides are absent and `secret` is set. */
export interface FieldChange {
  /** `spec.template.spec.containers[name=gateway].image`, `data["app.yaml"]`. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before?: Json;
  readonly after?: Json;
  readonly secret?: true;
  /** For text of several lines: a unified diff of it, without headers. */
  readonly lines?: readonly string[];
}

export type ChangeAction = 'create' | 'update' | 'replace' | 'delete' | 'restart';

export interface Change {
  readonly key: ObjectKey;
  readonly ref: ObjectRef;
  readonly action: ChangeAction;
  readonly fields: readonly FieldChange[];
  /** Why, when the action does not follow from the fields: `reads configmap/x, which changes`. */
  readonly reason?: string;
  /** Preconditions of update, replace and delete: the live object as it was seen. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** The live object in captured form as it was seen, Secret values hashed; absent for create. Tells later what moved. */
  readonly live?: KubeObject;
  /** Field managers whose fields are taken over. */
  readonly takesOver: readonly string[];
}

export type Risk = 'none' | 'low' | 'medium' | 'high';

/** One thing that a run will do. Data: storable, hashable, shown before it is done. */
export interface Step {
  readonly id: string;
  readonly phase: Phase;
  readonly title: string;
  readonly action: StepAction;
  readonly reverse?: StepAction;
  readonly risk: Risk;
  readonly destructive: boolean;
  /** Milliseconds that it took in earlier runs (median), and of how many; absent where there were none. */
  readonly expected?: { readonly ms: number; readonly runs: number };
  /** What may be lost for good, in words; absent: nothing. */
  readonly dataLoss?: string;
}

export type StepAction =
  | { readonly kind: 'lease' }
  | { readonly kind: 'hook'; readonly hook: HookSetting }
  | { readonly kind: 'snapshot-before' }
  | { readonly kind: 'pause-rollouts'; readonly workloads: readonly ObjectKey[] }
  /** Takes `pause-rollouts` back: as its reverse, and as a step of the phase `resumed`. */
  | { readonly kind: 'resume-rollouts'; readonly workloads: readonly ObjectKey[] }
  /** `order`: workloads that change one after another, each once the one before is well. Absent: all at once. */
  | { readonly kind: 'apply'; readonly order?: readonly ObjectKey[] }
  | { readonly kind: 'prune'; readonly objects: readonly ObjectKey[] }
  | { readonly kind: 'prove-equal' }
  | { readonly kind: 'checks'; readonly when: 'before' | 'after'; readonly names: readonly string[] }
  | { readonly kind: 'confirm-context' }
  | { readonly kind: 'record-after' }
  /** Restores a backup beside the live data, and proves it by counting. */
  | {
      readonly kind: 'db-restore';
      readonly store: string;
      readonly backup: string;
      readonly digest: Digest;
      /** What its schema has to be, asked before the exchange; absent: not asked. */
      readonly revision?: string | null;
      /** Only the rows of these; absent: what the backup has. */
      readonly tables?: readonly string[];
    }
  | { readonly kind: 'db-drop-beside'; readonly store: string }
  /** Takes the rows of a report over into what was restored beside, and sets aside what changed. */
  | { readonly kind: 'db-keep-new'; readonly store: string; readonly report: Digest }
  /** Makes what was restored beside the live data. The former data stays until the run is finalized. */
  | { readonly kind: 'db-swap'; readonly store: string }
  /** Takes `db-swap` back: of this run, or of the one that is undone. */
  | { readonly kind: 'db-unswap'; readonly store: string; readonly run?: string }
  /** Restores over the live data, in one transaction; what was live is only in the backup that this run took before. */
  | {
      readonly kind: 'db-restore-in-place';
      readonly store: string;
      readonly backup: string;
      readonly digest: Digest;
      /** How far that backup has to be proven. */
      readonly wayBack: 'read' | 'restored';
    }
  /** Takes a backup and proves it: by a restore, or only by reading where a rehearsal restores it right after. */
  | {
      readonly kind: 'db-backup';
      readonly store: string;
      readonly prove: 'read' | 'restored';
      /** With those of other stores, while nobody writes to any of them: they are marked as such. */
      readonly together?: true;
    }
  /** Goes the way on a restored copy first, and tells what is lost; the live data is not touched. */
  | { readonly kind: 'migrate-rehearse'; readonly store: string; readonly way: MigrationWay }
  | { readonly kind: 'migrate'; readonly store: string; readonly way: MigrationWay }
  /** Takes `migrate` back: the way again in the other direction, or the backup of this run. */
  | { readonly kind: 'migrate-back'; readonly store: string; readonly way: MigrationWay }
  /** Reverse of `apply` and `prune`: one more transition, back to the *before* snapshot of the same run. */
  | { readonly kind: 'return-before' }
  /** Collects what the failing version left, within these bounds; never fails the run. */
  | { readonly kind: 'evidence'; readonly limitMs: number; readonly limitBytes: number; readonly logLines: number }
  | { readonly kind: 'suspend-autoscalers'; readonly objects: readonly ObjectRef[] }
  /** Takes `suspend-autoscalers` back: as its reverse, and as a step of the phase `resumed`. */
  | { readonly kind: 'resume-autoscalers'; readonly objects: readonly ObjectRef[] }
  /** Argo CD Applications stop putting Git's version back. They stay so after a rollback, until it is finalized or undone. */
  | { readonly kind: 'suspend-sync'; readonly applications: readonly ObjectRef[] }
  | { readonly kind: 'resume-sync'; readonly applications: readonly ObjectRef[] }
  /** Stops workloads, waits until their pods are gone and nobody is connected to the stores. */
  | { readonly kind: 'quiesce-writers'; readonly workloads: readonly ObjectRef[]; readonly stores: readonly string[] }
  /** Takes `quiesce-writers` back: as its reverse, and as a step of the phase `resumed`. */
  | { readonly kind: 'resume-writers'; readonly workloads: readonly ObjectRef[]; readonly stores: readonly string[] }
  | (MaintenanceAction & { readonly kind: 'maintenance-on' })
  /** Takes `maintenance-on` back: as its reverse, and as a step of the phase `resumed`. */
  | (MaintenanceAction & { readonly kind: 'maintenance-off' })
  /** Undo only: what the named run holds (failing version, Argo CD) is let go. */
  | { readonly kind: 'release-hold'; readonly run: string }
  /** Deletes pods that hang, without grace; by flag only. */
  | { readonly kind: 'force-pods'; readonly workloads: readonly ObjectKey[] }
  /** Takes finalizers off objects that the plan deletes and that will not go; by flag only. */
  | { readonly kind: 'force-finalizers'; readonly objects: readonly ObjectKey[] };

/** How the stack is closed for a while: which flag, where it stands, and who reads it. */
export interface MaintenanceAction {
  readonly flag: string;
  /** What holds the flag. */
  readonly object: ObjectRef;
  readonly place: FlagPlace;
  readonly on: string;
  readonly off: string;
  /** Restarted, for they read the flag when they start. */
  readonly workloads: readonly ObjectRef[];
  readonly check?: NonNullable<MaintenanceSetting['check']>;
}

/** Milliseconds of all steps that are foreseen together, and of how many runs at most; undefined where none is. */
export function expectedTotal(steps: readonly Pick<Step, 'expected'>[]): Step['expected'] {
  const known = steps.flatMap(({ expected }) => (expected === undefined ? [] : [expected]));
  if (known.length === 0) return undefined;
  return { ms: known.reduce((sum, { ms }) => sum + ms, 0), runs: Math.max(...known.map(({ runs }) => runs)) };
}

/** Frozen: the hash covers everything below but `hash` itself. What was shown is what is done. */
export interface Plan {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'Plan';
  readonly hash: Digest;
  readonly stack: string;
  readonly clusterUid: string;
  readonly createdAt: string;
  readonly scope: Scope;
  readonly target: { readonly id: Digest; readonly said: string; readonly labels: readonly string[] };
  /** Digest of the captured form of the live objects in scope, as they were seen. */
  readonly live: Digest;
  /** Fields that stay with others: the stack's, and the replicas of what an autoscaler scales. Absent: the stack's alone. */
  readonly foreign?: readonly ForeignField[];
  readonly changes: readonly Change[];
  /** The objects to register: the target's in scope, after defaulting by the API server. Secret values hashed. */
  readonly desired: readonly KubeObject[];
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
  readonly risk: Risk;
  readonly options: PlanOptions;
  /** Who has to agree before (or after) it is carried out; absent: nobody. */
  readonly approval?: ApprovalNeed;
  /** What the policy says of rolling back for this severity; shown, not enforced. */
  readonly advice?: string;
  /** Milliseconds from when the run is asked for until the policy wants it done; told when it passes, not enforced. */
  readonly deadlineMs?: number;
  /** Milliseconds after its end by which the post-mortem is due, from the policy of the severity. */
  readonly postMortemMs?: number;
  /** When the checks fail at the target: a person decides, or the run goes back to *before* by itself. Absent: `halt`. */
  readonly onInvalid?: 'halt' | 'return';
  /** The run whose effect this plan takes back. */
  readonly undoes?: string;
  /** What becomes of the data stores whose schema is not the target's, or that are forced. Absent: there are none. */
  readonly scenarios?: readonly StoreScenario[];
}

/** What the stack's policy asks for a severity, frozen into the plan. */
export interface ApprovalNeed {
  readonly severity: string;
  /** Any one of these may decide. */
  readonly roles: readonly string[];
  /** `after`: the run starts at once, and the approval is due afterwards. */
  readonly when: 'before' | 'after';
  /** How many different people must agree. */
  readonly count: number;
  /**
   * Milliseconds from the run's creation. `before`: the run must be approved and begun by then, or it never begins.
   * `after`: the approval is overdue from then on, and still taken.
   */
  readonly expiresMs: number;
  /** The policy says `before`, and this choice of the requester made it `after`: a guard taken away. */
  readonly waived?: 'emergency' | 'break-glass';
}

/** The choices of the user that change what is done; part of the hash. */
export interface PlanOptions {
  readonly emergency: boolean;
  readonly skipValidation: boolean;
  readonly validateBefore: boolean;
  readonly exactReplicas: boolean;
  readonly allowClusterMismatch: boolean;
  readonly allowUnsigned: boolean;
  readonly takeFrom: readonly string[];
  readonly deleteProtected: boolean;
  /** What is live now is the failing version: it is held afterwards, so that it is not taken for known good again. */
  readonly hold: boolean;
  /** Go on with images of which no node or pod says that they can be had. `emergency` implies it. */
  readonly allowUnknownImages: boolean;
  /** As the stack's policy names them (`SEV-1`, `critical`). */
  readonly severity?: string;
  /** Go on without the approval that the policy asks for. Needs a reason; journaled and reported. */
  readonly breakGlass?: true;
  /**
   * The cluster is not asked at all: the lease is taken in the server of this data store, and nothing is done but what the
   * data needs.
   */
  readonly databaseLease?: string;
  /** Go to a version that is held because it failed. */
  readonly allowHeld?: true;
  /** About data stores. Absent: nothing was chosen. */
  readonly data?: DataOptions;
  /** Steps that only a flag brings into a plan. */
  readonly force?: { readonly pods?: true; readonly finalizers?: true; readonly replace?: readonly string[] };
  readonly reason?: string;
  readonly incident?: string;
}
