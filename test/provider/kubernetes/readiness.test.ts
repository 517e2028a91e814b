import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, keyOf, refOf } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { NotReadyError } from '../../../src/provider/plugin.ts';
import { isAwaited } from '../../../src/provider/kubernetes/readiness.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { configMap, deployment, harness } from './harness.ts';

let cluster: Cluster;
let space: Awaited<ReturnType<typeof testNamespace>>;
let ns: string;
beforeAll(async () => {
  ({ cluster } = await testCluster());
  space = await testNamespace('ready');
  ns = space.name;
});
afterAll(async () => space.remove());

/** A deployment whose pods are scheduled nowhere, so that nothing but this test speaks about them. */
function pending(name: string, annotations: Readonly<Record<string, string>> = {}): KubeObject {
  const plain = deployment(ns, name, { replicas: 1, annotations });
  const spec = plain['spec'] as { template: { spec: object } };
  const pod = { ...spec.template.spec, nodeSelector: { nowhere: 'at-all' } };
  return { ...plain, spec: { ...spec, template: { ...spec.template, spec: pod } } };
}

describe('waiting until ready', () => {
  it('ends as soon as the status says so, and tells what it waited for', async () => {
    const target = pending('becomes');
    const { create, progress, session } = await harness({ readyTimeoutMs: 30_000 });
    const creating = create(target);
    const pods = await cluster.kindOf('v1', 'Pod');
    if (pods === undefined) throw new TypeError('no pods served');
    const stop = new AbortController();
    for await (const event of cluster.watch(pods, {
      namespace: ns,
      labelSelector: 'app=becomes',
      signal: stop.signal,
    })) {
      if (event.type === 'synced') continue;
      const { name } = event.object.metadata;
      const said = (): boolean => progress.some(({ state, message }) => state === 'waiting' && /0 of 1/.test(message));
      await expect.poll(said, { timeout: 20_000 }).toBe(true);
      const conditions = [
        { type: 'Ready', status: 'True' },
        { type: 'ContainersReady', status: 'True' },
      ];
      await cluster.patch(
        { apiVersion: 'v1', kind: 'Pod', namespace: ns, name },
        { type: 'merge', body: { status: { phase: 'Running', conditions } } },
        { subresource: 'status' },
      );
      break;
    }
    stop.abort();
    const { outputs } = await creating;
    expect(outputs.value['status']).toMatchObject({ availableReplicas: 1 });
    expect(progress.map(({ state }) => state)).toEqual(expect.arrayContaining(['creating', 'waiting', 'ready']));
    expect(session.outcomes.get(keyOf(target))).toMatchObject({ action: 'created' });
  });

  it('gives up after the limit, naming the pod that is in the way, and hands back the object with its id', async () => {
    const target = pending('never', { 'pulumi.com/timeoutSeconds': '2' });
    const { create, session } = await harness({ readyTimeoutMs: 600_000 });
    const error = await create(target).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NotReadyError);
    const { id, reasons, outputs } = error as NotReadyError;
    expect(id).toBe(`${ns}/never`);
    expect(reasons[0]).toMatch(/deployment\/never in .* not ready after 2 s: .*never-/);
    expect(outputs.value).toMatchObject({ kind: 'Deployment', __fieldManager: 'backstay' });
    expect(session.outcomes.get(keyOf(target))?.action).toBe('failed');
  });

  it('stops when it is told to', async () => {
    const target = pending('stopped');
    const stop = new AbortController();
    const { create, progress } = await harness({ readyTimeoutMs: 600_000 });
    const creating = create(target, { signal: stop.signal });
    await expect.poll(() => progress.some(({ state }) => state === 'waiting'), { timeout: 20_000 }).toBe(true);
    stop.abort(new TypeError('enough'));
    await expect(creating).rejects.toThrow('enough');
    expect(await cluster.get(refOf(target))).toBeDefined();
  });

  it.each([
    ['no time is given for it', deployment('n', 'd', { replicas: 1 }), 0],
    [
      'the official annotation says so',
      deployment('n', 'd', { replicas: 1, annotations: { 'pulumi.com/skipAwait': 'true' } }),
      1000,
    ],
    ['its rollout is paused', { ...deployment('n', 'd'), spec: { paused: true } }, 1000],
    [
      'it is a claim, which may bind only when it is used',
      { ...configMap('n', 'c', {}), kind: 'PersistentVolumeClaim' },
      1000,
    ],
  ])('is left out when %s', (_why, object, limit) => {
    expect(isAwaited(object, limit)).toBe(false);
  });
});
