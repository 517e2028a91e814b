import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { testCluster } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { echo, type RunAnswer, type Shop, shop } from '../support/shop.ts';

interface Answer extends RunAnswer {
  readonly code?: string;
}

/** What hangs is forced by flag only, by steps that are named and journaled. */
describe('what hangs', () => {
  let here: Shop;
  let kubectl: Kubectl;
  let ghost: string;

  const configMap = (name: string, v: string, metadata: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: here.namespace, ...metadata },
    data: { v },
  });
  const apply = async (...items: readonly KubeObject[]): Promise<unknown> =>
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: { apiVersion: 'v1', kind: 'List', items },
    });
  /** Its one pod goes to a node by name, whether there is a kubelet or not. */
  const stateful = (name: string, nodeName?: string): KubeObject => {
    const deployment = echo(here.namespace, name);
    const { strategy: _, ...spec } = deployment['spec'] as { template: { spec: object }; strategy: object };
    const pod = { ...spec.template.spec, ...(nodeName === undefined ? {} : { nodeName }) };
    return {
      ...deployment,
      kind: 'StatefulSet',
      spec: { ...spec, serviceName: name, template: { ...spec.template, spec: pod } },
    };
  };
  const run = async (...args: readonly string[]): Promise<{ code: number; answer: Answer; stderr: string }> => {
    const { code, stdout, stderr } = await here.machine.run([...args, '--output', 'json']);
    return { code, answer: JSON.parse(stdout) as Answer, stderr };
  };
  const stepsOf = async (id: string): Promise<readonly { id: string; status: string; message?: string }[]> =>
    (await here.machine.json<{ steps: { id: string; status: string; message?: string }[] }>(['report', id])).steps;

  const release = async (name: string): Promise<unknown> =>
    await kubectl([
      '-n',
      here.namespace,
      'patch',
      'configmap',
      name,
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ]);

  beforeAll(async () => {
    const { kubeconfig, cluster } = await testCluster();
    kubectl = await kubectlFor(kubeconfig);
    here = await shop('force', '');
    ghost = `ghost-${here.namespace}`;
    // A node without a kubelet: nothing starts there, and what is deleted there stays.
    await cluster.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: ghost }, spec: { unschedulable: true } });
    // What the control plane writes of it after a minute.
    const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
    await kubectl([
      'patch',
      'node',
      ghost,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status: { conditions } }),
    ]);
  });
  afterEach(async () => {
    const left = JSON.parse(await kubectl(['-n', here.namespace, 'get', 'configmaps', '-o', 'json'])) as {
      items: KubeObject[];
    };
    const held = left.items.filter(({ metadata }) => (metadata.finalizers ?? []).length > 0);
    for (const { metadata } of held) await release(metadata.name);
  });
  afterAll(async () => {
    await kubectl(['delete', 'node', ghost, '--wait=false']);
    await kubectl(['-n', here.namespace, 'delete', 'pods', '--all', '--grace-period=0', '--force', '--wait=false']);
    await here.remove();
  });

  it('is an object with finalizers: the failure names the flag, and the flag takes them off', async () => {
    await apply(configMap('a', 'good'));
    const good = (await here.capture(['--no-checks', '--as', 'lean'])).id;
    await apply(configMap('a', 'bad'), configMap('extra', 'x', { finalizers: ['example.com/hold'] }));
    const stuck = await run('rollback', here.name, '--to', 'lean', '--yes', '--timeout', '4s');
    expect(stuck.code).toBe(4);
    expect(stuck.answer.reason).toContain('example.com/hold');
    expect(stuck.answer.reason).toContain('--force-finalizers');

    // What hangs is on its way out and no part of the stack any more: giving the run up is all that is left of it.
    await apply(configMap('a', 'bad'));
    const onward = ['--abandon', stuck.answer.run, '--reason', 'its controller is gone'];
    expect((await here.rollback(['--to', 'lean', ...onward])).outcome).toBe('succeeded');
    await release('extra');
    await apply(configMap('a', 'bad'), configMap('extra', 'x', { finalizers: ['example.com/hold'] }));
    const plan = await here.machine.json<{ steps: { id: string; risk: string; title: string; dataLoss?: string }[] }>([
      'rollback',
      here.name,
      '--to',
      'lean',
      '--dry-run',
      '--force-finalizers',
    ]);
    expect(plan.steps.find(({ id }) => id === 'force-finalizers')).toMatchObject({
      risk: 'high',
      title: 'Force: take the finalizers off configmap/extra, where they hang',
    });
    const again = await run(
      'rollback',
      here.name,
      '--to',
      'lean',
      '--yes',
      '--timeout',
      '4s',
      '--force-finalizers',
      '--reason',
      'stuck',
    );
    expect(again.answer).toMatchObject({ outcome: 'succeeded' });
    expect((await stepsOf(again.answer.run)).find(({ id }) => id === 'force-finalizers')).toMatchObject({
      status: 'done',
      message: expect.stringContaining('configmap/extra (example.com/hold') as string,
    });
    expect((await here.capture()).id).toBe(good);
  });

  it('is the former life of an object that the target has: it is made again when it is gone', async () => {
    await apply(configMap('again', 'good'));
    const good = (await here.capture(['--no-checks', '--as', 'whole'])).id;
    const { uid } = (await here.get('ConfigMap', 'again')).metadata;
    await apply(configMap('again', 'good', { finalizers: ['example.com/hold'] }));
    await kubectl(['-n', here.namespace, 'delete', 'configmap', 'again', '--wait=false']);
    const { answer, stderr } = await run(
      'rollback',
      here.name,
      '--to',
      'whole',
      '--yes',
      '--timeout',
      '3s',
      '--force-finalizers',
    );
    expect(stderr).toContain('configmap/again is still being deleted and is made again when it is gone');
    expect(answer).toMatchObject({ outcome: 'succeeded' });
    expect((await stepsOf(answer.run)).find(({ id }) => id === 'force-leaving')).toMatchObject({ status: 'done' });
    expect((await here.get('ConfigMap', 'again')).metadata.uid).not.toBe(uid);
    expect((await here.capture()).id).toBe(good);
  });

  it('is a pod on a node that does not answer: the failure names the flag, and the flag deletes it', async () => {
    await apply(configMap('a', 'pods'), stateful('db'));
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'statefulset/db', '--timeout=60s']);
    const good = (await here.capture(['--no-checks', '--as', 'steady'])).id;
    await apply(stateful('db', ghost));
    await kubectl([
      '-n',
      here.namespace,
      'wait',
      '--for=jsonpath={.spec.nodeName}=' + ghost,
      'pod/db-0',
      '--timeout=60s',
    ]);
    const stuck = await run('rollback', here.name, '--to', 'steady', '--yes', '--timeout', '20s');
    expect(stuck.code).toBe(4);
    expect(stuck.answer.reason).toContain('db-0');
    expect(stuck.answer.reason).toContain('--force-pods');

    const forced = await run(
      'rollback',
      here.name,
      '--to',
      'steady',
      '--yes',
      '--force-pods',
      '--abandon',
      stuck.answer.run,
      '--reason',
      'stuck',
    );
    expect(forced.answer).toMatchObject({ outcome: 'succeeded' });
    expect((await stepsOf(forced.answer.run)).find(({ id }) => id === 'force-pods')).toMatchObject({
      status: 'done',
      message: expect.stringContaining('deleted without grace: pod/db-0') as string,
    });
    await kubectl(['-n', here.namespace, 'rollout', 'status', 'statefulset/db', '--timeout=60s']);
    expect((await here.capture()).id).toBe(good);
  });

  it('is replaced instead of changed where that is asked for, and only there', async () => {
    await apply(configMap('a', 'one'), configMap('b', 'one'));
    await here.capture(['--no-checks', '--as', 'one']);
    await apply(configMap('a', 'two'), configMap('b', 'two'));
    const [a, b] = [await here.get('ConfigMap', 'a'), await here.get('ConfigMap', 'b')];
    const refused = await here.machine.refused([
      'rollback',
      here.name,
      '--to',
      'one',
      '--yes',
      '--force-replace',
      'configmap/c',
    ]);
    expect(refused).toMatchObject({ exit: 64, code: 'USAGE' });
    const { answer, stderr } = await run(
      'rollback',
      here.name,
      '--to',
      'one',
      '--yes',
      '--force-replace',
      'ConfigMap/a',
    );
    expect(answer).toMatchObject({ outcome: 'succeeded' });
    expect(stderr).toContain('configmap/a is deleted and created again, as --force-replace asks');
    expect((await here.get('ConfigMap', 'a')).metadata.uid).not.toBe(a.metadata.uid);
    expect((await here.get('ConfigMap', 'b')).metadata.uid).toBe(b.metadata.uid);
  });

  it('shows a conflict field by field, each with its owner', async () => {
    await apply(configMap('a', 'mine'));
    await here.capture(['--no-checks', '--as', 'mine']);
    await kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=night-operator', '-f', '-'], {
      input: configMap('a', 'theirs'),
    });
    const { code, stderr } = await here.machine.run(['rollback', here.name, '--to', 'mine', '--yes']);
    expect(code).toBe(7);
    expect(stderr).toMatch(/data\.v\s+night-operator/);
    expect(stderr).toContain('--take night-operator');
    expect((await here.rollback(['--to', 'mine', '--take', 'night-operator'])).outcome).toBe('succeeded');
  });
});
