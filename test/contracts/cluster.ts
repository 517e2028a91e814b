import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/model/index.ts';
import type { ApiKind, Cluster, WatchEvent } from '../../src/ports/index.ts';

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

  describe('containers', () => {
    const pod = 'talker';
    const container = 'main';
    beforeAll(async () => {
      const script = "console.log('one'); console.error('two'); console.log('three'); process.exit(3)";
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: pod, namespace },
        spec: {
          restartPolicy: 'OnFailure',
          terminationGracePeriodSeconds: 0,
          containers: [{ name: container, image: 'backstay/echo:v1', command: ['node', '-e', script] }],
        },
      });
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'lasting', namespace },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: container, image: 'backstay/echo:v1' }] },
      });
      // A restart: then there is a run before.
      await podIs('talker', ({ restartCount = 0 }) => restartCount > 0);
      await podIs('lasting', ({ state }) => state?.running !== undefined);
    });

    interface ContainerStatus {
      readonly restartCount?: number;
      readonly state?: { readonly running?: object };
    }

    async function podIs(name: string, is: (status: ContainerStatus) => boolean): Promise<void> {
      const stop = new AbortController();
      for await (const event of cluster.watch(await kind('v1', 'Pod'), { namespace, name, signal: stop.signal })) {
        if (event.type === 'synced') continue;
        const { containerStatuses = [] } = (event.object['status'] ?? {}) as { containerStatuses?: ContainerStatus[] };
        if (containerStatuses.some(is)) stop.abort();
      }
    }

    it('have logs of the run before', async () => {
      const text = await cluster.logs({ namespace, pod, container, previous: true });
      expect(text.split('\n').toSorted()).toEqual(['', 'one', 'three', 'two']);
    });

    it('give the newest lines, and a time in front of each where that is wanted', async () => {
      const text = await cluster.logs({ namespace, pod, container, previous: true, tailLines: 1, timestamps: true });
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z (one|two|three)\n$/);
    });

    it('give the lines since a time', async () => {
      const sinceTime = new Date(Date.now() + 3_600_000).toISOString();
      await expect(cluster.logs({ namespace, pod, container, previous: true, sinceTime })).resolves.toBe('');
    });

    it('give no more bytes than are wanted', async () => {
      const text = await cluster.logs({ namespace, pod, container, previous: true, limitBytes: 5 });
      expect(Buffer.byteLength(text)).toBe(5);
    });

    it('that are not there have none, and it is said which', async () => {
      await expect(cluster.logs({ namespace, pod, container: 'nobody' })).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        message: expect.stringContaining('nobody'),
      });
      await expect(cluster.logs({ namespace, pod: 'lasting', container, previous: true })).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        message: expect.stringContaining('previous'),
      });
    });

    it('run a program, and tell its exit code and what it said', async () => {
      const script = "console.log('out'); console.error('err'); process.exit(4)";
      const command = ['node', '-e', script];
      await expect(cluster.exec({ namespace, pod: 'lasting', container, command })).resolves.toEqual({
        exitCode: 4,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      const fine = await cluster.exec({ namespace, pod: 'lasting', container, command: ['node', '-e', ''] });
      expect(fine).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    });

    it('feed a program what it reads, and give what it writes, whatever its size', async () => {
      const piece = Buffer.from(Array.from({ length: 2 ** 16 }, (_, n) => n % 251));
      const pieces = 48;
      const stdin = (async function* () {
        for (let sent = 0; sent < pieces; sent += 1) yield await Promise.resolve(piece);
      })();
      const [sum, wanted] = [createHash('sha256'), createHash('sha256')];
      for (let sent = 0; sent < pieces; sent += 1) wanted.update(piece);
      let bytes = 0;
      const onStdout = (chunk: Uint8Array): void => {
        sum.update(chunk);
        bytes += chunk.length;
      };
      const command = ['sh', '-c', 'head -c "$1"; echo enough >&2', 'sh', String(pieces * piece.length)];
      const result = await cluster.exec({ namespace, pod: 'lasting', container, command, stdin, onStdout });
      expect(result).toEqual({ exitCode: 0, stdout: '', stderr: 'enough\n' });
      expect(bytes).toBe(pieces * piece.length);
      expect(sum.digest('hex')).toBe(wanted.digest('hex'));
    });

    it('end with a program that does not read all that it is fed, and with a source that fails', async () => {
      const endless = (async function* () {
        for (;;) yield await Promise.resolve(Buffer.alloc(2 ** 16));
      })();
      const command = ['sh', '-c', 'head -c 10 >/dev/null; exit 3'];
      const result = await cluster.exec({ namespace, pod: 'lasting', container, command, stdin: endless });
      expect(result.exitCode).toBe(3);
      const failing = (async function* () {
        yield await Promise.resolve(Buffer.from('a'));
        throw new TypeError('the file is gone');
      })();
      const reading = ['sh', '-c', 'head -c 10'];
      const asked = cluster.exec({ namespace, pod: 'lasting', container, command: reading, stdin: failing });
      await expect(asked).rejects.toThrow('the file is gone');
    });

    it('tell a program that they do not have by 126 or 127', async () => {
      const { exitCode } = await cluster.exec({ namespace, pod: 'lasting', container, command: ['no-such-program'] });
      expect([126, 127]).toContain(exitCode);
    });

    it('that do not run cannot run a program, and the call says so', async () => {
      const asked = cluster.exec({ namespace, pod: 'nobody', container, command: ['true'] });
      await expect(asked).rejects.toMatchObject({ code: 'EXEC_UNAVAILABLE', details: { pod: 'nobody' } });
    });

    it('end what they run when the signal fires', async () => {
      const command = ['node', '-e', 'setInterval(() => {}, 1000)'];
      const signal = AbortSignal.timeout(300);
      const asked = cluster.exec({ namespace, pod: 'lasting', container, command, signal });
      await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
    });
  });

  describe('reaching into the cluster', () => {
    it('tells a Service that is not there from one that answers', async () => {
      const asked = cluster.proxy({ namespace, service: 'nobody', port: 80, method: 'GET', path: '/health' });
      await expect(asked).rejects.toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
    });

    it('says ENDPOINT_UNREACHABLE for a Service without endpoints', async () => {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'empty', namespace },
        spec: { selector: { app: 'nobody' }, ports: [{ port: 80 }] },
      });
      const asked = cluster.proxy({ namespace, service: 'empty', port: 80, method: 'GET', path: '/' });
      await expect(asked).rejects.toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
        message: expect.stringContaining('services/empty port 80'),
      });
    });

    it('opens no port that would lead nowhere', async () => {
      const to = (service: string, port: number): Promise<unknown> => cluster.forward({ namespace, service, port });
      await expect(to('nobody', 80)).rejects.toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
      await expect(to('empty', 80)).rejects.toThrow('none of its pods is ready');
      await expect(to('empty', 81)).rejects.toThrow('it has no port 81');
    });
  });
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
