import { describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { HELD, type KubeObject, keyOf, refOf, SUSPENDED } from '../../../src/model/index.ts';
import { aDeployment, aPod, aReplicaSet } from '../../hooks/fake-cluster.ts';
import { fakeClock } from '../builders.ts';
import { aChange, perform } from '../step-support.ts';

const HPA: KubeObject = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web', namespace: 'production' },
  spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web' } },
};
const APP: KubeObject = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: { name: 'shop', namespace: 'argocd' },
  spec: { syncPolicy: { automated: { prune: true } } },
};
const refs = (object: KubeObject) => [refOf(object)];
const WEB = aDeployment('web');
const withFinalizers = (finalizers: readonly string[], deleted = '2025-12-31T23:00:00Z'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'extra', namespace: 'production', uid: 'u1', finalizers, deletionTimestamp: deleted },
});

describe('suspending', () => {
  test('holds an autoscaler once, and gives it back exactly', async () => {
    const held = await perform({ kind: 'suspend-autoscalers', objects: refs(HPA) }, { cluster: { objects: [HPA] } });
    expect(held.result).toMatchObject({ outcome: 'done', message: 'held: horizontalpodautoscaler/web' });
    const [live] = [...held.cluster.objects.values()];
    expect(live?.['spec']).toMatchObject({ behavior: { scaleUp: { selectPolicy: 'Disabled' } } });
    const again = await perform(
      { kind: 'suspend-autoscalers', objects: refs(HPA) },
      { cluster: { objects: [live as KubeObject] } },
    );
    expect(again.cluster.calls).toEqual([]);
    const given = await perform(
      { kind: 'resume-autoscalers', objects: refs(HPA) },
      { cluster: { objects: [live as KubeObject] } },
    );
    const [back] = [...given.cluster.objects.values()];
    expect(back?.['spec']).toEqual(HPA['spec']);
    expect(back?.metadata.annotations ?? {}).not.toHaveProperty([SUSPENDED]);
    expect(given.result).toMatchObject({ outcome: 'done', message: 'act again: horizontalpodautoscaler/web' });
  });

  test('says what is gone, what another run holds too, and what somebody changed', async () => {
    const none = await perform({ kind: 'suspend-sync', applications: refs(APP) });
    expect(none.result).toMatchObject({ outcome: 'done', message: 'application/shop is gone' });
    const shared = {
      ...APP,
      metadata: {
        ...APP.metadata,
        annotations: { [SUSPENDED]: JSON.stringify({ runs: ['r0', 'r1'], was: { automated: {} } }) },
      },
      spec: { syncPolicy: {} },
    };
    const left = await perform({ kind: 'resume-sync', applications: refs(APP) }, { cluster: { objects: [shared] } });
    expect(left.result).toMatchObject({ outcome: 'warned', message: 'application/shop: is still held by run r0' });
    const changed = { ...shared, spec: { syncPolicy: { automated: { prune: true } } } };
    const theirs = await perform({ kind: 'resume-sync', applications: refs(APP) }, { cluster: { objects: [changed] } });
    expect(theirs.result.outcome).toBe('warned');
    expect([...theirs.cluster.objects.values()][0]?.['spec']).toEqual(changed.spec);
  });

  test('fails by name where something takes the annotation away', async () => {
    const strip = (object: KubeObject, cluster: { put(object: KubeObject): void }): void => {
      if (object.metadata.annotations?.[SUSPENDED] !== undefined) cluster.put(APP);
    };
    const failed = perform(
      { kind: 'suspend-sync', applications: refs(APP) },
      { cluster: { objects: [APP], onPatch: strip } },
    );
    await expect(failed).rejects.toMatchObject({ code: 'OBJECT_REFUSED' });
  });
});

describe('marking what is held', () => {
  test('says run, snapshot and images on the workloads that changed', async () => {
    const { cluster } = await perform(
      { kind: 'record-after' },
      {
        plan: { changes: [aChange(WEB, 'update', { live: WEB })] },
        cluster: {
          objects: [
            aDeployment('web', { spec: { template: { spec: { containers: [{ name: 'main', image: 'web:1' }] } } } }),
          ],
        },
        before: { 'snapshot-before': { id: `sha256:${'a'.repeat(64)}` } },
        deps: {
          capture: async () => ({ id: `sha256:${'b'.repeat(64)}`, verdict: 'pass' as const }),
          store: {
            annotate: async () => undefined,
            get: async () => ({ content: { images: [], flags: [], objects: [] }, sighting: { record: {} } }),
          } as never,
        },
      },
    );
    const mark = cluster.objects.get(keyOf(WEB))?.metadata.annotations?.[HELD] ?? '{}';
    expect(JSON.parse(mark)).toEqual({ run: 'r1', snapshot: `sha256:${'a'.repeat(64)}`, images: { main: 'web:2' } });
  });
});

