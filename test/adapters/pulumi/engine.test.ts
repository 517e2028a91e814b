import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, keyOf, refOf } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { configMap, deployment, expectArrived } from '../../provider/kubernetes/harness.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { allText, type Machine, machine, PASSPHRASE, resourcesIn, update } from './fixture.ts';

const CANARY = 'canary-7f3a9c51';
let cluster: Cluster;
let space: Awaited<ReturnType<typeof testNamespace>>;
let ns: string;
const machines: Machine[] = [];
const fresh = async (...settings: Parameters<typeof machine>): Promise<Machine> => {
  const made = await machine(...settings);
  machines.push(made);
  return made;
};
const live = async (object: KubeObject): Promise<KubeObject | undefined> => cluster.get(refOf(object));

beforeAll(async () => {
  ({ cluster } = await testCluster());
  space = await testNamespace('engine');
  ns = space.name;
});
afterAll(async () => {
  await Promise.all([space.remove(), ...machines.map((made) => made.remove())]);
});

function secret(name: string, value: string): KubeObject {
  const encoded = Buffer.from(value).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: ns,
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"data":{"k":"${encoded}"}}` },
    },
    type: 'Opaque',
    data: { k: encoded },
  };
}

const service = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: ns },
  spec: { selector: { app: name }, ports: [{ port: 80 }] },
});
const objectsOf = (prefix: string): readonly KubeObject[] => [
  configMap(ns, `${prefix}-config`, { mode: 'a' }),
  secret(`${prefix}-secret`, CANARY),
  service(`${prefix}-web`),
  deployment(ns, `${prefix}-web`, { env: [{ name: 'MODE', value: 'a' }] }),
];

describe('an update', () => {
  it('brings a set of objects to live, finds nothing to do afterwards, and keeps no secret readable', async () => {
    const here = await fresh();
    const objects = objectsOf('plain');
    const preview = await here.engine.preview(update(objects));
    expect(preview.created).toEqual(objects.map(keyOf).sort());
    expect(await Promise.all(objects.map(live))).toEqual(objects.map(() => undefined));

    const first = await here.engine.up(update(objects));
    expect(first.created).toEqual(objects.map(keyOf).sort());
    expect(first.failed).toEqual([]);
    for (const object of objects) await expectArrived(object);

    const versions = async (): Promise<unknown> =>
      Promise.all(
        objects.map(
          async (object) => (await live(object))?.metadata.generation ?? (await live(object))?.metadata.resourceVersion,
        ),
      );
    const before = await versions();
    const again = await here.engine.up(update(objects));
    expect(again.unchanged).toEqual(objects.map(keyOf).sort());
    expect([again.created, again.updated, again.deleted]).toEqual([[], [], []]);
    expect(await versions()).toEqual(before);

    const written = await allText(here.dir);
    expect(written).toContain(`plain-secret`);
    for (const hidden of [CANARY, Buffer.from(CANARY).toString('base64'), PASSPHRASE])
      expect(written).not.toContain(hidden);
    expect(await readdir(join(here.dir, 'state', 'engine'))).toEqual([]);
  });

  it('has the same result with an empty state as with a full one', async () => {
    const [knowing, ignorant] = [await fresh(), await fresh()];
    const objects = objectsOf('state');
    await knowing.engine.up(update(objects));
    const target = objects.map((object) =>
      object.kind === 'ConfigMap' ? configMap(ns, object.metadata.name, { mode: 'b' }) : object,
    );
    const planned = await Promise.all([knowing, ignorant].map(({ engine }) => engine.preview(update(target))));
    const [full, empty] = planned.map(({ created, updated, deleted, unchanged }) => ({
      created,
      updated,
      deleted,
      unchanged,
    }));
    expect(empty).toEqual(full);
    expect(full?.updated).toEqual([`core/ConfigMap/${ns}/state-config`]);
    const uids = async (): Promise<unknown> =>
      Promise.all(target.map(async (object) => (await live(object))?.metadata.uid));
    const before = await uids();
    const result = await ignorant.engine.up(update(target));
    expect(result.updated).toEqual(full?.updated);
    expect(await uids()).toEqual(before);
    for (const object of target) await expectArrived(object);
  });

  it('leaves alone what is out of scope, with full and with empty state, registered or not', async () => {
    const [knowing, ignorant] = [await fresh(), await fresh()];
    const objects = objectsOf('scope');
    await knowing.engine.up(update(objects));
    const config = configMap(ns, 'scope-config', { mode: 'b' });
    for (const object of objects.slice(1)) {
      await cluster.patch(
        refOf(object),
        { type: 'merge', body: { metadata: { labels: { drifted: 'yes' } } } },
        { fieldManager: 'kubectl-label' },
      );
    }
    const before = await Promise.all(objects.slice(1).map(live));
    const scoped = update([config]).permit;
    await knowing.engine.up(update([config, ...objects.slice(1)], { permit: scoped }));
    await ignorant.engine.up(update([config, ...objects.slice(1)], { permit: scoped }));
    await knowing.engine.up(update([config], { permit: scoped }));
    expect((await live(config))?.['data']).toEqual({ mode: 'b' });
    for (const [index, object] of objects.slice(1).entries()) {
      const { uid, labels } = (await live(object))?.metadata ?? {};
      expect({ uid, labels }).toEqual({ uid: before[index]?.metadata.uid, labels: { drifted: 'yes' } });
    }
  });

  it('deletes what the plan names and nothing else that the program no longer registers', async () => {
    const here = await fresh();
    const [named, unnamed, kept] = ['named', 'unnamed', 'kept'].map((name) =>
      configMap(ns, `delete-${name}`, { a: '1' }),
    ) as [KubeObject, KubeObject, KubeObject];
    await here.engine.up(update([named, unnamed, kept]));
    const { uid = '', resourceVersion = '' } = (await live(named))?.metadata ?? {};
    const result = await here.engine.up(
      update([kept], { permit: { delete: new Map([[keyOf(named), { uid, resourceVersion }]]) } }),
    );
    expect(result.deleted).toEqual([keyOf(named)]);
    expect(result.details['kept']).toEqual([keyOf(unnamed)]);
    expect(await live(named)).toBeUndefined();
    expect(await live(unnamed)).toBeDefined();
  });

  it('replaces through the engine what the plan names', async () => {
    const here = await fresh();
    const from = deployment(ns, 'replace', { selector: 'one' });
    await here.engine.up(update([from]));
    const { uid } = (await live(from))?.metadata ?? {};
    const to = deployment(ns, 'replace', { selector: 'two' });
    const refused = await here.engine.up(update([to]));
    expect(refused.failed).toEqual([
      { key: keyOf(to), message: expect.stringMatching(/deleted and made again/) as string },
    ]);
    expect(refused.details['failures']).toEqual([
      { key: keyOf(to), code: 'PLAN_REFUSED', next: expect.any(String) as string },
    ]);
    const result = await here.engine.up(update([to], { permit: { replace: new Set([keyOf(to)]) } }));
    expect(result.details['replaced']).toEqual([keyOf(to)]);
    expect((await expectArrived(to)).metadata.uid).not.toBe(uid);
  });

  it('carries objects whose namespace and kind it makes itself', async () => {
    const here = await fresh();
    const group = `g${ns.replaceAll('-', '')}.example.com`;
    const definition: KubeObject = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `routes.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'routes', singular: 'route', kind: 'Route' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    };
    const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `${ns}-new` } };
    const route: KubeObject = {
      apiVersion: `${group}/v1`,
      kind: 'Route',
      metadata: { name: 'r', namespace: `${ns}-new` },
      spec: { to: 'web' },
    };
    const objects = [route, definition, namespace];
    expect((await here.engine.preview(update(objects))).failed).toEqual([]);
    const result = await here.engine.up(update(objects, { readyTimeoutMs: 20_000 }));
    expect(result.failed).toEqual([]);
    expect((await live(route))?.['spec']).toEqual({ to: 'web' });
    await cluster.delete(refOf(namespace));
    await cluster.delete(refOf(definition));
  });

  it('tells an object that does not become ready, and keeps it in the state with its id', async () => {
    const here = await fresh();
    const stuck: KubeObject = { ...deployment(ns, 'stuck', { replicas: 1 }) };
    const waiting = update([stuck], { readyTimeoutMs: 1500 });
    const result = await here.engine.up(waiting);
    expect(result.failed).toEqual([
      { key: keyOf(stuck), message: expect.stringMatching(/of 1|observed|not (been )?seen/) as string },
    ]);
    const entry = (await resourcesIn(here.checkpoint)).find(({ id }) => id === `${ns}/stuck`);
    expect(entry?.initErrors).toHaveLength(1);
    const mended = await here.engine.up(update([deployment(ns, 'stuck', { replicas: 0 })], { readyTimeoutMs: 20_000 }));
    expect(mended.failed).toEqual([]);
    expect((await resourcesIn(here.checkpoint)).find(({ id }) => id === `${ns}/stuck`)?.initErrors).toBeUndefined();
  });

  it('touches nothing that an order has behind one that does not become ready, and each after the other once it does', async () => {
    const here = await fresh();
    const second = deployment(ns, 'a-second', { replicas: 0 });
    const first = (replicas: number): KubeObject => deployment(ns, 'z-first', { replicas });
    const order = [keyOf(first(1)), keyOf(second)];
    const stuck = await here.engine.up(update([second, first(1)], { order, readyTimeoutMs: 1_500 }));
    expect(stuck.failed.map(({ key }) => key)).toEqual([keyOf(first(1))]);
    expect(await live(second)).toBeUndefined();
    const mending = update([second, first(0)], { order, readyTimeoutMs: 20_000 });
    expect((await here.engine.up(mending)).failed).toEqual([]);
    expect(await live(second)).toBeDefined();
    expect([...new Set(mending.said.map(({ key }) => key))]).toEqual(order);
    const places = mending.said.map(({ key }) => order.indexOf(key));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it('names the object and the reason when admission refuses it, and goes on with nothing that needs it', async () => {
    const here = await fresh();
    const bad = configMap(ns, 'bad', { 'not a/valid key': '1' });
    const result = await here.engine.up(update([bad]));
    expect(result.failed).toEqual([
      { key: keyOf(bad), message: expect.stringMatching(/Invalid value: "not a\/valid key"/) as string },
    ]);
  });
});
