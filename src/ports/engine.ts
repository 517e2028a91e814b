import type { JsonObject, KubeObject, ObjectKey } from '../model/index.ts';

/**
 * Carries a set of objects into the cluster through the Pulumi engine. The engine's state is a disposable index.
 * Errors: ENGINE_FAILED (with what failed, object by object), TOOL_MISSING.
 */
export interface Engine {
  preview(update: EngineUpdate): Promise<EngineResult>;
  up(update: EngineUpdate): Promise<EngineResult>;
}

/** Somebody who holds the stack in the engine's own backend. */
export interface StateLock {
  /** `anna@laptop (process 123)`. */
  readonly who: string;
  readonly since?: string;
}

export interface EngineUpdate {
  /** The objects to register, with real Secret values. Registered in dependency order. */
  readonly objects: readonly KubeObject[];
  /** Each of these is touched once the one before is done and ready. Absent: only what they depend on comes first. */
  readonly order?: readonly ObjectKey[];
  /**
   * What the in-process provider may do. An object that is registered but not permitted is neither changed nor deleted,
   * whatever it looks like: this is how a scope and an approved plan bind.
   */
  readonly permit: Permit;
  readonly onProgress: (progress: EngineProgress) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds to wait for each object to become ready. 0: do not wait. */
  readonly readyTimeoutMs: number;
}

export interface Permit {
  readonly create: ReadonlySet<ObjectKey>;
  readonly update: ReadonlySet<ObjectKey>;
  /** Delete and create again: an immutable field changes. */
  readonly replace: ReadonlySet<ObjectKey>;
  readonly delete: ReadonlyMap<ObjectKey, { readonly uid?: string; readonly resourceVersion?: string }>;
  /** Observed versions: a write whose object has moved since is refused with OBJECT_MOVED. */
  readonly observed: ReadonlyMap<ObjectKey, string>;
  /** Field managers (beside kubectl, Helm and Pulumi) whose fields may be taken over. */
  readonly takeFrom: readonly string[];
}

export interface EngineProgress {
  readonly key: ObjectKey;
  readonly state: 'creating' | 'updating' | 'deleting' | 'waiting' | 'ready' | 'done' | 'failed';
  readonly message: string;
}

export interface EngineResult {
  readonly created: readonly ObjectKey[];
  readonly updated: readonly ObjectKey[];
  readonly deleted: readonly ObjectKey[];
  readonly unchanged: readonly ObjectKey[];
  readonly failed: readonly { readonly key: ObjectKey; readonly message: string }[];
  /** Milliseconds: process start to summary, and the whole call. For the report of where time goes. */
  readonly timings: { readonly updateMs: number; readonly totalMs: number; readonly waitingMs: number };
  readonly details: JsonObject;
}
