import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { connectCluster } from '../../../src/adapters/kubernetes/index.ts';
import type { KubeObject } from '../../../src/model/index.ts';
import type { ApiKind, Cluster } from '../../../src/ports/index.ts';
import { answer, fakeApiServer, type FakeApiServer, type Handler, status } from '../../support/fake-api-server.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function serving(handler: Handler): Promise<{ readonly cluster: Cluster; readonly server: FakeApiServer }> {
  const server = await fakeApiServer(handler);
  cleanups.push(() => server.close());
  const dir = await mkdtemp(join(tmpdir(), 'backstay-fake-'));
  cleanups.push(() => rm(dir, { recursive: true }));
  const file = join(dir, 'config');
  const named = {
    clusters: [{ name: 'c', cluster: { server: server.url } }],
    contexts: [{ name: 'x', context: { cluster: 'c' } }],
  };
  await writeFile(file, JSON.stringify({ ...named, 'current-context': 'x' }));
  const cluster = await connectCluster({ kubeconfig: file });
  cleanups.push(() => cluster.close());
  return { cluster, server };
}

const CONFIG_MAPS: ApiKind = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  resource: 'configmaps',
  namespaced: true,
  verbs: ['list'],
};
const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'n', name: 'a' };
const item = (name: string, resourceVersion: string, uid = `uid-${name}`): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'n', uid, resourceVersion },
});
const listOf = (resourceVersion: string, items: readonly KubeObject[], more?: string): object => ({
  kind: 'ConfigMapList',
  apiVersion: 'v1',
  metadata: { resourceVersion, continue: more ?? '' },
  items,
});

describe('an old API server', () => {
  it('is asked for each group version, one broken group hiding none of the others', async () => {
    const { cluster } = await serving((_, response) => answer(response, 404, {}));
    const kinds = await cluster.kinds();
    expect(kinds.map(({ group, version, kind }) => `${group}/${version}/${kind}`)).toEqual([
      '/v1/ConfigMap',
      'example.com/v2/Widget',
      'example.com/v1/Old',
    ]);
    await expect(cluster.kindOf('example.com/v1', 'Widget')).resolves.toMatchObject({
      version: 'v1',
      resource: 'widgets',
    });
  });
});

describe('a busy API server', () => {
  it('is asked again after the time it names, when the request reads', async () => {
    let asked = 0;
    const { cluster } = await serving((_, response) => {
      asked += 1;
      if (asked < 3) answer(response, 429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '0' });
      else answer(response, 200, item('a', '1'));
    });
    await expect(cluster.get(ref)).resolves.toMatchObject({ metadata: { name: 'a' } });
    expect(asked).toBe(3);
  });

  it('is not asked again for ever, and never to write', async () => {
    let asked = 0;
    const { cluster } = await serving((_, response) => {
      asked += 1;
      answer(response, 429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '0' });
    });
    await expect(cluster.get(ref)).rejects.toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('is overloaded'),
    });
    expect(asked).toBe(4);
    asked = 0;
    await expect(cluster.create(item('a', ''))).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(asked).toBe(1);
  });
});

describe('a program behind the API server', () => {
  const asking = { namespace: 'n', service: 's', port: 80, method: 'GET', path: '/' };

  it.each([
    [503, 'closed for maintenance'],
    [429, '{"error":"slow down"}'],
    [401, 'who is asking?'],
  ])('answers %i itself: it is not asked again, however long it says to wait', async (code, text) => {
    let asked = 0;
    const { cluster } = await serving((_, response) => {
      asked += 1;
      answer(response, code, text, { 'retry-after': '30' });
    });
    await expect(cluster.proxy(asking)).resolves.toMatchObject({ status: code });
    expect(asked).toBe(1);
  });

  it('is asked again where the API server itself is busy', async () => {
    let asked = 0;
    const { cluster } = await serving((_, response) => {
      asked += 1;
      if (asked < 3) answer(response, 429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '0' });
      else answer(response, 200, { well: true });
    });
    await expect(cluster.proxy(asking)).resolves.toMatchObject({ status: 200 });
    expect(asked).toBe(3);
  });
});

describe('a list whose pages grow too old', () => {
  it('is started again from the first page', async () => {
    let expired = false;
    const { cluster } = await serving((_, response, path) => {
      const next = path.searchParams.get('continue');
      if (next === null) answer(response, 200, listOf('5', [item('a', '1')], 'page-2'));
      else if (!expired) {
        expired = true;
        answer(response, 410, status(410, 'Expired', 'too old'));
      } else answer(response, 200, listOf('5', [item('b', '2')]));
    });
    const { items } = await cluster.list(CONFIG_MAPS, { namespace: 'n' });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
  });
});

