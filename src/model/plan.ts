import type { Digest, Json } from './json.ts';
import type { KubeObject, ObjectKey, ObjectRef } from './object.ts';
import type { Phase, Scope } from './phase.ts';
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
}

export type StepAction =
  | { readonly kind: 'lease' }
  | { readonly kind: 'hook'; readonly hook: HookSetting }
  | { readonly kind: 'snapshot-before' }
  | { readonly kind: 'pause-rollouts'; readonly workloads: readonly ObjectKey[] }
  /** Takes `pause-rollouts` back: as its reverse, and as a step of the phase `resumed`. */
  | { readonly kind: 'resume-rollouts'; readonly workloads: readonly ObjectKey[] }
  | { readonly kind: 'apply' }
  | { readonly kind: 'prune'; readonly objects: readonly ObjectKey[] }
  | { readonly kind: 'prove-equal' }
  | { readonly kind: 'checks'; readonly when: 'before' | 'after'; readonly names: readonly string[] }
  | { readonly kind: 'confirm-context' }
  | { readonly kind: 'record-after' };

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
  readonly reason?: string;
  readonly incident?: string;
}
