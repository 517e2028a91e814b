import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capturedForm, digestOf, type KubeObject, keyOf, refOf } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { configMap, deployment, expectArrived, harness, permitting } from './harness.ts';

let cluster: Cluster;
let space: Awaited<ReturnType<typeof testNamespace>>;
let ns: string;
let count = 0;
const unique = (): string => `o${(count += 1)}`;
const live = async (object: KubeObject): Promise<KubeObject | undefined> => cluster.get(refOf(object));
beforeAll(async () => {
  ({ cluster } = await testCluster());
  space = await testNamespace('provider');
  ns = space.name;
});
afterAll(async () => space.remove());

describe('creating', () => {
  it('takes over what is already there, in place', async () => {
    const before = await cluster.create(configMap(ns, unique(), { old: '1' }));
    const target = configMap(ns, before.metadata.name, { new: '2' });
    const { session, create } = await harness();
    const { id, outputs } = await create(target);
    const after = await expectArrived(target);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(id).toBe(`${ns}/${before.metadata.name}`);
    expect(outputs.value).toMatchObject({
      data: { new: '2' },
      __fieldManager: 'backstay',
      __initialApiVersion: 'v1',
      __inputs: target,
    });
    expect(session.outcomes.get(keyOf(target))?.action).toBe('updated');
  });

  it('writes nothing when live equals the target', async () => {
    const target = configMap(ns, unique(), { a: '1' });
    const { resourceVersion } = (await cluster.create(target)).metadata;
    const { session, create } = await harness();
    await create(target);
    expect((await live(target))?.metadata.resourceVersion).toBe(resourceVersion);
    expect(session.outcomes.get(keyOf(target))?.action).toBe('unchanged');
  });

  it('gives owner references today’s UIDs and drops owners that are gone', async () => {
    const owner = await cluster.create(configMap(ns, unique(), {}));
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', uid: 'of-another-life' };
    const target: KubeObject = {
      ...configMap(ns, unique(), { a: '1' }),
      metadata: {
        name: `owned${count}`,
        namespace: ns,
        ownerReferences: [
          { ...reference, name: owner.metadata.name },
          { ...reference, name: 'gone' },
        ],
      },
    };
    await (await harness()).create(target);
    expect((await live(target))?.metadata.ownerReferences).toEqual([
      { apiVersion: 'v1', kind: 'ConfigMap', name: owner.metadata.name, uid: owner.metadata.uid },
    ]);
  });

  it('previews what the server would make of it, and within a namespace that is still to come its inputs', async () => {
    const target = deployment(ns, unique());
    const { create, check } = await harness();
    const { outputs } = await create(target, { preview: true });
    expect(outputs.value).toMatchObject({ spec: { revisionHistoryLimit: 10 } });
    expect(outputs.value['status']).toBeUndefined();
    expect(await live(target)).toBeUndefined();
    const elsewhere = configMap('not-there-yet', 'c', { a: '1' });
    await expect(create(elsewhere, { preview: true })).rejects.toMatchObject({ code: 'OBJECT_REFUSED' });
    await check({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'not-there-yet' } });
    expect((await create(elsewhere, { preview: true })).outputs.value).toMatchObject({ data: { a: '1' } });
  });

  it('marks what a Secret holds as secret, wherever it is repeated', async () => {
    const target: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: unique(), namespace: ns },
      data: { k: 'djE=' },
    };
    const { outputs } = await (await harness()).create(target);
    const paths = (outputs.secrets ?? []).map((path) => path.join('.'));
    expect(paths).toEqual(expect.arrayContaining(['data', 'stringData', '__inputs.data', '__inputs.stringData']));
    expect(paths).toContain('metadata.annotations.kubectl.kubernetes.io/last-applied-configuration');
  });
});

describe('diffing', () => {
  it('tells what the live object lacks, whatever the state says', async () => {
    const target = configMap(ns, unique(), { a: '1' });
    await cluster.create(target);
    const { diff } = await harness();
    expect(await diff(target, { data: { a: 'stale' } })).toMatchObject({ changed: false });
    await cluster.patch(refOf(target), { type: 'merge', body: { data: { b: '2' } } });
    expect(await diff(target, { data: { a: '1' } })).toEqual({
      changed: true,
      properties: ['data'],
      replaces: [],
      deleteFirst: false,
    });
  });

  it('does not mistake the server’s defaults for changes', async () => {
    const target = deployment(ns, unique());
    await cluster.create(target);
    expect(await (await harness()).diff(target)).toMatchObject({ changed: false });
  });

  it('wants a missing object made again, and the update makes it', async () => {
    const target = configMap(ns, unique(), { a: '1' });
    const { diff, update, session } = await harness();
    expect((await diff(target)).changed).toBe(true);
    await update(target);
    await expectArrived(target);
    expect(session.outcomes.get(keyOf(target))?.action).toBe('created');
  });
});

