import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBackupShelf } from '../../../src/adapters/fs/index.ts';
import { connected } from '../../../src/adapters/neo4j/bolt.ts';
import { createNeo4jStore } from '../../../src/adapters/neo4j/index.ts';
import { RECORD, STOPPED, VARIABLE } from '../../../src/adapters/neo4j/place-workload.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { capturedForm, carryOver, type KubeObject } from '../../../src/model/index.ts';
import { pointersOf } from '../../../src/config/stores/neo4j.ts';
import type { Cluster, DataStore, Forward } from '../../../src/ports/index.ts';
import { findNeo4j } from '../../../src/toolchain/neo4j.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';

const LIMIT = 300_000;

const placeOf = (way: Forward | undefined) => (way === undefined ? {} : { host: way.host, port: way.port });
const PASSWORD = 'only for "tests" \\ here';

/** A real server as a pod's process: stopped by its StatefulSet, its volume a folder of this machine. */
describe('a Neo4j data store in the cluster', () => {
  let cluster: Cluster;
  let namespace: Awaited<ReturnType<typeof testNamespace>>;
  let root: string;
  let way: Forward | undefined;
  let store: DataStore;
  const setting = {
    name: 'graph',
    kind: 'neo4j',
    connection: { database: 'neo4j', via: { service: 'neo4j', port: 7687 } },
    tables: [],
    writers: [],
    server: { kind: 'workload', workload: { kind: 'StatefulSet', name: 'neo4j' }, mount: '/data' },
    limitMs: 200_000,
  } as const;
  const ref = () => ({ apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: namespace.name, name: 'neo4j' });
  const get = async (): Promise<KubeObject> => (await cluster.get(ref())) as KubeObject;
  const variable = async (): Promise<unknown> => {
    const { spec } = (await get()) as unknown as {
      readonly spec: {
        readonly template: {
          readonly spec: {
            readonly containers: readonly { readonly env: readonly { name: string; value?: string }[] }[];
          };
        };
      };
    };
    return spec.template.spec.containers[0]?.env.find(({ name }) => name === VARIABLE)?.value;
  };
  const access = async () => ({
    connection: { ...setting.connection, ...placeOf(way) },
    password: PASSWORD,
  });
  const ask = async (query: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    await connected(await access(), async (put) => await put(query));
  const marker = async (): Promise<unknown> => (await ask('MATCH (m:Marker) RETURN m.word AS word'))[0]?.['word'];

  beforeAll(async () => {
    ({ cluster } = await testCluster());
    const tools = await findNeo4j();
    namespace = await testNamespace('neo4j');
    root = await mkdtemp(join(tmpdir(), 'backstay-backups-'));
    const labels = { app: 'neo4j' };
    const at = { namespace: namespace.name };
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...at, name: 'neo4j' },
      spec: { selector: labels, ports: [{ port: 7687 }], clusterIP: 'None' },
    });
    await cluster.create({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { ...at, name: 'neo4j' },
      spec: {
        serviceName: 'neo4j',
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [
              {
                name: 'neo4j',
                image: 'neo4j:5.26-community',
                env: [{ name: 'NEO4J_AUTH', value: `neo4j/${PASSWORD}` }],
                readinessProbe: { tcpSocket: { port: 7687 }, periodSeconds: 1 },
                volumeMounts: [{ name: 'data', mountPath: '/data' }],
              },
            ],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
      },
    });
    const service = { namespace: namespace.name, service: 'neo4j', port: 7687 };
    way = await vi.waitFor(async () => await cluster.forward(service), { timeout: LIMIT, interval: 250 });
    const clock = createSystemClock();
    store = createNeo4jStore({
      stack: 'shop',
      setting,
      access,
      shelf: createBackupShelf(root, clock),
      clock,
      env: process.env,
      tools: async () => tools,
      cluster: async () => cluster,
      namespace: namespace.name,
    });
    await vi.waitFor(async () => await ask('RETURN 1'), { timeout: LIMIT, interval: 250 });
  }, LIMIT);
  afterAll(async () => {
    await way?.close();
    await namespace.remove();
    await rm(root, { recursive: true, force: true });
  });

  it(
    'is backed up, taken back, undone and finalized by its workload alone',
    async () => {
      await ask("CREATE (:Marker {word: 'one'})-[:OF]->(:Thing)");
      const backup = await store.backup();
      expect(backup.manifest.rows).toEqual({ '()': 2, '()-->()': 1, Marker: 1, Thing: 1, '-[:OF]->': 1 });
      // Given back: whoever looks finds it as it was.
      expect((await get())['spec']).toMatchObject({ replicas: 1 });
      expect((await get()).metadata.annotations?.[STOPPED]).toBeUndefined();
      expect(await store.obstacles(backup)).toEqual([]);

      await ask("MATCH (m:Marker) SET m.word = 'two'");
      const { database } = await store.restoreBeside(backup, 'r1');
      expect(await marker()).toBe('two');
      expect(await variable()).toBe('neo4j');
      await store.swap('r1');
      expect(await marker()).toBe('one');
      expect(await variable()).toBe(database);
      expect(await store.stateOf('r1')).toBe('swapped');
      await store.undoSwap('r1');
      expect(await marker()).toBe('two');
      expect(await variable()).toBe('neo4j');
      expect(await store.finalize('r1')).toEqual([database]);
      expect((await get()).metadata.annotations?.[RECORD]).toBeUndefined();
    },
    LIMIT,
  );

  it('keeps what it serves out of what a roll-out brings back', async () => {
    const foreign = pointersOf([setting]);
    const live = await get();
    const pointed = structuredClone(live) as unknown as {
      spec: { template: { spec: { containers: { env: object[] }[] } } };
    };
    const [container] = pointed.spec.template.spec.containers;
    if (container === undefined) throw new TypeError('a workload without a container');
    container.env = [
      { name: 'NEO4J_AUTH', value: `neo4j/${PASSWORD}` },
      { name: VARIABLE, value: 'neo4j-bs-r9' },
    ];
    const moved = pointed as unknown as KubeObject;
    expect(capturedForm(moved, foreign)).toEqual(capturedForm(live, foreign));
    expect(capturedForm(moved)).not.toEqual(capturedForm(live));
    expect(JSON.stringify(carryOver(moved, live, { foreign }))).toContain('neo4j-bs-r9');
  });

  it(
    'lets nobody point it who saw something else',
    async () => {
      const backup = await store.find('latest');
      await store.restoreBeside(backup, 'r2');
      // Another machine began meanwhile.
      const { holder: _mine, ...record } = JSON.parse((await get()).metadata.annotations?.[RECORD] ?? '{}') as {
        holder?: string;
      };
      await cluster.patch(ref(), {
        type: 'merge',
        body: { metadata: { annotations: { [RECORD]: JSON.stringify({ ...record, holder: 'r3' }) } } },
      });
      await expect(store.swap('r2')).rejects.toMatchObject({ code: 'STORE_FENCED' });
      expect(await marker()).toBe('two');
      await store.finalize('r2');
    },
    LIMIT,
  );

  it(
    'is started again by whoever resumes, when it was left stopped',
    async () => {
      await cluster.patch(ref(), {
        type: 'merge',
        body: { metadata: { annotations: { [STOPPED]: '1' } }, spec: { replicas: 0 } },
      });
      const { manifest } = await store.backup();
      expect(manifest.rows['Marker']).toBe(1);
      expect((await get())['spec']).toMatchObject({ replicas: 1 });
      expect(await marker()).toBe('two');
    },
    LIMIT,
  );
});
