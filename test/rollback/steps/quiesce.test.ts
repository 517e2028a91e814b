import { describe, expect, test } from 'vitest';
import { keyOf, type KubeObject, refOf, type StepAction, suspend, SUSPENDED } from '../../../src/model/index.ts';
import type { DataStore, StoreSession } from '../../../src/ports/index.ts';
import { aDeployment, aPod, aReplicaSet, type FakeCluster, type FakeClusterOptions } from '../../hooks/fake-cluster.ts';
import { fakeClock } from '../builders.ts';
import { aChange, type Given, perform } from '../step-support.ts';

const WEB = aDeployment('web', {
  spec: { replicas: 2 },
  status: { replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
});
const SET = aReplicaSet('web-new', 'web', '2', 'new');
const PODS = [aPod('web-new-1', 'web', 'new', 'web:2'), aPod('web-old-1', 'web', 'old', 'web:1')];
const OTHER = aPod('other-1', 'other', 'x', 'other:1');
const CRON: KubeObject = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'nightly', namespace: 'production' },
  spec: { suspend: false },
};
const owned = (
  kind: string,
  name: string,
  owner: KubeObject,
  labels: Readonly<Record<string, string>> = {},
): KubeObject => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'v1',
  kind,
  metadata: {
    name,
    namespace: 'production',
    labels,
    ownerReferences: [
      {
        apiVersion: owner.apiVersion,
        kind: owner.kind,
        name: owner.metadata.name,
        uid: `uid-${owner.metadata.name}`,
        controller: true,
      },
    ],
  },
  status: kind === 'Pod' ? { phase: 'Running' } : {},
});
const JOB = owned('Job', 'nightly-1', CRON);

const quiesce = (workloads: readonly KubeObject[], stores: readonly string[] = []): StepAction => ({
  kind: 'quiesce-writers',
  workloads: workloads.map(refOf),
  stores,
});
const resume = (workloads: readonly KubeObject[]): StepAction => ({
  kind: 'resume-writers',
  workloads: workloads.map(refOf),
  stores: [],
});

/** As its controller would write it. */
function settled(object: KubeObject, replicas: number): KubeObject {
  const { generation = 1 } = object.metadata;
  const status = { observedGeneration: generation, replicas, updatedReplicas: replicas, availableReplicas: replicas };
  return { ...object, status };
}

