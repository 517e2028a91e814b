import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { connectCluster } from '../../../src/adapters/kubernetes/index.ts';
import { isBackstayError } from '../../../src/errors/index.ts';
import type { KubeObject } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { clusterContract } from '../../contracts/cluster.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { type CuttingProxy, cuttingProxy } from '../../support/cutting-proxy.ts';

interface Kubeconfig {
  clusters: { name: string; cluster: Record<string, unknown> & { server: string } }[];
  users: { name: string; user: Record<string, unknown> }[];
  contexts: { name: string; context: { cluster: string; user: string } }[];
  'current-context': string;
}

let admin: Cluster;
let namespace: string;
let base: Kubeconfig;
let dir: string;
const opened: Cluster[] = [];
const proxies: CuttingProxy[] = [];

beforeAll(async () => {
  const { cluster, kubeconfig } = await testCluster();
  admin = cluster;
  namespace = (await testNamespace('cluster')).name;
  base = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
  dir = await mkdtemp(join(tmpdir(), 'backstay-kubeconfig-'));
});

afterAll(async () => {
  await Promise.all(opened.map((cluster) => cluster.close()));
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await admin.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
  await rm(dir, { recursive: true, force: true });
});

/** A connection by the sandbox's kubeconfig after a change. */
async function connection(
  change: (
    cluster: Kubeconfig['clusters'][0]['cluster'],
    user: Record<string, unknown>,
  ) => Record<string, unknown> | void,
): Promise<Cluster> {
  const copy = structuredClone(base);
  const user = copy.users[0]!;
  user.user = change(copy.clusters[0]!.cluster, user.user) ?? user.user;
  const file = join(dir, `${opened.length}.json`);
  await writeFile(file, JSON.stringify(copy));
  const cluster = await connectCluster({ kubeconfig: file });
  opened.push(cluster);
  return cluster;
}

async function throughProxy(): Promise<{ readonly cluster: Cluster; readonly proxy: CuttingProxy }> {
  const proxy = await cuttingProxy(new URL(base.clusters[0]!.cluster.server));
  proxies.push(proxy);
  const cluster = await connection((entry) => {
    entry.server = `https://127.0.0.1:${proxy.port}`;
  });
  return { cluster, proxy };
}

const configMap = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
});

describe('the Kubernetes adapter', () => {
  clusterContract(async () => ({ cluster: admin, namespace }));
});

