import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { KubeObject, ObjectRef } from '../../model/index.ts';
import type { Clock, Cluster, HeldLock, Lock, LockHolder } from '../../ports/index.ts';
import { isDead, type ProcessMark, thisProcess } from './process-mark.ts';

export interface LeaseOptions {
  /** Where the Lease is kept: the stack's first namespace. */
  readonly namespace: string;
  readonly clock: Clock;
  /** A holder that does not renew for so long is taken for dead. At least 1000. @default 30_000 */
  readonly durationMs?: number;
}

interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number;
}

/** Who holds, as far as others need to know; beside `holderIdentity`, which is the run's id. */
const HOLDER = 'backstay.dev/holder';
/** Which process holds, so that its death shows on its own machine without waiting. */
const PROCESS = 'backstay.dev/process';
const DEFAULT_DURATION_MS = 30_000;
/** Renewals in the time after which others take over. */
const RENEWALS = 3;

/**
 * A coordination.k8s.io Lease a stack, `backstay-STACK`, changed only with the resourceVersion that was read. Whether a
 * holder is dead is judged by seeing its Lease unchanged for the holder's own duration on our clock, so that clocks of
 * machines need not agree; `acquire` therefore waits that long, once, before it takes over, and until the next renewal before
 * it gives up. Only a holder on this machine whose process is gone is known to be dead at once.
 */
export function createLeaseLock(cluster: Cluster, options: LeaseOptions): Lock {
  return { acquire: (stack, holder) => acquire(cluster, options, stack, holder) };
}

async function acquire(cluster: Cluster, options: LeaseOptions, stack: string, holder: LockHolder): Promise<HeldLock> {
  const durationMs = options.durationMs ?? DEFAULT_DURATION_MS;
  const ref: ObjectRef = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: options.namespace,
    name: `backstay-${stack}`,
  };
  // Twice: somebody else may win the first race, and then it is their Lease that is read.
  for (let attempt = 1; ; attempt += 1) {
    const present = await cluster.get(ref);
    const spec = (present?.['spec'] ?? {}) as LeaseSpec;
    const free = present === undefined || (spec.holderIdentity ?? '') === '';
    if (!free && !(await isAbandoned(cluster, ref, present, spec, options.clock)))
      throw held(stack, present, spec, options.clock);
    try {
      const token = (spec.leaseTransitions ?? 0) + 1;
      const lease = leaseOf(ref, holder, { durationMs, token, now: options.clock.now(), mark: await thisProcess() });
      const taken =
        present === undefined
          ? await cluster.create(lease)
          : await cluster.replace({
              ...lease,
              metadata: { ...lease.metadata, ...identityOf(present) },
            });
      return new Held(cluster, options.clock, { ref, stack, holder, durationMs, token }, taken);
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED') || attempt === 2) {
        if (isBackstayError(error, 'OBJECT_MOVED')) throw held(stack, undefined, {}, options.clock);
        throw error;
      }
    }
  }
}

/** Watches the Lease for its holder's duration; a renewal or release answers at once. */
async function isAbandoned(
  cluster: Cluster,
  ref: ObjectRef,
  present: KubeObject,
  spec: LeaseSpec,
  clock: Clock,
): Promise<boolean> {
  if (isDead(await thisProcess(), processOf(present))) return true;
  const kind = await cluster.kindOf(ref.apiVersion, ref.kind);
  if (kind === undefined) return false;
  const stop = new AbortController();
  const deadline = clock.delay((spec.leaseDurationSeconds ?? DEFAULT_DURATION_MS / 1000) * 1000, stop.signal).then(
    () => stop.abort(),
    () => undefined,
  );
  try {
    const where = ref.namespace === undefined ? {} : { namespace: ref.namespace };
    for await (const event of cluster.watch(kind, { ...where, name: ref.name, signal: stop.signal })) {
      if (event.type === 'synced') continue;
      if (event.type === 'deleted') return true;
      const now = (event.object['spec'] ?? {}) as LeaseSpec;
      if ((now.holderIdentity ?? '') === '') return true;
      if (event.object.metadata.resourceVersion !== present.metadata.resourceVersion) return false;
    }
    return true;
  } finally {
    stop.abort();
    await deadline;
  }
}

function held(stack: string, present: KubeObject | undefined, spec: LeaseSpec, clock: Clock): BackstayError {
  const holder = holderOf(present);
  const who =
    holder === undefined
      ? (spec.holderIdentity ?? 'Another run')
      : `Run ${holder.run} of ${holder.user} on ${holder.host}`;
  const since = spec.acquireTime === undefined || spec.acquireTime === null ? Number.NaN : Date.parse(spec.acquireTime);
  const age = Number.isNaN(since) ? '' : `, since ${Math.max(0, Math.round((clock.now() - since) / 1000))} s`;
  return new BackstayError('LEASE_HELD', `${who} holds stack ${stack}${age}.`, {
    details: { stack, ...holder, acquiredAt: spec.acquireTime },
  });
}

function annotationOf<T>(lease: KubeObject | undefined, name: string): Partial<T> | undefined {
  const text = lease?.metadata.annotations?.[name];
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Written by somebody else's hand: as good as absent.
    return undefined;
  }
}

function holderOf(lease: KubeObject | undefined): LockHolder | undefined {
  const found = annotationOf<LockHolder>(lease, HOLDER);
  if (found === undefined) return undefined;
  const { run = '', journal = '', user = '', host = '' } = found;
  return { run, journal, user, host };
}