/** Plays the controllers: what is at zero loses its pods, one after another; what is not gets ready. */
function controllers(pods: readonly KubeObject[], stays: readonly KubeObject[] = []): FakeClusterOptions {
  const onPatch = (object: KubeObject, cluster: FakeCluster): void => {
    if (object.kind !== 'Deployment') return;
    const { replicas } = object['spec'] as { readonly replicas: number };
    setImmediate(() => {
      cluster.put(settled(object, replicas));
      if (replicas > 0) return;
      for (const pod of pods)
        if (!stays.includes(pod)) {
          cluster.put({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:01Z' } });
          setImmediate(() => cluster.remove(keyOf(pod)));
        }
    });
  };
  return { objects: [WEB, SET, ...pods, OTHER], onPatch };
}

function storeWith(
  sessions: () => readonly StoreSession[],
  readers: readonly string[] = [],
): NonNullable<Given['deps']> {
  const setting = {
    kind: 'postgres',
    name: 'main',
    tables: [],
    writers: [],
    readers,
    connection: { database: 'main' },
  };
  const store = { setting, sessions: async () => sessions() } as unknown as DataStore;
  return { dataStores: async () => [store] };
}
const CARL: StoreSession = { application: 'psql', user: 'carl', address: '10.0.0.7', busyMs: 3_000 };

describe('quiescing', () => {
  test('scales to zero, and is done when the last pod of whatever revision is gone', async () => {
    const { result, cluster } = await perform(quiesce([WEB]), { cluster: controllers(PODS) });
    expect(result).toMatchObject({ outcome: 'done', message: 'stopped: deployment/web' });
    expect(result.result).toEqual({ replicas: { [keyOf(WEB)]: 2 }, unready: [] });
    const live = cluster.objects.get(keyOf(WEB));
    expect(live?.['spec']).toMatchObject({ replicas: 0 });
    expect(live?.metadata.annotations).toHaveProperty([SUSPENDED]);
    expect([...cluster.objects.values()].filter(({ kind }) => kind === 'Pod')).toMatchObject([
      { metadata: { name: 'other-1' } },
    ]);
  });

  test('is not done while a pod of an older revision is left, and names it', async () => {
    const [, old = OTHER] = PODS;
    const { result } = await perform(quiesce([WEB]), {
      cluster: controllers(PODS, [old]),
      stack: { readyTimeoutMs: 200 },
    });
    expect(result).toMatchObject({ outcome: 'failed', code: 'WRITERS_REMAIN' });
    expect(result.message).toContain('pod/web-old-1 (Running)');
    expect(result.message).not.toContain('web-new-1');
  });

  test('suspends a CronJob and waits for the Jobs that it has begun', async () => {
    const pod = owned('Pod', 'nightly-1-x', JOB);
    const cluster = { objects: [CRON, JOB, pod] };
    const waiting = await perform(quiesce([CRON]), { cluster, stack: { readyTimeoutMs: 200 } });
    expect(waiting.result).toMatchObject({ code: 'WRITERS_REMAIN' });
    expect(waiting.result.message).toContain('job/nightly-1');
    expect(waiting.cluster.objects.get(keyOf(CRON))?.['spec']).toEqual({ suspend: true });
    const over = { ...JOB, status: { conditions: [{ type: 'Complete', status: 'True' }] } };
    const done = await perform(quiesce([CRON]), {
      cluster: { objects: [CRON, over, { ...pod, status: { phase: 'Succeeded' } }] },
    });
    expect(done.result).toMatchObject({ outcome: 'done' });
  });

  test('remembers what it found when an earlier attempt has been at work already', async () => {
    const answer = suspend(WEB, 'r1');
    const zero = settled(answer.kind === 'write' ? answer.object : WEB, 0);
    const { result, cluster } = await perform(quiesce([WEB]), { cluster: { objects: [zero] }, attempt: 2 });
    expect(result).toMatchObject({ outcome: 'done', result: { replicas: { [keyOf(WEB)]: 2 } } });
    expect(cluster.calls).toEqual([]);
  });

  test('asks the stores until nobody is connected', async () => {
    let asked = 0;
    const deps = storeWith(() => ((asked += 1) < 4 ? [CARL] : []));
    const { result } = await perform(quiesce([], ['main']), { deps });
    expect(result).toMatchObject({ outcome: 'done', message: 'nobody is connected to main' });
    expect(asked).toBe(4);
  });

  test('names who is connected all the same, in the end', async () => {
    const clock = fakeClock();
    const { result } = await perform(quiesce([], ['main']), { deps: { ...storeWith(() => [CARL]), clock } });
    expect(result).toMatchObject({ outcome: 'failed', code: 'WRITERS_REMAIN' });
    expect(result.message).toBe('these are still connected to main: carl from 10.0.0.7 (psql), busy for 3 s');
    expect(clock.monotonic()).toBeLessThan(16_000);
  });

  test.each([[['carl']], [['ps*']]])('lets %j stay', async (readers) => {
    const { result } = await perform(quiesce([], ['main']), { deps: storeWith(() => [CARL], readers) });
    expect(result).toMatchObject({ outcome: 'done' });
  });
});

describe('bringing back', () => {
  const zero = (): KubeObject => {
    const answer = suspend(WEB, 'r1');
    return settled(answer.kind === 'write' ? answer.object : WEB, 0);
  };
  const cluster = (): FakeClusterOptions => ({ ...controllers([]), objects: [zero()] });

  test('gives the replicas back, waits until they are there, and tells how long they were not', async () => {
    const { result, cluster: after } = await perform(resume([WEB]), { cluster: cluster() });
    expect(result).toMatchObject({ outcome: 'done' });
    expect(result.message).toMatch(/^back: deployment\/web; stopped for \d+\.\d s$/);
    const live = after.objects.get(keyOf(WEB));
    expect(live?.['spec']).toMatchObject({ replicas: 2 });
    expect(live?.metadata.annotations).not.toHaveProperty([SUSPENDED]);
  });

  test('does nothing twice, and still waits', async () => {
    const { result, cluster: after } = await perform(resume([WEB]), { cluster: { objects: [WEB] }, attempt: 2 });
    expect(result).toMatchObject({ outcome: 'done' });
    expect(after.calls).toEqual([]);
  });

  test('fails when what was well is not well again', async () => {
    const stuck = { objects: [zero()] };
    const { result } = await perform(resume([WEB]), { cluster: stuck, stack: { readyTimeoutMs: 150 } });
    expect(result).toMatchObject({ outcome: 'failed', code: 'TIMEOUT' });
    expect(result.message).toContain('deployment/web (');
  });

  test('waits for nothing that was not well before, unless the plan has changed it', async () => {
    const before = { 'quiesce-writers': { replicas: {}, unready: [keyOf(WEB)] } };
    const stuck = { objects: [zero()] };
    const excused = await perform(resume([WEB]), { cluster: stuck, before, stack: { readyTimeoutMs: 150 } });
    expect(excused.result).toMatchObject({ outcome: 'warned' });
    expect(excused.result.message).toContain('not well before either: deployment/web');
    const plan = { changes: [aChange(WEB, 'update')] };
    const changed = await perform(resume([WEB]), { cluster: stuck, before, plan, stack: { readyTimeoutMs: 150 } });
    expect(changed.result).toMatchObject({ outcome: 'failed' });
  });

  test('leaves what somebody has scaled meanwhile, and says so', async () => {
    const scaled = { ...zero(), spec: { ...(WEB['spec'] as object), replicas: 5 } };
    const { result, cluster: after } = await perform(resume([WEB]), {
      cluster: { objects: [settled(scaled, 5)], onPatch: (one, there) => there.put(settled(one, 5)) },
    });
    expect(result).toMatchObject({ outcome: 'warned' });
    expect(result.message).toContain('changed by somebody else');
    expect(after.objects.get(keyOf(WEB))?.['spec']).toMatchObject({ replicas: 5 });
  });
});
