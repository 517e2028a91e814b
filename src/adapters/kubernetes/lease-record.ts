import type { KubeObject, ObjectRef } from '../../model/index.ts';
import type { LockHolder, UnfinishedRun } from '../../ports/index.ts';
import type { ProcessMark } from './process-mark.ts';

/** Who holds, as far as others need to know; beside `holderIdentity`, which is the run's id. Stays after a release. */
const HOLDER = 'backstay.dev/holder';
/** Which process holds, so that its death shows on its own machine without waiting. */
const PROCESS = 'backstay.dev/process';
/** The run that gave the Lease back with something left to do. */
const UNFINISHED = 'backstay.dev/unfinished';

interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number;
}

/** What a Lease says. */
export interface LeaseRecord {
  /** The run that holds it; undefined when it is free. */
  readonly run?: string;
  /** The last holder, also of a Lease that is free. */
  readonly holder?: LockHolder;
  readonly process?: Partial<ProcessMark>;
  /** 0 before the first holder. */
  readonly token: number;
  readonly durationMs?: number;
  /** ISO 8601. */
  readonly acquiredAt?: string;
  readonly renewedAt?: string;
  readonly marked?: UnfinishedRun;
}

export function recordOf(lease: KubeObject | undefined): LeaseRecord {
  if (lease === undefined) return { token: 0 };
  const spec = (lease['spec'] ?? {}) as LeaseSpec;
  const run = spec.holderIdentity ?? '';
  const told = annotationOf<LockHolder>(lease, HOLDER);
  // Whoever wrote the Lease by hand named a holder and nothing else.
  const holder = run !== '' && told?.run !== run ? holderOf({ run }) : holderOf(told);
  const process = annotationOf<ProcessMark>(lease, PROCESS);
  const marked = annotationOf<UnfinishedRun>(lease, UNFINISHED);
  return {
    token: spec.leaseTransitions ?? 0,
    ...(run === '' ? {} : { run }),
    ...(holder === undefined ? {} : { holder }),
    ...(process === undefined ? {} : { process }),
    ...(spec.leaseDurationSeconds === undefined ? {} : { durationMs: spec.leaseDurationSeconds * 1000 }),
    ...(typeof spec.acquireTime === 'string' ? { acquiredAt: spec.acquireTime } : {}),
    ...(typeof spec.renewTime === 'string' ? { renewedAt: spec.renewTime } : {}),
    ...unfinishedOf(marked),
  };
}

/**
 * The run that has something left to do if its holder is gone. A holder beside a mark had not begun: it takes the mark off
 * with its first write.
 */
export function leftBy({ run, holder, marked, renewedAt = '' }: LeaseRecord): UnfinishedRun | undefined {
  if (marked !== undefined) return marked;
  return run === undefined || holder === undefined ? undefined : { ...holder, since: renewedAt };
}

function unfinishedOf(found: Partial<UnfinishedRun> | undefined): Pick<LeaseRecord, 'marked'> {
  const holder = holderOf(found);
  return holder === undefined ? {} : { marked: { ...holder, since: found?.since ?? '' } };
}

function holderOf(found: Partial<LockHolder> | undefined): LockHolder | undefined {
  if (found?.run === undefined) return undefined;
  const { run, journal = '', user = '', host = '', phase } = found;
  return { run, journal, user, host, ...(phase === undefined ? {} : { phase }) };
}

function annotationOf<T>(lease: KubeObject, name: string): Partial<T> | undefined {
  try {
    const value: unknown = JSON.parse(lease.metadata.annotations?.[name] ?? 'null');
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Written by somebody else's hand: as good as absent.
    return undefined;
  }
}

export interface LeaseContent {
  readonly holder: LockHolder;
  readonly mark: ProcessMark;
  readonly token: number;
  readonly durationMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** @default now */
  readonly acquiredAt?: string | undefined;
}

export function heldLease(ref: ObjectRef, content: LeaseContent): KubeObject {
  const { holder, mark, token, durationMs, now, acquiredAt } = content;
  return leaseOf(
    ref,
    { [HOLDER]: JSON.stringify(holder), [PROCESS]: JSON.stringify(mark) },
    {
      holderIdentity: holder.run,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: acquiredAt ?? timeOf(now),
      renewTime: timeOf(now),
      leaseTransitions: token,
    },
  );
}

/** Kept with no holder, not deleted: the next token must be greater than this one. */
export function freeLease(ref: ObjectRef, content: LeaseContent, unfinished: boolean): KubeObject {
  const { holder, token, durationMs, now } = content;
  const left: UnfinishedRun = { ...holder, since: new Date(now).toISOString() };
  return leaseOf(
    ref,
    { [HOLDER]: JSON.stringify(holder), ...(unfinished ? { [UNFINISHED]: JSON.stringify(left) } : {}) },
    {
      holderIdentity: '',
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: null,
      renewTime: null,
      leaseTransitions: token,
    },
  );
}

function leaseOf(ref: ObjectRef, annotations: Record<string, string>, spec: Required<LeaseSpec>): KubeObject {
  return {
    apiVersion: ref.apiVersion,
    kind: ref.kind,
    metadata: {
      ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
      name: ref.name,
      labels: { 'app.kubernetes.io/name': 'backstay' },
      annotations,
    },
    spec: { ...spec },
  };
}

/** The lease as a write of ours must find it: that very object, in the version that was read. */
export function over(present: KubeObject, lease: KubeObject): KubeObject {
  const { uid = '', resourceVersion = '' } = present.metadata;
  return { ...lease, metadata: { ...lease.metadata, uid, resourceVersion } };
}

/** Kubernetes writes these times with microseconds. */
function timeOf(now: number): string {
  return new Date(now).toISOString().replace(/Z$/, '000Z');
}