describe('forcing pods', () => {
  const sets = [aReplicaSet('web-a', 'web', '1', 'a')];
  const pod = (name: string, deleted?: string): KubeObject => {
    const plain = aPod(name, 'web', 'a', 'web:1');
    return deleted === undefined ? plain : { ...plain, metadata: { ...plain.metadata, deletionTimestamp: deleted } };
  };

  test('deletes those that hang, and no other', async () => {
    const objects = [...sets, pod('well'), pod('stuck', '2025-12-31T23:59:00Z'), pod('going', '2026-01-01T00:00:20Z')];
    const { result, cluster } = await perform(
      { kind: 'force-pods', workloads: [keyOf(WEB)] },
      { cluster: { objects } },
    );
    expect(cluster.calls).toEqual(['delete Pod/stuck']);
    expect(result).toMatchObject({
      outcome: 'done',
      message: 'deleted without grace: pod/stuck (is being deleted for 60 s longer than its grace)',
    });
  });

  test('warns of one that finalizers hold, and of nothing where nothing hangs', async () => {
    const stuck = pod('stuck', '2025-12-31T23:59:00Z');
    const held = { ...stuck, metadata: { ...stuck.metadata, finalizers: ['example.com/hold'] } };
    const { result } = await perform(
      { kind: 'force-pods', workloads: [keyOf(WEB)] },
      { cluster: { objects: [...sets, held], onDelete: () => {} } },
    );
    expect(result).toMatchObject({ outcome: 'warned' });
    expect(result.message).toContain('held by its finalizers example.com/hold');
    const calm = await perform(
      { kind: 'force-pods', workloads: [keyOf(WEB)] },
      { cluster: { objects: [pod('well')] } },
    );
    expect(calm.result).toMatchObject({ outcome: 'done', touched: false, message: 'no pod hangs' });
  });
});

describe('forcing finalizers', () => {
  const goes = (object: KubeObject, cluster: { remove(key: ReturnType<typeof keyOf>): void }): void => {
    if ((object.metadata.finalizers ?? []).length === 0) cluster.remove(keyOf(object));
  };
  const force = async (object: KubeObject) =>
    await perform(
      { kind: 'force-finalizers', objects: [keyOf(object)] },
      {
        plan: { changes: [aChange(object, 'delete')] },
        cluster: { objects: [object], onPatch: goes },
        stack: { readyTimeoutMs: 40 },
        deps: { clock: fakeClock() },
      },
    );

  test('never takes off what protects something in use', async () => {
    const protectedOnly = withFinalizers(['kubernetes.io/pvc-protection']);
    await expect(force(protectedOnly)).rejects.toMatchObject({
      code: 'TIMEOUT',
      next: expect.stringContaining('--force-pods') as string,
    });
  });

  test('takes them off, and says which', async () => {
    const { result, cluster } = await force(withFinalizers(['example.com/hold']));
    expect(cluster.objects.size).toBe(0);
    expect(result).toMatchObject({
      outcome: 'done',
      message: 'finalizers taken off: configmap/extra (example.com/hold)',
    });
  });

  test('waits first for what was asked to go just now', async () => {
    const began = performance.now();
    const { result } = await force(withFinalizers(['example.com/hold'], '2026-01-01T00:00:00Z'));
    expect(performance.now() - began).toBeGreaterThan(30);
    expect(result).toMatchObject({ outcome: 'done', touched: true });
  });

  test('leaves alone what nobody asked to go, and refuses what the plan does not name', async () => {
    const { deletionTimestamp: _, ...metadata } = withFinalizers(['example.com/hold']).metadata;
    const { result, cluster } = await force({ ...withFinalizers([]), metadata });
    expect(result).toMatchObject({ outcome: 'done', touched: false });
    expect(cluster.calls).toEqual([]);
    const strange = perform({ kind: 'force-finalizers', objects: [keyOf(WEB)] });
    await expect(strange).rejects.toBeInstanceOf(BackstayError);
  });
});