describe('a watch whose version grows too old', () => {
  it('lists again and tells the difference as events', async () => {
    const lists = [
      listOf('10', [item('stays', '1'), item('changes', '2'), item('goes', '3'), item('returns', '4')]),
      listOf('20', [
        item('stays', '1'),
        item('changes', '12'),
        item('new', '13'),
        item('returns', '14', 'another-uid'),
      ]),
    ];
    const versions: string[] = [];
    const { cluster } = await serving((_, response, path) => {
      if (path.searchParams.get('watch') === null) return answer(response, 200, lists.shift());
      versions.push(path.searchParams.get('resourceVersion') ?? '');
      response.writeHead(200);
      if (versions.length === 1) {
        response.write(`${JSON.stringify({ type: 'BOOKMARK', object: item('', '11') })}\n`);
        return response.end(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired', 'too old') })}\n`);
      }
      return response.write(`${JSON.stringify({ type: 'DELETED', object: item('new', '21') })}\n`);
    });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const event of cluster.watch(CONFIG_MAPS, { namespace: 'n', signal: stop.signal })) {
      seen.push(event.type === 'synced' ? 'synced' : `${event.type} ${event.object.metadata.name}`);
      if (seen.at(-1) === 'deleted new') stop.abort();
    }
    expect(seen.slice(0, 5)).toEqual(['added stays', 'added changes', 'added goes', 'added returns', 'synced']);
    expect(seen.slice(5)).toEqual([
      'modified changes',
      'added new',
      'deleted returns',
      'added returns',
      'deleted goes',
      'deleted new',
    ]);
    expect(versions).toEqual(['10', '20']);
  });

  it('goes on from the last bookmark when the stream merely ends, in pieces that cut lines anywhere', async () => {
    const versions: string[] = [];
    const { cluster } = await serving((_, response, path) => {
      if (path.searchParams.get('watch') === null) return answer(response, 200, listOf('10', []));
      versions.push(path.searchParams.get('resourceVersion') ?? '');
      response.writeHead(200);
      if (versions.length === 1)
        return response.end(`${JSON.stringify({ type: 'BOOKMARK', object: item('', '15') })}\n`);
      const bytes = Buffer.from(
        `${JSON.stringify({ type: 'ADDED', object: { ...item('ü', '16'), data: { smile: '\u{1F600}' } } })}\n`,
      );
      for (const byte of bytes) response.write(Buffer.from([byte]));
      return undefined;
    });
    const stop = new AbortController();
    for await (const event of cluster.watch(CONFIG_MAPS, { namespace: 'n', signal: stop.signal })) {
      if (event.type === 'synced') continue;
      expect(event.object['data']).toEqual({ smile: '\u{1F600}' });
      stop.abort();
    }
    expect(versions).toEqual(['10', '15']);
  });

  it('gives up when it may not watch any more', async () => {
    let watches = 0;
    const { cluster } = await serving((_, response, path) => {
      if (path.searchParams.get('watch') === null) return answer(response, 200, listOf('10', []));
      watches += 1;
      const message =
        'configmaps is forbidden: User "ada" cannot watch resource "configmaps" in API group "" in the namespace "n"';
      return answer(response, 403, status(403, 'Forbidden', message));
    });
    const following = (async () => {
      for await (const event of cluster.watch(CONFIG_MAPS, { namespace: 'n', signal: new AbortController().signal }))
        expect(event.type).toBe('synced');
    })();
    await expect(following).rejects.toMatchObject({
      code: 'CLUSTER_FORBIDDEN',
      details: { user: 'ada', verb: 'watch', resource: 'configmaps' },
    });
    expect(watches).toBe(1);
  });
});

describe('what an API server says when it refuses', () => {
  it.each([
    [
      'a webhook without dry run',
      400,
      'BadRequest',
      'admission webhook "w.example.com" does not support dry run',
      { code: 'OBJECT_REFUSED', details: { dryRunUnsupported: 'w.example.com' } },
    ],
    [
      'a webhook that denies',
      403,
      'Forbidden',
      'admission webhook "w.example.com" denied the request: no',
      { code: 'OBJECT_REFUSED', details: { webhook: 'w.example.com' } },
    ],
    [
      'a webhook that is down',
      500,
      'InternalError',
      'Internal error occurred: failed calling webhook "w.example.com": refused',
      { code: 'OBJECT_REFUSED', details: { webhook: 'w.example.com' } },
    ],
    [
      'a quota',
      403,
      'Forbidden',
      'configmaps "a" is forbidden: exceeded quota: q, requested: count/configmaps=1',
      { code: 'OBJECT_REFUSED' },
    ],
    [
      'a namespace that is going',
      403,
      'Forbidden',
      'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated',
      { code: 'OBJECT_REFUSED' },
    ],
    [
      'a missing role',
      403,
      'Forbidden',
      'configmaps is forbidden: User "ada" cannot create resource "configmaps" in API group "" in the namespace "n"',
      { code: 'CLUSTER_FORBIDDEN' },
    ],
    ['a store that is away', 503, 'ServiceUnavailable', 'etcd is away', { code: 'CLUSTER_UNREACHABLE' }],
    ['an object that is too large', 413, 'RequestEntityTooLarge', 'limit is 3145728', { code: 'OBJECT_REFUSED' }],
  ])('%s', async (_, code, reason, message, expected) => {
    const { cluster } = await serving((__, response) => answer(response, code, status(code, reason, message)));
    await expect(cluster.create(item('a', ''))).rejects.toMatchObject(expected);
  });

  it('is not mistaken for what a program behind the proxy says', async () => {
    const { cluster } = await serving((_, response, path) => {
      if (path.pathname.includes('down'))
        return answer(response, 503, status(503, 'ServiceUnavailable', 'no endpoints available for service "down"'));
      response.writeHead(503, { 'x-from': 'program' });
      return response.end('maintenance');
    });
    const request = { namespace: 'n', port: 'http', method: 'GET', path: '/health?full=1' };
    const said = await cluster.proxy({ ...request, service: 'up' });
    expect(said).toMatchObject({ status: 503, body: 'maintenance', headers: { 'x-from': 'program' } });
    await expect(cluster.proxy({ ...request, service: 'down' })).rejects.toMatchObject({
      code: 'ENDPOINT_UNREACHABLE',
    });
  });

  it('is said to be no API server when it is a login page', async () => {
    const { cluster } = await serving((_, response) => response.end('<html>log in</html>'));
    await expect(cluster.identity()).rejects.toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
      next: expect.stringContaining('login page'),
    });
  });
});