describe('credentials', () => {
  /** A real service account's token, made by the controller manager. */
  async function accountToken(name: string): Promise<string> {
    await admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
    await admin.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${name}-token`, namespace, annotations: { 'kubernetes.io/service-account.name': name } },
      type: 'kubernetes.io/service-account-token',
    });
    const stop = new AbortController();
    const secrets = await admin.kindOf('v1', 'Secret');
    let token: string | undefined;
    for await (const event of admin.watch(secrets!, { namespace, name: `${name}-token`, signal: stop.signal })) {
      if (event.type === 'synced') continue;
      token = (event.object['data'] as Record<string, string> | undefined)?.['token'];
      if (token !== undefined) stop.abort();
    }
    const text = Buffer.from(token!, 'base64').toString();
    await accepted(text);
    return text;
  }

  /** The API server knows a new account from its own cache, which nothing shows but being accepted. */
  async function accepted(token: string): Promise<void> {
    const cluster = await connection(() => ({ token }));
    for (let attempt = 1; ; attempt += 1) {
      try {
        await cluster.kinds();
        return;
      } catch (error) {
        if (attempt === 500 || !isBackstayError(error, 'CLUSTER_UNAUTHENTICATED')) throw error;
      }
    }
  }

  it('names verb, resource, namespace and user of what is forbidden', async () => {
    const token = await accountToken('nobody');
    const cluster = await connection(() => ({ token }));
    const configMaps = await cluster.kindOf('v1', 'ConfigMap');
    const details = {
      verb: 'list',
      resource: 'configmaps',
      namespace,
      user: `system:serviceaccount:${namespace}:nobody`,
    };
    const refused = cluster.list(configMaps!, { namespace });
    await expect(refused).rejects.toMatchObject({
      code: 'CLUSTER_FORBIDDEN',
      details,
      next: expect.stringContaining('Grant list on configmaps'),
    });
    await expect(cluster.create(configMap('x'))).rejects.toMatchObject({
      code: 'CLUSTER_FORBIDDEN',
      details: { verb: 'create' },
    });
  });

  it('says CLUSTER_UNAUTHENTICATED for a token that is not accepted', async () => {
    const cluster = await connection(() => ({ token: 'expired' }));
    await expect(cluster.identity()).rejects.toMatchObject({ code: 'CLUSTER_UNAUTHENTICATED' });
  });

  it('asks an exec plugin, and asks again when its token is not accepted any more', async () => {
    const token = await accountToken('plugged');
    await writeFile(join(dir, 'answers'), 'stale\n');
    const plugin = join(dir, 'plugin.mjs');
    await writeFile(
      plugin,
      `import { appendFileSync, readFileSync } from 'node:fs';
       const [asked] = [readFileSync(${JSON.stringify(join(dir, 'answers'))}, 'utf8').trim()];
       appendFileSync(${JSON.stringify(join(dir, 'calls'))}, JSON.parse(process.env.KUBERNETES_EXEC_INFO).kind + '\\n');
       console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: asked } }));`,
    );
    const cluster = await connection(() => ({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [plugin] },
    }));
    await expect(cluster.kinds()).rejects.toMatchObject({ code: 'CLUSTER_UNAUTHENTICATED' });
    await writeFile(join(dir, 'answers'), token);
    await expect(cluster.kinds()).resolves.not.toHaveLength(0);
    const calls = (await readFile(join(dir, 'calls'), 'utf8')).trim().split('\n');
    expect(new Set(calls)).toEqual(new Set(['ExecCredential']));
  });

  it('names the plugin that gives no credentials', async () => {
    const cluster = await connection(() => ({ exec: { command: '/nowhere/plugin', args: [] } }));
    await expect(cluster.identity()).rejects.toMatchObject({
      code: 'CLUSTER_UNAUTHENTICATED',
      message: expect.stringContaining('/nowhere/plugin'),
    });
  });

  it('reads the kubeconfig again when its token is not accepted any more', async () => {
    const token = await accountToken('relogged');
    const file = join(dir, 'relogged.json');
    const save = (value: string) =>
      writeFile(file, JSON.stringify({ ...base, users: [{ name: base.users[0]!.name, user: { token: value } }] }));
    await save('stale');
    const cluster = await connectCluster({ kubeconfig: file });
    opened.push(cluster);
    await expect(cluster.kinds()).rejects.toMatchObject({ code: 'CLUSTER_UNAUTHENTICATED' });
    await save(token);
    await expect(cluster.kinds()).resolves.not.toHaveLength(0);
  });

  it('acts as somebody else, with their groups', async () => {
    const cluster = await connection((_, user) => ({ ...user, as: 'somebody', 'as-groups': ['a', 'system:masters'] }));
    await expect(cluster.identity()).resolves.toHaveProperty('uid');
    const powerless = await connection((_, user) => ({ ...user, as: 'somebody', 'as-groups': ['a'] }));
    await expect(powerless.identity()).rejects.toMatchObject({
      code: 'CLUSTER_FORBIDDEN',
      details: { user: 'somebody' },
    });
  });
});

describe('the way to the API server', () => {
  it('says CLUSTER_UNREACHABLE with address and next step when nobody listens', async () => {
    const cluster = await connection((entry) => {
      entry.server = 'https://127.0.0.1:1';
    });
    const expected = {
      code: 'CLUSTER_UNREACHABLE',
      message: 'The API server at https://127.0.0.1:1 does not answer: the connection was refused.',
    };
    await expect(cluster.identity()).rejects.toMatchObject(expected);
  });

  it('says so when the name does not resolve, and when the certificate is not trusted', async () => {
    const nameless = await connection((entry) => {
      entry.server = 'https://nowhere.invalid:6443';
    });
    await expect(nameless.identity()).rejects.toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('cannot be resolved'),
    });
    const untrusted = await connection((entry) => {
      delete entry['certificate-authority-data'];
      delete entry['certificate-authority'];
    });
    await expect(untrusted.identity()).rejects.toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('TLS failed'),
    });
  });

  it('keeps watching when the connection is cut, and misses nothing that happened meanwhile', async () => {
    const { cluster, proxy } = await throughProxy();
    const configMaps = await cluster.kindOf('v1', 'ConfigMap');
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const event of cluster.watch(configMaps!, {
      namespace,
      labelSelector: 'cut=yes',
      signal: stop.signal,
    })) {
      if (event.type === 'synced') {
        proxy.cut();
        await admin.create({
          ...configMap('after-cut'),
          metadata: { name: 'after-cut', namespace, labels: { cut: 'yes' } },
        });
        continue;
      }
      seen.push(`${event.type} ${event.object.metadata.name}`);
      if (event.type === 'added') {
        proxy.cut();
        await admin.delete({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'after-cut' });
      } else stop.abort();
    }
    expect(seen).toEqual(['added after-cut', 'deleted after-cut']);
  });

  it('reads again after a cut, and never writes again', async () => {
    const { cluster, proxy } = await throughProxy();
    await cluster.kinds();
    proxy.cutNext(2);
    await expect(
      cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'nobody' }),
    ).resolves.toBeUndefined();
    proxy.cutNext(1);
    const cut = cluster.create(configMap('cut-off'));
    await expect(cut).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE', details: { outcomeUnknown: true } });
    await expect(
      admin.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'cut-off' }),
    ).resolves.toBeUndefined();
  });

  it('may lead through a proxy, of the environment or of the kubeconfig, unless NO_PROXY names the server', async () => {
    const tunnels: string[] = [];
    const proxy = createServer().on('connect', (request, client: Socket) => {
      tunnels.push(request.url ?? '');
      const target = new URL(`tcp://${request.url}`);
      const upstream = connect(Number(target.port), target.hostname, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const server = new URL(base.clusters[0]!.cluster.server).host;
    const { kubeconfig } = await testCluster();
    for (const env of [
      { HTTPS_PROXY: address },
      { https_proxy: address, no_proxy: 'example.com' },
      { HTTPS_PROXY: address, NO_PROXY: '127.0.0.1' },
    ]) {
      const cluster = await connectCluster({ kubeconfig, env });
      await cluster.identity();
      await cluster.close();
    }
    expect(new Set(tunnels)).toEqual(new Set([server]));
    const before = tunnels.length;
    const unproxied = await connectCluster({ kubeconfig, env: { HTTPS_PROXY: address, NO_PROXY: '127.0.0.1' } });
    await unproxied.identity();
    await unproxied.close();
    expect(tunnels).toHaveLength(before);
    const configured = await connection((entry) => {
      entry['proxy-url'] = address;
    });
    await configured.identity();
    await configured.close();
    expect(tunnels.length).toBeGreaterThan(before);
    await new Promise<void>((resolve) => proxy.close(() => resolve()));
  });

  it('sends many requests over few connections', async () => {
    const { cluster, proxy } = await throughProxy();
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'nobody' };
    for (let i = 0; i < 20; i += 1) await cluster.get(ref);
    await Promise.all(Array.from({ length: 100 }, () => cluster.get(ref)));
    expect(proxy.connections()).toBeLessThanOrEqual(12);
  });
});
