import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, keyOf, refOf } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { configMap, deployment, expectArrived } from '../../provider/kubernetes/harness.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { type Machine, machine, resourcesIn, update } from './fixture.ts';
import { officialState } from './official-state.ts';

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
  space = await testNamespace('official');
  ns = space.name;
});
afterAll(async () => {
  await Promise.all([space.remove(), ...machines.map((made) => made.remove())]);
});

describe('the official plugin’s state', () => {
  const record = async (here: Machine, config: KubeObject, web: KubeObject, provider: object = {}): Promise<void> => {
    for (const object of [config, web]) await cluster.apply(object, { fieldManager: 'pulumi-kubernetes-1a2b3c4d' });
    const state = officialState([await live(config), await live(web)] as KubeObject[], [config, web], provider);
    await mkdir(dirname(here.checkpoint), { recursive: true });
    await writeFile(here.checkpoint, JSON.stringify(state));
    await writeFile(join(here.checkpoint, '..', '..', '..', 'meta.yaml'), 'version: 1\n');
  };

  it('is taken over without replacing anything, with the recorded field manager', async () => {
    const here = await fresh();
    const [config, web] = [configMap(ns, 'official-config', { mode: 'a', old: '1' }), deployment(ns, 'official-web')];
    await record(here, config, web);
    const uids = [(await live(config))?.metadata.uid, (await live(web))?.metadata.uid];
    const target = configMap(ns, 'official-config', { mode: 'b' });
    const result = await here.engine.up(update([target, web]));
    expect(result).toMatchObject({
      created: [],
      updated: [keyOf(target)],
      deleted: [],
      unchanged: [keyOf(web)],
      failed: [],
    });
    expect([(await expectArrived(target)).metadata.uid, (await live(web))?.metadata.uid]).toEqual(uids);
    const entry = (await resourcesIn(here.checkpoint)).find(({ id }) => id === `${ns}/official-config`);
    expect(entry?.outputs?.['__fieldManager']).toBe('pulumi-kubernetes-1a2b3c4d');
    expect((await live(target))?.metadata.managedFields?.map(({ manager }) => manager)).toEqual([
      'pulumi-kubernetes-1a2b3c4d',
    ]);
  });

  it('stays where it is when only the provider’s configuration differs', async () => {
    const here = await fresh();
    const [config, web] = [configMap(ns, 'moved-config', { mode: 'a' }), deployment(ns, 'moved-web')];
    await record(here, config, web, {
      clusterIdentifier: 'of-another-life',
      kubeconfig: 'apiVersion: v1',
      enableConfigMapMutable: 'false',
    });
    const uids = [(await live(config))?.metadata.uid, (await live(web))?.metadata.uid];
    const result = await here.engine.up(update([config, web]));
    expect(result).toMatchObject({ created: [], updated: [], deleted: [], failed: [] });
    expect([(await live(config))?.metadata.uid, (await live(web))?.metadata.uid]).toEqual(uids);
    const provider = (await resourcesIn(here.checkpoint)).find(({ type }) => type === 'pulumi:providers:kubernetes');
    expect(provider?.inputs?.['kubeconfig']).toBeUndefined();
  });

  it('goes on under a newer API version as the same resource', async () => {
    const here = await fresh();
    const [config, web] = [configMap(ns, 'version-config', { mode: 'a' }), deployment(ns, 'version-web')];
    await record(here, config, web);
    const state = await readFile(here.checkpoint, 'utf8');
    await writeFile(
      here.checkpoint,
      state.replaceAll('kubernetes:apps/v1:Deployment', 'kubernetes:apps/v1beta2:Deployment'),
    );
    const { uid } = (await live(web))?.metadata ?? {};
    const result = await here.engine.up(update([config, web]));
    expect(result).toMatchObject({ created: [], updated: [], deleted: [], failed: [] });
    expect((await live(web))?.metadata.uid).toBe(uid);
    const types = (await resourcesIn(here.checkpoint))
      .filter(({ id }) => id === `${ns}/version-web`)
      .map(({ type }) => type);
    expect(types).toEqual(['kubernetes:apps/v1:Deployment']);
  });

  it('has the shape that ours has, so that the plugin can take over as well', async () => {
    const [theirs, ours] = [await fresh(), await fresh()];
    const [config, web] = [configMap(ns, 'shape-config', { mode: 'a' }), deployment(ns, 'shape-web')];
    await record(theirs, config, web);
    await ours.engine.up(update([config, web]));
    const shapeOf = async (here: Machine): Promise<unknown> =>
      (await resourcesIn(here.checkpoint))
        .filter(({ type }) => type.startsWith('kubernetes:'))
        .map(({ urn, type, id, inputs, outputs }) => ({
          urn,
          type,
          id,
          inputs,
          outputs: Object.fromEntries(Object.entries(outputs ?? {}).map(([name, value]) => [name, typeof value])),
          noted: outputs?.['__inputs'],
        }))
        .sort((a, b) => (a.urn < b.urn ? -1 : 1));
    expect(await shapeOf(ours)).toEqual(await shapeOf(theirs));
  });
});

describe('a stack that asks for the official plugin', () => {
  it('says so when the plugin is not there, and changes nothing', async () => {
    const here = await fresh({ provider: 'official' });
    const target = configMap(ns, 'needs-plugin', { a: '1' });
    await expect(here.engine.up(update([target]))).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/plugin/i) as string,
    });
    expect(await live(target)).toBeUndefined();
  });
});
