import type { KubeObject, ObjectKey } from '../../model/index.ts';
import type { ForeignField } from '../../model/index.ts';
import type { Cluster, EngineProgress, Permit } from '../../ports/index.ts';
import type { EngineLog } from '../engine-log.ts';

/** What became of one object in one run of the engine: the provider's own word, whatever Pulumi calls the step. */
export interface Outcome {
  readonly action: 'created' | 'updated' | 'replaced' | 'deleted' | 'unchanged' | 'kept' | 'failed';
  /** Field managers whose fields were taken over. */
  readonly takenFrom: readonly string[];
  /** Milliseconds spent waiting for readiness or for it to be gone. */
  readonly waitedMs: number;
  readonly error?: unknown;
}

export interface SessionOptions {
  readonly cluster: Cluster;
  /** Undefined, as for plain `pulumi up`: everything but deleting what holds data or other objects. */
  readonly permit?: Permit | undefined;
  readonly foreign: readonly ForeignField[];
  /** 0: do not wait. */
  readonly readyTimeoutMs: number;
  readonly onProgress: (progress: EngineProgress) => void;
  readonly log: EngineLog;
}

/** One run of the engine, preview or update. */
export class Session {
  readonly options: SessionOptions;
  /** Every object that the program registered, and under which URN. */
  readonly registered = new Map<ObjectKey, string>();
  readonly outcomes = new Map<ObjectKey, Outcome>();
  /** Objects that the engine is told to replace, and how they were live: recreation reuses their addresses. */
  readonly replacing = new Map<ObjectKey, KubeObject>();

  constructor(options: SessionOptions) {
    this.options = options;
  }

  get cluster(): Cluster {
    return this.options.cluster;
  }

  may(key: ObjectKey, action: 'create' | 'update' | 'replace'): boolean {
    const { permit } = this.options;
    if (permit === undefined) return action !== 'replace' || !isProtected(key);
    // What was deleted behind the plan's back is made again; what appeared is brought to the target.
    const planned = permit.create.has(key) || permit.update.has(key) || permit.replace.has(key);
    return action === 'replace' ? permit.replace.has(key) : planned;
  }

  note(key: ObjectKey, outcome: Partial<Outcome> & Pick<Outcome, 'action'>): void {
    const before = this.outcomes.get(key);
    const replaced = before?.action === 'replaced' && outcome.action !== 'failed';
    this.outcomes.set(key, {
      takenFrom: [...(before?.takenFrom ?? []), ...(outcome.takenFrom ?? [])],
      waitedMs: (before?.waitedMs ?? 0) + (outcome.waitedMs ?? 0),
      ...(outcome.error === undefined ? {} : { error: outcome.error }),
      action: replaced ? 'replaced' : outcome.action,
    });
  }

  progress(key: ObjectKey, urn: string, state: EngineProgress['state'], message: string): void {
    this.options.onProgress({ key, state, message });
    this.options.log.say(urn, 'info', message, { status: true });
  }

  warn(urn: string, message: string): void {
    this.options.log.say(urn, 'warning', message);
  }
}

/** Kinds that hold data or other objects: never deleted unless a plan names the object. */
export function isProtected(key: ObjectKey): boolean {
  return /^(core\/(PersistentVolumeClaim|PersistentVolume|Namespace)|apiextensions\.k8s\.io\/CustomResourceDefinition)\//.test(
    key,
  );
}
