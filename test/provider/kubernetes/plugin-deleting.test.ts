import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, keyOf, type ObjectKey, refOf } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { configMap, harness, permitting } from './harness.ts';

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

describe('deleting', () => {
  const forDeletion = (object: KubeObject, more: { readonly uid?: string; readonly resourceVersion?: string } = {}) =>
    permitting([], { delete: new Map<ObjectKey, object>([[keyOf(object), more]]) });

  it('waits until exactly the planned object is gone; one that is gone already is fine', async () => {
    const object = await cluster.create(configMap(ns, unique(), {}));
    const { uid = '', resourceVersion = '' } = object.metadata;
    const permit = forDeletion(object, { uid, resourceVersion });
    await (await harness({ permit })).delete(object);
    expect(await live(object)).toBeUndefined();
    await (await harness({ permit })).delete(object);
  });

  it('refuses one that was made again or changed since the plan', async () => {
    const object = await cluster.create(configMap(ns, unique(), { a: '1' }), { fieldManager: 'kubectl' });
    const other = forDeletion(object, { uid: '00000000-0000-0000-0000-000000000000' });
    await expect((await harness({ permit: other })).delete(object)).rejects.toMatchObject({ code: 'OBJECT_MOVED' });
    const { uid = '', resourceVersion = '' } = object.metadata;
    await cluster.patch(refOf(object), { type: 'merge', body: { data: { a: '2' } } }, { fieldManager: 'kubectl-edit' });
    const stale = forDeletion(object, { uid, resourceVersion });
    await expect((await harness({ permit: stale })).delete(object)).rejects.toMatchObject({ code: 'OBJECT_MOVED' });
    expect(await live(object)).toBeDefined();
  });

  it('leaves what the plan does not name, and says so', async () => {
    const object = await cluster.create(configMap(ns, unique(), {}));
    const { delete: remove, warnings, session } = await harness({ permit: permitting([object]) });
    await remove(object);
    expect(await live(object)).toBeDefined();
    expect(warnings).toEqual([expect.stringMatching(/left as it is: the plan does not name it/)]);
    expect(session.outcomes.get(keyOf(object))?.action).toBe('kept');
  });

  it('leaves a live object that is registered under another name', async () => {
    const object = await cluster.create(configMap(ns, unique(), {}));
    const { check, delete: remove, warnings } = await harness({ permit: forDeletion(object) });
    await check(object);
    await remove(object, 'the-name-in-an-older-program');
    expect(await live(object)).toBeDefined();
    expect(warnings[0]).toMatch(/is registered as urn:/);
  });

  it('without a plan never takes what holds data or other objects', async () => {
    const claim: KubeObject = await cluster.create({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: unique(), namespace: ns },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    const config = await cluster.create(configMap(ns, unique(), {}));
    const { delete: remove, warnings } = await harness();
    for (const object of [claim, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } }, config])
      await remove(object);
    expect(await live(claim)).toBeDefined();
    expect(
      (await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: ns }))?.metadata.deletionTimestamp,
    ).toBeUndefined();
    expect(await live(config)).toBeUndefined();
    expect(warnings).toHaveLength(2);
  });
});
