import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/model/index.ts';
import type { ApiKind, Cluster, WatchEvent } from '../../src/ports/index.ts';
import { clusterPodsContract } from './cluster-pods.ts';

/** What every Cluster must do against a real API server. `make` gives a connection and a namespace of its own. */
export function clusterContract(make: () => Promise<{ readonly cluster: Cluster; readonly namespace: string }>): void {
  let cluster: Cluster;
  let namespace: string;

  beforeAll(async () => {
    ({ cluster, namespace } = await make());
  });

  const configMap = (name: string, data: Record<string, string> = {}, extra: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, ...extra },
    data,
  });
  const refTo = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name });
  const kind = async (apiVersion: string, name: string): Promise<ApiKind> => {
    const found = await cluster.kindOf(apiVersion, name);
    if (found === undefined) throw new TypeError(`${name} is not served`);
    return found;
  };

  describe('what is served', () => {
    it('tells who the cluster is', async () => {
      const identity = await cluster.identity();
      expect(identity.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(identity.version).toMatch(/^v1\.\d+/);
      expect(identity.server).toMatch(/^https?:\/\//);
    });

    it('lists each kind once, in one version', async () => {
      const kinds = await cluster.kinds();
      const names = kinds.map((one) => `${one.group}/${one.kind}`);
      expect(new Set(names).size).toBe(names.length);
      expect(kinds).toContainEqual(
        expect.objectContaining({
          group: 'apps',
          version: 'v1',
          kind: 'Deployment',
          resource: 'deployments',
          namespaced: true,
        }),
      );
      expect(kinds.find((one) => one.kind === 'Namespace' && one.group === '')?.namespaced).toBe(false);
      expect(kinds.every((one) => one.verbs.includes('list'))).toBe(true);
    });

    it('says KIND_UNKNOWN for a kind that is not served, and undefined when only asked about it', async () => {
      await expect(cluster.kindOf('nobody.example/v1', 'Nothing')).resolves.toBeUndefined();
      const asked = cluster.get({ apiVersion: 'nobody.example/v1', kind: 'Nothing', namespace, name: 'x' });
      await expect(asked).rejects.toMatchObject({ code: 'KIND_UNKNOWN', details: { kind: 'Nothing' } });
    });
  });

  describe('custom resources', () => {
    const group = `g${Math.random().toString(36).slice(2, 10)}.example.com`;
    const definition: ObjectRef = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      name: `widgets.${group}`,
    };
    afterAll(async () => {
      await cluster.delete(definition);
    });

    it('finds a kind whose definition came after the first look, and returns every field byte for byte', async () => {
      await cluster.kinds();
      await cluster.create({
        apiVersion: definition.apiVersion,
        kind: definition.kind,
        metadata: { name: definition.name },
        spec: {
          group,
          scope: 'Namespaced',
          names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          ],
        },
      });
      await established(cluster, definition.name);
      const spec = {
        nobodyKnows: { deep: [{ x: null, y: [], z: {} }], time: '2026-01-02T03:04:05.123456789Z' },
        number: 9007199254740991,
        fraction: 0.1,
        text: 'ünï\u0000code \n "quoted" \u{1F600}',
        yes: false,
      };
      const object: KubeObject = {
        apiVersion: `${group}/v1`,
        kind: 'Widget',
        metadata: { name: 'w', namespace },
        spec,
        beside: { spec: 1 },
      };
      await cluster.create(object);
      const read = await cluster.get({ apiVersion: `${group}/v1`, kind: 'Widget', namespace, name: 'w' });
      expect(read?.['spec']).toEqual(spec);
      expect(read?.['beside']).toEqual({ spec: 1 });
      const listed = await cluster.list(await kind(`${group}/v1`, 'Widget'), { namespace });
      expect(listed.items.map((item) => item['spec'])).toEqual([spec]);
    });
  });

  describe('reading', () => {
    it('returns undefined for an object that is not there', async () => {
      await expect(cluster.get(refTo('nobody'))).resolves.toBeUndefined();
    });

    it('puts all pages of a list together, each item with its type', async () => {
      const names = ['page-1', 'page-2', 'page-3', 'page-4', 'page-5'];
      await Promise.all(names.map((name) => cluster.create(configMap(name, {}, { labels: { list: 'paged' } }))));
      const list = await cluster.list(await kind('v1', 'ConfigMap'), {
        namespace,
        labelSelector: 'list=paged',
        limit: 2,
      });
      expect(list.items.map(({ metadata }) => metadata.name).sort()).toEqual(names);
      expect(list.items.every((item) => item.apiVersion === 'v1' && item.kind === 'ConfigMap')).toBe(true);
      expect(Number(list.resourceVersion)).toBeGreaterThan(0);
    });

    it('stops when its signal fires', async () => {
      const signal = AbortSignal.abort();
      await expect(cluster.list(await kind('v1', 'ConfigMap'), { namespace, signal })).rejects.toMatchObject({
        code: 'CANCELLED',
      });
    });
  });

  describe('writing', () => {
    it('applies, and names manager and field when another one owns it', async () => {
      await cluster.apply(configMap('owned', { key: 'mine', other: 'mine' }), { fieldManager: 'first' });
      const refused = cluster.apply(configMap('owned', { key: 'theirs' }), { fieldManager: 'second' });
      await expect(refused).rejects.toMatchObject({
        code: 'OBJECT_CONFLICT',
        details: { conflicts: [{ manager: 'first', field: 'data.key' }] },
      });
      const forced = await cluster.apply(configMap('owned', { key: 'theirs' }), {
        fieldManager: 'second',
        force: true,
      });
      expect(forced['data']).toEqual({ key: 'theirs', other: 'mine' });
    });

    it('applies what was read, managed fields and all', async () => {
      const made = await cluster.apply(configMap('again', { key: '1' }));
      const again = await cluster.apply({ ...made, data: { key: '2' } });
      expect(again['data']).toEqual({ key: '2' });
    });

    it('refuses to apply over a version that is not the live one', async () => {
      const made = await cluster.apply(configMap('versioned', { key: '1' }));
      await cluster.apply(configMap('versioned', { key: '2' }));
      const { resourceVersion = '' } = made.metadata;
      const stale = cluster.apply(configMap('versioned', { key: '3' }, { resourceVersion }));
      await expect(stale).rejects.toMatchObject({ code: 'OBJECT_MOVED' });
      await expect(cluster.replace(configMap('versioned', {}, { resourceVersion }))).rejects.toMatchObject({
        code: 'OBJECT_MOVED',
      });
    });

    it('changes nothing in a dry run, and answers as if it had', async () => {
      const tried = await cluster.apply(configMap('dry', { key: '1' }), { dryRun: true });
      expect(tried['data']).toEqual({ key: '1' });
      await expect(cluster.get(refTo('dry'))).resolves.toBeUndefined();
      await cluster.apply(configMap('wet', { key: '1' }));
      await cluster.delete(refTo('wet'), { dryRun: true });
      await expect(cluster.get(refTo('wet'))).resolves.toBeDefined();
    });

    it('says OBJECT_MOVED for a creation over what exists', async () => {
      await cluster.create(configMap('twice'));
      await expect(cluster.create(configMap('twice'))).rejects.toMatchObject({
        code: 'OBJECT_MOVED',
        details: { exists: true },
      });
    });

    it('patches in each of the three ways', async () => {
      await cluster.create(configMap('patched', { a: '1', b: '1' }));
      await cluster.patch(refTo('patched'), { type: 'merge', body: { data: { a: null } } });
      await cluster.patch(refTo('patched'), { type: 'strategic', body: { data: { c: '3' } } });
      const last = await cluster.patch(refTo('patched'), {
        type: 'json',
        body: [{ op: 'replace', path: '/data/b', value: '2' }],
      });
      expect(last['data']).toEqual({ b: '2', c: '3' });
    });

    it('says OBJECT_MOVED for a JSON patch whose test does not hold', async () => {
      await cluster.create(configMap('tested', { a: '1' }));
      const body = [{ op: 'test', path: '/metadata/resourceVersion', value: '1' }];
      await expect(cluster.patch(refTo('tested'), { type: 'json', body })).rejects.toMatchObject({
        code: 'OBJECT_MOVED',
      });
    });

    it('says OBJECT_REFUSED with the reason for an invalid object and for a missing namespace', async () => {
      const invalid = cluster.create({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'x', namespace },
        spec: {},
      });
      await expect(invalid).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        message: expect.stringContaining('spec.selector'),
      });
      const lost = cluster.create({ ...configMap('x'), metadata: { name: 'x', namespace: 'nobody-made-this' } });
      await expect(lost).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        details: { missingNamespace: 'nobody-made-this' },
      });
      const nowhere = cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } });
      await expect(nowhere).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        message: expect.stringContaining('names no namespace'),
      });
    });

    it('deletes only the object that is meant', async () => {
      const made = await cluster.create(configMap('doomed'));
      const wrong = cluster.delete(refTo('doomed'), { uid: '00000000-0000-4000-8000-000000000000' });
      await expect(wrong).rejects.toMatchObject({ code: 'OBJECT_MOVED' });
      await expect(cluster.delete(refTo('doomed'), { resourceVersion: '1' })).rejects.toMatchObject({
        code: 'OBJECT_MOVED',
      });
      const { uid = '', resourceVersion = '' } = made.metadata;
      await expect(cluster.delete(refTo('doomed'), { uid, resourceVersion, propagation: 'Background' })).resolves.toBe(
        'deleted',
      );
      await expect(cluster.delete(refTo('doomed'))).resolves.toBe('absent');
    });
  });

  describe('watching', () => {
    it('tells what is there, says synced, then every change, until the signal fires', async () => {
      await cluster.create(configMap('seen-before', {}, { labels: { watch: 'me' } }));
      const stop = new AbortController();
      const seen: string[] = [];
      const watched = await kind('v1', 'ConfigMap');
      for await (const event of cluster.watch(watched, { namespace, labelSelector: 'watch=me', signal: stop.signal })) {
        seen.push(line(event));
        if (event.type === 'synced')
          await cluster.create(configMap('seen-live', { v: '1' }, { labels: { watch: 'me' } }));
        if (event.type === 'added' && line(event) === 'added seen-live')
          await cluster.apply(configMap('seen-live', { w: '2' }));
        if (event.type === 'modified') await cluster.delete(refTo('seen-live'));
        if (event.type === 'deleted') stop.abort();
      }
      expect(seen).toEqual([
        'added seen-before',
        'synced',
        'added seen-live',
        'modified seen-live',
        'deleted seen-live',
      ]);
    });

    it('follows a single object by name', async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      for await (const event of cluster.watch(await kind('v1', 'ConfigMap'), {
        namespace,
        name: 'only-me',
        signal: stop.signal,
      })) {
        seen.push(line(event));
        if (event.type === 'synced') {
          await cluster.create(configMap('not-me'));
          await cluster.create(configMap('only-me'));
        } else stop.abort();
      }
      expect(seen).toEqual(['synced', 'added only-me']);
    });
  });

  clusterPodsContract(() => ({ cluster, namespace }));
}

const line = (event: WatchEvent): string =>
  event.type === 'synced' ? 'synced' : `${event.type} ${event.object.metadata.name}`;

async function established(cluster: Cluster, name: string): Promise<void> {
  const definitions = await cluster.kindOf('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
  const stop = new AbortController();
  for await (const event of cluster.watch(definitions!, { name, signal: stop.signal })) {
    if (event.type === 'synced') continue;
    const { conditions } = (event.object['status'] ?? {}) as { conditions?: { type: string; status: string }[] | null };
    if (conditions?.some(({ type, status }) => type === 'Established' && status === 'True') === true) stop.abort();
  }
}
