import { describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { capturedForm, type KubeObject, PAUSED_BY } from '../../../src/model/index.ts';
import type { EngineResult, EngineUpdate } from '../../../src/ports/index.ts';
import { aDeployment, type FakeCluster } from '../../hooks/fake-cluster.ts';
import { aStep } from '../builders.ts';
import { aChange, CONFIG, GATEWAY, key, LIVE_CONFIG, NOTHING, perform } from '../step-support.ts';

describe('holding rollouts', () => {
  const workloads = [key(GATEWAY)];
  const live = (cluster: FakeCluster): { annotation: unknown; paused: unknown } => {
    const object = cluster.objects.get(key(GATEWAY));
    return {
      annotation: object?.metadata.annotations?.[PAUSED_BY],
      paused: (object?.['spec'] as { paused?: boolean } | undefined)?.paused,
    };
  };

  test('pauses them in the name of the run', async () => {
    const { cluster } = await perform({ kind: 'pause-rollouts', workloads }, { cluster: { objects: [GATEWAY] } });
    expect(live(cluster)).toEqual({ annotation: 'r1', paused: true });
  });

  test('leaves one that somebody else has paused, also when it lets go', async () => {
    const paused = aDeployment('gateway', { spec: { paused: true } });
    const { cluster } = await perform({ kind: 'pause-rollouts', workloads }, { cluster: { objects: [paused] } });
    expect(live(cluster)).toEqual({ annotation: undefined, paused: true });
    const again = await perform({ kind: 'resume-rollouts', workloads }, { cluster: { objects: [paused] } });
    expect(again.cluster.calls).toEqual([]);
  });

  test('done twice changes nothing the second time, and can still be taken back', async () => {
    const held = aDeployment('gateway', { spec: { paused: true }, metadata: { annotations: { [PAUSED_BY]: 'r1' } } });
    const { result, cluster } = await perform({ kind: 'pause-rollouts', workloads }, { cluster: { objects: [held] } });
    expect(cluster.calls).toEqual([]);
    expect(result.outcome).toBe('done');
    const released = await perform({ kind: 'resume-rollouts', workloads }, { cluster: { objects: [held] } });
    expect(live(released.cluster)).toEqual({ annotation: undefined, paused: undefined });
  });

  test('is over before the update, which would never see them ready', async () => {
    const held = aDeployment('gateway', { spec: { paused: true }, metadata: { annotations: { [PAUSED_BY]: 'r1' } } });
    const pause = aStep('pause', 'frozen', { action: { kind: 'pause-rollouts', workloads } });
    let during: unknown;
    await perform(
      { kind: 'apply' },
      {
        cluster: { objects: [held] },
        plan: { steps: [pause] },
        up: async (_update, cluster) => {
          during = live(cluster);
          return NOTHING;
        },
      },
    );
    expect(during).toEqual({ annotation: undefined, paused: undefined });
  });
});

describe('applying', () => {
  const extra: KubeObject = { ...CONFIG, metadata: { name: 'extra', namespace: 'production' } };
  const fresh: KubeObject = { ...CONFIG, metadata: { name: 'fresh', namespace: 'production' } };
  const plan = {
    changes: [
      aChange(CONFIG, 'update', { live: LIVE_CONFIG }),
      aChange(GATEWAY, 'restart', { live: capturedForm(GATEWAY) }),
      aChange(fresh, 'create'),
      aChange(extra, 'delete', { live: extra, uid: 'uid-extra' }),
    ],
    desired: [CONFIG, GATEWAY, fresh],
  };
  const objects = [LIVE_CONFIG, GATEWAY, extra];

  test('permits exactly what the plan names, bound to the versions that were just compared', async () => {
    const { result, updates, cluster } = await perform(
      { kind: 'apply' },
      {
        cluster: { objects },
        plan,
        up: async () => ({ ...NOTHING, updated: [key(CONFIG), key(GATEWAY)], created: [key(fresh)] }),
      },
    );
    const [update] = updates;
    const version = (object: KubeObject): string | undefined =>
      cluster.objects.get(key(object))?.metadata.resourceVersion;
    expect([...(update?.permit.update ?? [])]).toEqual([key(CONFIG), key(GATEWAY)]);
    expect([...(update?.permit.create ?? [])]).toEqual([key(fresh)]);
    expect([...(update?.permit.replace ?? [])]).toEqual([]);
    expect(update?.permit.delete.get(key(extra))).toEqual({ uid: 'uid-extra', resourceVersion: version(extra) });
    expect(update?.permit.observed.get(key(CONFIG))).toBe(version(CONFIG));
    expect(update?.objects.every((object) => object['revealed'] === true)).toBe(true);
    expect(result).toMatchObject({ outcome: 'done', message: '1 created, 2 updated' });
  });

  test('refuses when somebody moved an object, before the engine is asked', async () => {
    const moved = [{ key: key(CONFIG), what: 'data.BACKEND changed' }];
    const { result, updates } = await perform({ kind: 'apply' }, { cluster: { objects }, plan, moved });
    expect(result).toMatchObject({ outcome: 'failed', code: 'PLAN_STALE', touched: false });
    expect(updates).toEqual([]);
  });

  test('hands the engine the order of the plan that is carried out, and none where there is none', async () => {
    const order = [key(GATEWAY), key(CONFIG)];
    const steps = [aStep('apply', 'applied', { action: { kind: 'apply', order } })];
    const ordered = await perform({ kind: 'apply' }, { cluster: { objects }, plan: { ...plan, steps } });
    expect(ordered.updates.map((update) => update.order)).toEqual([order]);
    const { updates } = await perform({ kind: 'apply' }, { cluster: { objects }, plan });
    expect(updates.map((update) => 'order' in update)).toEqual([false]);
  });

  test('on a repeat takes what it brought to the target itself for its own doing, and nothing else', async () => {
    const moved = [
      { key: key(CONFIG), what: 'data.BACKEND changed' },
      { key: key(fresh), what: 'was made since' },
      { key: key(extra), what: 'is gone' },
    ];
    const arrived = { cluster: { objects: [CONFIG, GATEWAY, fresh] }, plan, moved };
    expect((await perform({ kind: 'apply' }, { ...arrived, attempt: 2 })).result.outcome).toBe('done');
    expect((await perform({ kind: 'apply' }, { ...arrived, attempt: 1 })).result.code).toBe('PLAN_STALE');
    const third = { ...CONFIG, data: { BACKEND: 'a third' } };
    const strange = await perform(
      { kind: 'apply' },
      { ...arrived, cluster: { objects: [third, GATEWAY, fresh] }, attempt: 2 },
    );
    expect(strange.result).toMatchObject({ code: 'PLAN_STALE', message: expect.stringContaining('configmap/config') });
    expect(strange.result.message).not.toContain('fresh');
  });

  test('that failed and left everything as it was says so, so that the run may go back', async () => {
    const up = async (): Promise<EngineResult> =>
      Promise.reject(new BackstayError('OBJECT_REFUSED', 'admission says no'));
    const { result } = await perform({ kind: 'apply' }, { cluster: { objects }, plan, up });
    expect(result).toMatchObject({
      outcome: 'failed',
      code: 'OBJECT_REFUSED',
      message: 'admission says no',
      touched: false,
    });
  });

  test('that failed half way names each object that did not get there', async () => {
    const failed = [{ key: key(GATEWAY), message: '0 of 1 updated, pod x: ImagePullBackOff' }];
    const up = async (): Promise<EngineResult> => ({ ...NOTHING, updated: [key(CONFIG)], failed });
    const { result } = await perform({ kind: 'apply' }, { cluster: { objects }, plan, up });
    expect(result).toMatchObject({
      outcome: 'failed',
      touched: true,
      message: 'deployment/gateway: 0 of 1 updated, pod x: ImagePullBackOff',
    });
  });

  test('that failed while live cannot be read is taken to have changed something', async () => {
    let looks = 0;
    const observe = async (): Promise<never> => {
      looks += 1;
      if (looks > 1) throw new BackstayError('CLUSTER_UNREACHABLE', 'no answer');
      return { live: new Map(), moved: [] } as never;
    };
    const up = async (): Promise<EngineResult> => Promise.reject(new Error('socket hang up'));
    const { result } = await perform({ kind: 'apply' }, { cluster: { objects }, plan, up, deps: { observe } });
    expect(result).toMatchObject({ outcome: 'failed', code: 'ENGINE_FAILED', touched: true });
  });

  test('tells the progress of an object once for each state', async () => {
    const up = async ({ onProgress }: EngineUpdate): Promise<EngineResult> => {
      for (const message of ['1 of 2', '1 of 2', '2 of 2'])
        onProgress({ key: key(GATEWAY), state: 'waiting', message });
      return NOTHING;
    };
    const { events } = await perform({ kind: 'apply' }, { cluster: { objects }, plan, up });
    expect(events).toMatchObject([{ message: '1 of 2' }, { message: '2 of 2' }]);
  });
});