const processOf = (lease: KubeObject | undefined): Partial<ProcessMark> | undefined =>
  annotationOf<ProcessMark>(lease, PROCESS);

/** What a write must find: the version that was read, of this very Lease, for the server makes a missing one anew. */
function identityOf({ metadata }: KubeObject): Pick<KubeObject['metadata'], 'uid' | 'resourceVersion'> {
  return { uid: metadata.uid ?? '', resourceVersion: metadata.resourceVersion ?? '' };
}

interface Terms {
  readonly durationMs: number;
  readonly token: number;
  readonly now: number;
  readonly mark: ProcessMark;
  readonly acquiredAt?: string | undefined;
}

function leaseOf(ref: ObjectRef, holder: LockHolder, { durationMs, token, now, mark, acquiredAt }: Terms): KubeObject {
  // Kubernetes writes these times with microseconds.
  const time = new Date(now).toISOString().replace(/Z$/, '000Z');
  const namespace = ref.namespace === undefined ? {} : { namespace: ref.namespace };
  return {
    apiVersion: ref.apiVersion,
    kind: ref.kind,
    metadata: {
      ...namespace,
      name: ref.name,
      labels: { 'app.kubernetes.io/name': 'backstay' },
      annotations: { [HOLDER]: JSON.stringify(holder), [PROCESS]: JSON.stringify(mark) },
    },
    spec: {
      holderIdentity: holder.run,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: acquiredAt ?? time,
      renewTime: time,
      leaseTransitions: token,
    },
  };
}

interface Claim {
  readonly ref: ObjectRef;
  readonly stack: string;
  readonly holder: LockHolder;
  readonly durationMs: number;
  readonly token: number;
}

class Held implements HeldLock {
  readonly token: number;
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #claim: Claim;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #renewing: Promise<void>;
  readonly #acquiredAt: string | undefined;
  #lease: KubeObject;
  /** Monotonic time of the last write that the server took. */
  #renewedAt: number;

  constructor(cluster: Cluster, clock: Clock, claim: Claim, lease: KubeObject) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#claim = claim;
    this.#lease = lease;
    this.#acquiredAt = (lease['spec'] as LeaseSpec).acquireTime ?? undefined;
    this.#renewedAt = clock.monotonic();
    this.token = claim.token;
    this.#renewing = this.#renew();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async assertHeld(): Promise<void> {
    if (!this.#lost.signal.aborted) {
      const present = await this.#cluster.get(this.#claim.ref);
      if (!this.#isOurs(present)) this.#lose('somebody else holds it now');
      else this.#expire();
    }
    this.#lost.signal.throwIfAborted();
  }

  async release(): Promise<void> {
    this.#stop.abort();
    await this.#renewing;
    if (this.#lost.signal.aborted) return;
    const { spec, metadata } = this.#lease as unknown as { spec: LeaseSpec; metadata: KubeObject['metadata'] };
    // Kept with no holder, not deleted: the next token must be greater than this one.
    const freed = {
      ...this.#lease,
      metadata,
      spec: { ...spec, holderIdentity: '', acquireTime: null, renewTime: null },
    };
    try {
      await this.#cluster.replace(freed);
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED')) throw error;
    }
  }

  async #renew(): Promise<void> {
    const { durationMs, ref, holder, token } = this.#claim;
    while (!this.#stop.signal.aborted && !this.#lost.signal.aborted) {
      try {
        await this.#clock.delay(durationMs / RENEWALS / 1.5, this.#stop.signal);
      } catch {
        return;
      }
      const begun = this.#clock.monotonic();
      try {
        const fresh = leaseOf(ref, holder, {
          durationMs,
          token,
          now: this.#clock.now(),
          mark: await thisProcess(),
          acquiredAt: this.#acquiredAt,
        });
        this.#lease = await this.#cluster.replace({
          ...fresh,
          metadata: { ...fresh.metadata, ...identityOf(this.#lease) },
        });
        this.#renewedAt = begun;
      } catch (error) {
        if (isBackstayError(error, 'OBJECT_MOVED')) await this.#reread();
        this.#expire();
      }
    }
  }

  /** A write of ours whose answer was lost looks like somebody else's: look before giving up. */
  async #reread(): Promise<void> {
    try {
      const present = await this.#cluster.get(this.#claim.ref);
      if (present !== undefined && this.#isOurs(present)) this.#lease = present;
      else this.#lose('somebody else holds it now');
    } catch {
      // Not reachable: the next renewal tries again, until the duration has passed.
    }
  }

  #isOurs(present: KubeObject | undefined): boolean {
    const spec = present?.['spec'] as LeaseSpec | undefined;
    return spec?.holderIdentity === this.#claim.holder.run && spec.leaseTransitions === this.#claim.token;
  }

  #expire(): void {
    if (this.#clock.monotonic() - this.#renewedAt >= this.#claim.durationMs)
      this.#lose('it could not be renewed in time');
  }

  #lose(why: string): void {
    const { stack, holder } = this.#claim;
    this.#stop.abort();
    this.#lost.abort(
      new BackstayError('LEASE_LOST', `Run ${holder.run} lost stack ${stack}: ${why}.`, {
        next: `Run \`backstay resume ${holder.run}\`.`,
        details: { stack, run: holder.run },
      }),
    );
  }
}