describe('updating', () => {
  it('changes ConfigMap and Secret in place', async () => {
    const config = await cluster.create(configMap(ns, unique(), { a: '1' }));
    const secret = await cluster.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: unique(), namespace: ns },
      data: { k: 'djE=' },
    });
    const { update, diff } = await harness();
    for (const [object, data] of [
      [config, { a: '2' }],
      [secret, { k: 'djI=' }],
    ] as const) {
      const target: KubeObject = {
        apiVersion: 'v1',
        kind: object.kind,
        metadata: { name: object.metadata.name, namespace: ns },
        data,
      };
      expect((await diff(target)).replaces).toEqual([]);
      await update(target);
      expect((await expectArrived(target)).metadata.uid).toBe(object.metadata.uid);
    }
  });

  it('restarts pods by a mark of ours on their template, once for each value', async () => {
    const name = unique();
    await (await harness()).create(deployment(ns, name));
    const marked = (value: string): KubeObject => {
      const plain = deployment(ns, name);
      const spec = plain['spec'] as { template: { metadata: object } };
      const metadata = { ...spec.template.metadata, annotations: { 'backstay.dev/config-digest': value } };
      return { ...plain, spec: { ...spec, template: { ...spec.template, metadata } } };
    };
    const generation = async (): Promise<number> => (await live(marked('')))?.metadata.generation ?? 0;
    const before = await generation();
    for (const value of ['one', 'one', 'two']) {
      const { diff, update } = await harness();
      if ((await diff(marked(value))).changed) await update(marked(value));
    }
    expect(await generation()).toBe(before + 2);
    expect((await (await harness()).diff(deployment(ns, name))).changed).toBe(false);
  });

  it('goes on with the field manager that the state records', async () => {
    const target = configMap(ns, unique(), { a: '1' });
    await cluster.apply(configMap(ns, target.metadata.name, { a: '0', b: '0' }), {
      fieldManager: 'pulumi-kubernetes-0a1b2c3d',
    });
    const outputs = await (await harness()).update(target, { __fieldManager: 'pulumi-kubernetes-0a1b2c3d' });
    expect(outputs.value['__fieldManager']).toBe('pulumi-kubernetes-0a1b2c3d');
    const managers = ((await expectArrived(target)).metadata.managedFields ?? []).map(({ manager }) => manager);
    expect(managers).toEqual(['pulumi-kubernetes-0a1b2c3d']);
  });

  it('leaves what the plan does not name as it is, present or missing', async () => {
    const target = configMap(ns, unique(), { a: '1' });
    const present = await cluster.create(configMap(ns, target.metadata.name, { a: 'other' }));
    const missing = configMap(ns, unique(), { a: '1' });
    const { diff, update, create } = await harness({ permit: permitting([]) });
    expect(await diff(target)).toMatchObject({ changed: false });
    await update(target);
    await create(target);
    await create(missing);
    expect((await live(target))?.metadata.resourceVersion).toBe(present.metadata.resourceVersion);
    expect(await live(missing)).toBeUndefined();
  });
});

describe('moved objects', () => {
  it('are refused by name when someone else changed them since the plan', async () => {
    const target = configMap(ns, unique(), { a: '2' });
    const seen = await cluster.create(configMap(ns, target.metadata.name, { a: '1' }));
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { data: { a: 'theirs' } } },
      { fieldManager: 'kubectl-edit' },
    );
    const observed = new Map([[keyOf(target), seen.metadata.resourceVersion ?? '']]);
    const { update } = await harness({ permit: permitting([target], { observed }) });
    await expect(update(target)).rejects.toMatchObject({
      code: 'OBJECT_MOVED',
      message: expect.stringMatching(/data\.a changed by kubectl-edit/) as string,
    });
    expect((await live(target))?.['data']).toEqual({ a: 'theirs' });
  });

  it('are not those of which only the status moved, or which Backstay itself wrote', async () => {
    const target = deployment(ns, unique(), { env: [{ name: 'A', value: '2' }] });
    const seen = await cluster.create(deployment(ns, target.metadata.name));
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { status: { collisionCount: 1 } } },
      { subresource: 'status', fieldManager: 'someone' },
    );
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { spec: { minReadySeconds: 1 } } },
      { fieldManager: 'backstay' },
    );
    const observed = new Map([[keyOf(target), seen.metadata.resourceVersion ?? '']]);
    await (await harness({ permit: permitting([target], { observed }) })).update(target);
    expect((await expectArrived(target)).metadata.uid).toBe(seen.metadata.uid);
  });

  it('are told by the digest of their captured form as well', async () => {
    const target = configMap(ns, unique(), { a: '2' });
    const seen = await cluster.create(configMap(ns, target.metadata.name, { a: '1' }), { fieldManager: 'kubectl' });
    const observed = new Map([[keyOf(target), digestOf(capturedForm(seen))]]);
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { data: { a: 'theirs' } } },
      { fieldManager: 'kubectl-edit' },
    );
    await expect((await harness({ permit: permitting([target], { observed }) })).update(target)).rejects.toMatchObject({
      code: 'OBJECT_MOVED',
    });
    await cluster.patch(refOf(target), { type: 'merge', body: { data: { a: '1' } } }, { fieldManager: 'kubectl-edit' });
    await (await harness({ permit: permitting([target], { observed }) })).update(target);
    await expectArrived(target);
  });
});

