import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLeaseLock } from '../../../src/adapters/kubernetes/lease.ts';
import { isDead, type ProcessMark, processMark } from '../../../src/adapters/kubernetes/process-mark.ts';
import type { KubeObject, ObjectRef } from '../../../src/model/index.ts';
import type { Clock, Cluster, HeldLock, LockHolder } from '../../../src/ports/index.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { lockContract } from '../../contracts/lock.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';

/** Time stands still until the test moves it. */
class HandClock implements Clock {
  time = 1_000_000;
  #waiting: { readonly until: number; readonly resolve: () => void }[] = [];
  #asked: (() => void)[] = [];

  now(): number {
    return Date.parse('2026-01-01T00:00:00Z') + this.time;
  }
  monotonic(): number {
    return this.time;
  }
  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
      if (signal?.aborted === true) reject(signal.reason as Error);
      this.#waiting.push({ until: this.time + ms, resolve });
      for (const ask of this.#asked.splice(0)) ask();
    });
  }
  /** Resolves when somebody waits. */
  async somebodyWaits(): Promise<void> {
    if (this.#waiting.length === 0) await new Promise<void>((resolve) => this.#asked.push(resolve));
  }
  pass(ms: number): void {
    this.time += ms;
    const due = this.#waiting.filter(({ until }) => until <= this.time);
    this.#waiting = this.#waiting.filter(({ until }) => until > this.time);
    for (const { resolve } of due) resolve();
  }
}

let cluster: Cluster;
let namespace: string;
const held: HeldLock[] = [];

beforeAll(async () => {
  ({ cluster } = await testCluster());
  namespace = (await testNamespace('lease')).name;
});
afterAll(async () => {
  await Promise.all(held.map((lock) => lock.release()));
  await cluster.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
});

const holder = (run: string): LockHolder => ({ run, journal: `/journal/${run}`, user: 'ada', host: 'desk' });
const stackName = (): string => `s-${randomBytes(4).toString('hex')}`;
const leaseRef = (stack: string): ObjectRef => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace,
  name: `backstay-${stack}`,
});
const lockOn = (clock: Clock) => createLeaseLock(cluster, { namespace, clock, durationMs: 9_000 });

async function acquire(clock: Clock, stack: string, run: string): Promise<HeldLock> {
  const lock = await lockOn(clock).acquire(stack, holder(run));
  held.push(lock);
  return lock;
}

/** Makes the Lease look as if another machine held it: nothing here can tell whether that holder lives. */
async function fromElsewhere(stack: string): Promise<KubeObject> {
  return await markedAs(stack, { machine: 'other', pid: 1, life: 'x' });
}

/** As if nobody held it any more who runs on this machine. */
async function isGone(stack: string): Promise<void> {
  await markedAs(stack, { ...(await processMark()), pid: 2 ** 30, life: 'gone' });
}

/** Again when a renewal came in between; from then on the holder reads its own Lease again before it renews. */
async function markedAs(stack: string, mark: ProcessMark): Promise<KubeObject> {
  return await cluster.patch(leaseRef(stack), {
    type: 'merge',
    body: { metadata: { annotations: { 'backstay.dev/process': JSON.stringify(mark) } } },
  });
}

lockContract('Kubernetes Lease', async () => ({
  lock: createLeaseLock(cluster, { namespace, clock: createSystemClock(), durationMs: 3_000 }),
  newStack: stackName,
  dies: isGone,
}));

