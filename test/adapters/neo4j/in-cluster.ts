import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { createBackupShelf } from '../../../src/adapters/fs/index.ts';
import { type Access, connected } from '../../../src/adapters/neo4j/bolt.ts';
import { databasesIn, groundsIn } from '../../../src/adapters/neo4j/folders.ts';
import { createNeo4jStore } from '../../../src/adapters/neo4j/index.ts';
import { VARIABLE } from '../../../src/adapters/neo4j/place-workload.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { KubeObject, Neo4jServer, Neo4jStoreSetting, ObjectRef } from '../../../src/model/index.ts';
import type { Cluster, DataStore } from '../../../src/ports/index.ts';
import { findNeo4j } from '../../../src/toolchain/neo4j.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';

const PASSWORD = 'only for "tests" \\ here';

/** A real server as a pod's process, with a claim of its own. */
export interface Neo4jInCluster {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly setting: Neo4jStoreSetting;
  readonly store: DataStore;
  /** The same server, reached otherwise. */
  storeWith(server: Partial<Extract<Neo4jServer, { kind: 'workload' }>>, cluster?: Cluster): DataStore;
  readonly ref: ObjectRef;
  get(): Promise<KubeObject>;
  /** What the workload tells it to serve; undefined where it tells nothing. */
  variable(): Promise<string | undefined>;
  ask(query: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  marker(): Promise<unknown>;
  /** Databases in its volume, which is a folder of this machine in truth. */
  databases(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export async function neo4jInCluster(limitMs: number, files?: 'pod'): Promise<Neo4jInCluster> {
  const { cluster } = await testCluster();
  const tools = await findNeo4j();
  const own = await testNamespace('neo4j');
  const namespace = own.name;
  const root = await mkdtemp(join(tmpdir(), 'backstay-backups-'));
  const labels = { app: 'neo4j' };
  const server = {
    kind: 'workload',
    workload: { kind: 'StatefulSet', name: 'neo4j' },
    mount: '/data',
    ...(files === undefined ? {} : { files }),
  } as const satisfies Neo4jServer;
  const setting = {
    name: 'graph',
    kind: 'neo4j',
    connection: { database: 'neo4j', via: { service: 'neo4j', port: 7687 } },
    tables: [],
    writers: [],
    server,
    limitMs: 200_000,
  } as const satisfies Neo4jStoreSetting;
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: 'neo4j' },
    spec: { selector: labels, ports: [{ port: 7687 }], clusterIP: 'None' },
  });
  await cluster.create(statefulSet(namespace, labels));
  const wanted = { namespace, service: 'neo4j', port: 7687 };
  const way = await vi.waitFor(async () => await cluster.forward(wanted), { timeout: limitMs, interval: 250 });
  const access = async (): Promise<Access> => ({
    connection: { ...setting.connection, host: way.host, port: way.port },
    password: PASSWORD,
  });
  const clock = createSystemClock();
  const storeWith: Neo4jInCluster['storeWith'] = (other, through = cluster) =>
    createNeo4jStore({
      stack: 'shop',
      setting: { ...setting, server: { ...server, ...other } },
      access,
      shelf: createBackupShelf(root, clock),
      clock,
      env: process.env,
      tools: async () => tools,
      cluster: async () => through,
      namespace,
    });
  const ref: ObjectRef = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace, name: 'neo4j' };
  const get = async (): Promise<KubeObject> => {
    const found = await cluster.get(ref);
    if (found === undefined) throw new TypeError('the workload is gone');
    return found;
  };
  const ask: Neo4jInCluster['ask'] = async (query) => await connected(await access(), async (put) => await put(query));
  await vi.waitFor(async () => await ask('RETURN 1'), { timeout: limitMs, interval: 250 });
  return {
    cluster,
    namespace,
    setting,
    store: storeWith({}),
    storeWith,
    ref,
    get,
    variable: async () => {
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
    },
    ask,
    marker: async () => (await ask('MATCH (m:Marker) RETURN m.word AS word'))[0]?.['word'],
    databases: async () => await databasesIn(groundsIn(await volumeOf(cluster, namespace))),
    stop: async () => {
      await way.close();
      await own.remove();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function statefulSet(namespace: string, labels: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { namespace, name: 'neo4j' },
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
  };
}

async function volumeOf(cluster: Cluster, namespace: string): Promise<string> {
  const claim = await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: 'data-neo4j-0' });
  const { volumeName = '' } = (claim?.['spec'] ?? {}) as { readonly volumeName?: string };
  const volume = await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name: volumeName });
  const { hostPath } = (volume?.['spec'] ?? {}) as { readonly hostPath?: { readonly path: string } };
  if (hostPath === undefined) throw new TypeError('the volume is no folder of this machine');
  return hostPath.path;
}