describe('immutable fields', () => {
  it.each([
    [
      'a Deployment’s selector',
      (name: string) => [deployment(ns, name, { selector: 'one' }), deployment(ns, name, { selector: 'two' })],
    ],
    [
      'the data of an immutable ConfigMap',
      (name: string) => [
        configMap(ns, name, { a: '1' }, { immutable: true }),
        configMap(ns, name, { a: '2' }, { immutable: true }),
      ],
    ],
    ['a Service’s headlessness', (name: string) => [service(name, 'None'), service(name)]],
    ['a role reference', (name: string) => [binding(name, 'view'), binding(name, 'edit')]],
    ['a Secret’s type', (name: string) => [secretOf(name, 'Opaque'), secretOf(name, 'example.com/other')]],
    ['volume claim templates', (name: string) => [statefulSet(name, '1Gi'), statefulSet(name, '2Gi')]],
  ])('replace %s only when the plan names the replacement', async (_what, make) => {
    const [from, to] = make(unique()) as [KubeObject, KubeObject];
    const before = await cluster.create(from);
    const refused = await harness({ permit: permitting([to]) });
    expect((await refused.diff(to)).replaces).toEqual([]);
    await expect(refused.update(to, {}, { preview: true })).rejects.toMatchObject({ code: 'PLAN_REFUSED' });
    await expect(refused.update(to)).rejects.toMatchObject({ code: 'PLAN_REFUSED' });
    expect((await live(to))?.metadata.uid).toBe(before.metadata.uid);

    const approved = await harness({ permit: permitting([to], { replace: new Set([keyOf(to)]) }) });
    await approved.check(to);
    const diff = await approved.diff(to);
    expect(diff.deleteFirst).toBe(true);
    expect(diff.replaces).not.toEqual([]);
    await approved.delete(from);
    expect(await live(to)).toBeUndefined();
    await approved.create(to);
    const after = await expectArrived(to);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(approved.session.outcomes.get(keyOf(to))?.action).toBe('replaced');
  });

  it('are replaced in one step when the state knows nothing of the object', async () => {
    const name = unique();
    const before = await cluster.create(deployment(ns, name, { selector: 'one' }));
    const to = deployment(ns, name, { selector: 'two' });
    const { create } = await harness({ permit: permitting([to], { replace: new Set([keyOf(to)]) }) });
    await create(to);
    expect((await expectArrived(to)).metadata.uid).not.toBe(before.metadata.uid);
  });

  it('keep a Service’s address through a replacement', async () => {
    const name = unique();
    const before = (await cluster.create(service(name)))['spec'] as { clusterIP: string };
    const { session } = await harness();
    const former = await live(service(name));
    await cluster.delete(refOf(service(name)));
    const again = await harness();
    if (former !== undefined) again.session.replacing.set(keyOf(former), former);
    await again.create(service(name));
    expect((await live(service(name)))?.['spec']).toMatchObject({ clusterIP: before.clusterIP });
    expect(session.outcomes.size).toBe(0);
  });
});

describe('reading', () => {
  it('finds an object for an import, in captured form, and says when it is gone', async () => {
    const object = configMap(ns, unique(), { a: '1' });
    const { read } = await harness();
    expect(await read(object)).toBeUndefined();
    await cluster.create(object);
    const found = await read(object);
    expect(found?.inputs.value).toEqual(object);
    expect(found?.outputs.value).toMatchObject({ data: { a: '1' }, __initialApiVersion: 'v1' });
    await cluster.delete(refOf(object));
    expect(await read(object)).toBeUndefined();
  });
});

describe('checking', () => {
  it.each([
    [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: {} } as unknown as KubeObject, /metadata\.name|fixed name/],
    [{ apiVersion: 'apps/v1', kind: 'DeploymentPatch', metadata: { name: 'x' } }, /stands for no object/],
    [{ apiVersion: 'helm.sh/v3', kind: 'Release', metadata: { name: 'x' } }, /official plugin only/],
  ])('refuses %j', async (object, reason) => {
    await expect((await harness()).check(object)).rejects.toThrow(reason);
  });
});

function service(name: string, clusterIP?: 'None'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: ns },
    spec: { selector: { app: name }, ports: [{ port: 80 }], ...(clusterIP === undefined ? {} : { clusterIP }) },
  };
}

function binding(name: string, role: string): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name, namespace: ns },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [],
  };
}

function secretOf(name: string, type: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: ns }, type, data: {} };
}

function statefulSet(name: string, storage: string): KubeObject {
  const { spec } = deployment(ns, name) as unknown as { spec: object };
  const claims = [
    { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } },
  ];
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: ns },
    spec: { ...spec, serviceName: name, volumeClaimTemplates: claims },
  };
}