describe('the lease of a stack', () => {
  it('says on the Lease itself who holds, and gives a greater token each time', async () => {
    const stack = stackName();
    const first = await acquire(new HandClock(), stack, 'run-1');
    const lease = await cluster.get(leaseRef(stack));
    expect(lease?.['spec']).toMatchObject({
      holderIdentity: 'run-1',
      leaseDurationSeconds: 9,
      leaseTransitions: first.token,
    });
    expect(JSON.parse(lease?.metadata.annotations?.['backstay.dev/holder'] ?? '')).toEqual(holder('run-1'));
    await first.assertHeld();
    await first.release();
    const second = await acquire(new HandClock(), stack, 'run-2');
    expect(second.token).toBe(first.token + 1);
  });

  it('refuses while another run renews, naming it and its age', async () => {
    const stack = stackName();
    const clock = new HandClock();
    const first = await acquire(clock, stack, 'run-1');
    const other = new HandClock();
    other.time = clock.time + 42_000;
    const refused = lockOn(other).acquire(stack, holder('run-2'));
    const answer = refused.catch((error: unknown) => error);
    await other.somebodyWaits();
    clock.pass(2_000);
    expect(await answer).toMatchObject({
      code: 'LEASE_HELD',
      message: `Run run-1 of ada on desk holds stack ${stack}, since 42 s, journal /journal/run-1.`,
      details: { run: 'run-1', journal: '/journal/run-1' },
    });
    await first.assertHeld();
  });

  it('takes over after the holder was silent for its duration, and the old holder learns it before its next effect', async () => {
    const stack = stackName();
    const first = await acquire(new HandClock(), stack, 'run-1');
    await fromElsewhere(stack);
    const clock = new HandClock();
    const taking = acquire(clock, stack, 'run-2');
    await clock.somebodyWaits();
    clock.pass(9_000);
    const second = await taking;
    expect(second.token).toBe(first.token + 1);
    expect(first.lost.aborted).toBe(false);
    await expect(first.assertHeld()).rejects.toMatchObject({
      code: 'LEASE_LOST',
      next: 'Run `backstay resume run-1`.',
    });
    expect(first.lost.aborted).toBe(true);
    await second.assertHeld();
  });

  it('is lost when it cannot be renewed for its duration', async () => {
    const stack = stackName();
    const clock = new HandClock();
    const lock = await acquire(clock, stack, 'run-1');
    const lost = new Promise((resolve) => lock.lost.addEventListener('abort', () => resolve(lock.lost.reason)));
    await cluster.delete(leaseRef(stack));
    clock.pass(9_000);
    await expect(lost).resolves.toMatchObject({ code: 'LEASE_LOST' });
    await expect(lock.assertHeld()).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });

  it('is renewed by a holder that slept, when nobody took it meanwhile', async () => {
    const stack = stackName();
    const clock = new HandClock();
    const lock = await acquire(clock, stack, 'run-1');
    const before = await cluster.get(leaseRef(stack));
    await lock.assertFresh();
    expect((await cluster.get(leaseRef(stack)))?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
    // Time goes on, and no timer of the sleeper fires.
    clock.time += 60_000;
    await lock.assertFresh();
    const after = await cluster.get(leaseRef(stack));
    expect(after?.metadata.resourceVersion).not.toBe(before?.metadata.resourceVersion);
    expect(lock.lost.aborted).toBe(false);
  });

  it('is noticed as lost by a holder that slept, before its next write and without a timer', async () => {
    const stack = stackName();
    const clock = new HandClock();
    const lock = await acquire(clock, stack, 'run-1');
    await isGone(stack);
    await acquire(new HandClock(), stack, 'run-2');
    await lock.assertFresh();
    clock.time += 60_000;
    await expect(lock.assertFresh()).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(lock.lost.aborted).toBe(true);
  });

  it('says why it was taken over from a silent holder', async () => {
    const stack = stackName();
    await acquire(new HandClock(), stack, 'run-1');
    await fromElsewhere(stack);
    const clock = new HandClock();
    const taking = acquire(clock, stack, 'run-2');
    await clock.somebodyWaits();
    clock.pass(9_000);
    expect((await taking).takeover).toEqual({ from: holder('run-1'), reason: 'not renewed for 9 s' });
  });

  it('reads a Lease that somebody made by hand', async () => {
    const stack = stackName();
    await cluster.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: `backstay-${stack}`, namespace, annotations: { 'backstay.dev/holder': 'not json' } },
      spec: { holderIdentity: 'somebody' },
    });
    expect(await lockOn(new HandClock()).look(stack)).toMatchObject({ holder: { run: 'somebody', journal: '' } });
  });

  it('survives a change of the Lease that leaves the holder as it is', async () => {
    const stack = stackName();
    const clock = new HandClock();
    const lock = await acquire(clock, stack, 'run-1');
    const touched = await fromElsewhere(stack);
    clock.pass(2_000);
    await clock.somebodyWaits();
    clock.pass(2_000);
    await renewed(stack, touched);
    await lock.assertHeld();
    expect(lock.lost.aborted).toBe(false);
  });

  it('lets only one of many win', async () => {
    const stack = stackName();
    const contestants = ['a', 'b', 'c', 'd'].map((run) => ({ run, clock: new HandClock() }));
    const attempts = contestants.map(({ run, clock }) => acquire(clock, stack, run).then(() => clock));
    const all = Promise.allSettled(attempts);
    const winner = await Promise.any(attempts);
    // Losers wait for the winner's next sign of life; time passes for the winner alone.
    const over = all.then(() => true);
    while (!(await Promise.race([over, winner.somebodyWaits().then(() => false)]))) {
      winner.pass(2_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const results = await all;
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const reasons = results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as { code: string }).code] : [],
    );
    expect(new Set(reasons)).toEqual(new Set(['LEASE_HELD']));
  });
});

/** Resolves when our holder wrote the Lease after `touched`. */
async function renewed(stack: string, touched: KubeObject): Promise<void> {
  const kind = await cluster.kindOf('coordination.k8s.io/v1', 'Lease');
  const stop = new AbortController();
  for await (const event of cluster.watch(kind!, { namespace, name: `backstay-${stack}`, signal: stop.signal })) {
    if (event.type !== 'synced' && event.object.metadata.resourceVersion !== touched.metadata.resourceVersion)
      stop.abort();
  }
}

describe('knowing a dead holder', () => {
  const self = { machine: 'boot/ns', pid: 100, life: 'new' };
  it.each([
    ['on another machine is never judged', { machine: 'other', pid: 4_000_000, life: 'x' }, false],
    ['that is this process lives', self, false],
    ['with our number in an earlier life is dead', { ...self, life: 'old' }, true],
    ['whose number nobody has is dead', { machine: 'boot/ns', pid: 2 ** 30, life: 'x' }, true],
    ['whose number somebody has may live', { machine: 'boot/ns', pid: 1, life: 'x' }, false],
    ['of whom nothing is known is never judged', undefined, false],
  ])('a holder %s', (_, other, dead) => {
    expect(isDead(self, other)).toBe(dead);
  });

  it('takes the Lease of a dead process of this machine without waiting', async () => {
    const stack = stackName();
    const first = await acquire(new HandClock(), stack, 'run-1');
    await isGone(stack);
    const again = await acquire(new HandClock(), stack, 'run-1');
    expect(again.token).toBe(2);
    // The same run, resumed: whoever held it before holds it no more.
    await expect(first.assertHeld()).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await again.assertHeld();
  });
});
