import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { KubeObject, ObjectRef } from '../../model/index.ts';
import type { Clock, HeldLock, Lock, LockHolder, LockSight, UnfinishedRun } from '../../ports/index.ts';
import { HeldLease, type LeaseCluster } from './lease-held.ts';
import { heldLease, type LeaseRecord, leftBy, over, recordOf } from './lease-record.ts';
import { isDead, processMark } from './process-mark.ts';

export interface LeaseOptions {
  /** Where the Lease is kept: a namespace that exists before the stack's own do. */
  readonly namespace: string;
  readonly clock: Clock;
  /** A holder that does not renew for so long is taken for dead. At least 1000, rounded up to seconds. @default 30_000 */
  readonly durationMs?: number;
  /** Name of this machine; processes of machines with different names never judge each other dead. @default '' */
  readonly host?: string;
}

const DEFAULT_DURATION_MS = 30_000;
/** Somebody else may win the first race, or let go while we wait; then it is their Lease that is read. */
const ATTEMPTS = 3;

/**
 * A coordination.k8s.io Lease a stack, `backstay-STACK`, changed only with the resourceVersion that was read. Whether a
 * holder is dead is judged by seeing its Lease unchanged for the holder's own duration on our clock, so that clocks of
 * machines need not agree; `acquire` therefore waits that long, once, before it takes over, and until the next renewal before
 * it gives up. Only a holder on this machine whose process is gone is known to be dead at once.
 */
export function createLeaseLock(cluster: LeaseCluster, options: LeaseOptions): Lock {
  const refOf = (stack: string): ObjectRef => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: options.namespace,
    name: `backstay-${stack}`,
  });
  return {
    acquire: async (stack, holder, admit) => {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
        const taken = await tryOnce(cluster, options, { ref: refOf(stack), stack, holder, admit });
        if (taken !== undefined) return taken;
      }
      const present = await cluster.get(refOf(stack));
      throw held(stack, recordOf(present), options.clock);
    },
    look: async (stack) => await sightOf(recordOf(await cluster.get(refOf(stack))), options),
  };
}

interface Request {
  readonly ref: ObjectRef;
  readonly stack: string;
  readonly holder: LockHolder;
  readonly admit: ((left: UnfinishedRun) => Promise<void>) | undefined;
}

/** Undefined: the Lease changed under our hands. */
async function tryOnce(cluster: LeaseCluster, options: LeaseOptions, request: Request): Promise<HeldLock | undefined> {
  const { ref, stack, holder, admit } = request;
  const { clock, durationMs: wanted = DEFAULT_DURATION_MS, host } = options;
  // Others read whole seconds from the Lease, and both sides must mean the same time.
  const durationMs = Math.ceil(wanted / 1000) * 1000;
  const present = await cluster.get(ref);
  const record = recordOf(present);
  const mark = await processMark(host);
  const gone = await howGone(cluster, options, request, present, record);
  if (gone === 'at work') throw held(stack, record, clock);
  if (gone === 'changed') return undefined;
  const left = leftBy(record);
  if (left !== undefined && left.run !== holder.run) await admit?.(left);
  const token = record.token + 1;
  const takeover = record.holder === undefined ? undefined : { from: record.holder, reason: gone };
  const lease = heldLease(ref, { holder, mark, token, durationMs, now: clock.now() });
  try {
    const taken = present === undefined ? await cluster.create(lease) : await cluster.replace(over(present, lease));
    return new HeldLease(cluster, clock, { ref, stack, holder, mark, durationMs, token, takeover }, taken);
  } catch (error) {
    if (isBackstayError(error, 'OBJECT_MOVED')) return undefined;
    throw error;
  }
}

/** Why the Lease may be taken; `at work` when it may not, `changed` when it is another one than was read. */
async function howGone(
  cluster: LeaseCluster,
  { clock, host }: LeaseOptions,
  { ref }: Request,
  present: KubeObject | undefined,
  record: LeaseRecord,
): Promise<string> {
  if (present === undefined || record.run === undefined) return 'released';
  if (isDead(await processMark(host), record.process)) return 'process gone';
  const durationMs = record.durationMs ?? DEFAULT_DURATION_MS;
  switch (await watched(cluster, ref, present, durationMs, clock)) {
    case 'silent':
      return `not renewed for ${durationMs / 1000} s`;
    case 'renewed':
      return 'at work';
    case 'freed':
      return 'changed';
  }
}

/** Watches the Lease for its holder's duration; a renewal or release answers at once. */
async function watched(
  cluster: LeaseCluster,
  ref: ObjectRef,
  present: KubeObject,
  durationMs: number,
  clock: Clock,
): Promise<'silent' | 'renewed' | 'freed'> {
  const kind = await cluster.kindOf(ref.apiVersion, ref.kind);
  if (kind === undefined) return 'renewed';
  const stop = new AbortController();
  const deadline = clock.delay(durationMs, stop.signal).then(
    () => stop.abort(),
    () => undefined,
  );
  try {
    const where = ref.namespace === undefined ? {} : { namespace: ref.namespace };
    for await (const event of cluster.watch(kind, { ...where, name: ref.name, signal: stop.signal })) {
      if (event.type === 'synced') continue;
      if (event.type === 'deleted' || recordOf(event.object).run === undefined) return 'freed';
      if (event.object.metadata.resourceVersion !== present.metadata.resourceVersion) return 'renewed';
    }
    return 'silent';
  } finally {
    stop.abort();
    await deadline;
  }
}

async function sightOf(record: LeaseRecord, { host }: LeaseOptions): Promise<LockSight> {
  const { run, holder, process, acquiredAt = '' } = record;
  const isGone = run === undefined || isDead(await processMark(host), process);
  const unfinished = isGone ? leftBy(record) : record.marked;
  return {
    ...(run === undefined || holder === undefined ? {} : { holder: { ...holder, since: acquiredAt } }),
    ...(unfinished === undefined ? {} : { unfinished }),
  };
}

function held(stack: string, { holder, acquiredAt }: LeaseRecord, clock: Clock): BackstayError {
  const { run = 'another one', user = '', host = '', journal = '', phase } = holder ?? {};
  const seconds = Math.max(0, Math.round((clock.now() - Date.parse(acquiredAt ?? '')) / 1000));
  const facts = [
    ...(Number.isNaN(seconds) ? [] : [`since ${seconds} s`]),
    ...(phase === undefined ? [] : [`in phase ${phase}`]),
    ...(journal === '' ? [] : [`journal ${journal}`]),
  ];
  const who = user === '' && host === '' ? `Run ${run}` : `Run ${run} of ${user} on ${host}`;
  return new BackstayError('LEASE_HELD', `${[`${who} holds stack ${stack}`, ...facts].join(', ')}.`, {
    details: { stack, ...holder, ...(acquiredAt === undefined ? {} : { acquiredAt }) },
  });
}
