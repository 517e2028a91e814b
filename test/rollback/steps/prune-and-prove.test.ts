import { describe, expect, test } from 'vitest';
import { capturedForm, type KubeObject, type StepAction } from '../../../src/model/index.ts';
import { aDeployment, type FakeCluster } from '../../hooks/fake-cluster.ts';
import { aChange, CONFIG, GATEWAY, key, LIVE_CONFIG, perform } from '../step-support.ts';

describe('pruning', () => {
  const extra = aDeployment('extra');
  const plan = { changes: [aChange(extra, 'delete', { uid: 'uid-extra', live: capturedForm(extra) })] };
  const prune: StepAction = { kind: 'prune', objects: [key(extra)] };

  test('deletes what the plan names and is over when it is gone', async () => {
    const { result, cluster } = await perform(prune, { cluster: { objects: [extra, GATEWAY] }, plan });
    expect(result).toMatchObject({ outcome: 'done', message: 'deleted: deployment/extra' });
    expect([...cluster.objects.keys()]).toEqual([key(GATEWAY)]);
  });

  test('waits for an object that its finalizers hold, and names them when they do not let go', async () => {
    const onDelete = (object: KubeObject, cluster: FakeCluster): void =>
      cluster.put({
        ...object,
        metadata: { ...object.metadata, deletionTimestamp: 'now', finalizers: ['acme/guard'] },
      });
    const run = perform(prune, { cluster: { objects: [extra], onDelete }, plan, stack: { readyTimeoutMs: 50 } });
    await expect(run).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('acme/guard') });
  });

  test('does not ask a second time for one that is on its way out', async () => {
    const metadata = { deletionTimestamp: 'now', uid: 'uid-extra', finalizers: ['foregroundDeletion'] };
    const leaving = aDeployment('extra', { metadata });
    const asked: string[] = [];
    const onDelete = (object: KubeObject): void => void asked.push(object.metadata.name);
    const run = perform(prune, {
      cluster: { objects: [leaving], onDelete },
      plan,
      stack: { readyTimeoutMs: 50 },
    });
    await expect(run).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(asked).toEqual([]);
  });

  test.each([
    ['another object of the same name', aDeployment('extra', { metadata: { uid: 'another' } }), /is another object/],
    ['one that moved since the plan', aDeployment('extra', { spec: { replicas: 7 } }), /spec\.replicas changed/],
  ])('refuses %s', async (_what, live, message) => {
    const { result, cluster } = await perform(prune, { cluster: { objects: [live] }, plan });
    expect(result).toMatchObject({ outcome: 'failed', code: 'OBJECT_MOVED', message: expect.stringMatching(message) });
    expect(cluster.calls).toEqual([]);
  });

  test('never deletes what the plan does not name', async () => {
    const run = perform({ kind: 'prune', objects: [key(GATEWAY)] }, { cluster: { objects: [GATEWAY] }, plan });
    await expect(run).rejects.toMatchObject({ code: 'PLAN_REFUSED' });
  });

  test('has nothing to do when the engine did it', async () => {
    const { result } = await perform(prune, { plan });
    expect(result).toMatchObject({ outcome: 'done', touched: false, message: 'nothing was left to delete' });
  });
});

describe('proving equality', () => {
  const extra = aDeployment('extra');
  const plan = { desired: [CONFIG], changes: [aChange(extra, 'delete')] };

  test('passes when every object is there in the form that was wanted', async () => {
    const { result } = await perform({ kind: 'prove-equal' }, { cluster: { objects: [CONFIG] }, plan });
    expect(result).toMatchObject({ outcome: 'done', touched: false });
  });

  test.each([
    ['a value differs', [LIVE_CONFIG], 'configmap/config differs in data.BACKEND'],
    [
      'something was added',
      [{ ...CONFIG, data: { BACKEND: 'mineru', EXTRA: '1' } }],
      'configmap/config differs in data.EXTRA',
    ],
    ['an object is missing', [], 'configmap/config is missing'],
    ['an object is still there', [CONFIG, extra], 'deployment/extra is still there'],
  ])('fails when %s, naming it and no value', async (_what, objects, said) => {
    const { result } = await perform({ kind: 'prove-equal' }, { cluster: { objects }, plan });
    expect(result).toMatchObject({ outcome: 'failed', code: 'NOT_EQUAL', message: expect.stringContaining(said) });
    expect(JSON.stringify(result)).not.toContain('docling');
  });
});
