import { execFile } from 'node:child_process';
import { copyFile, truncate } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from '@redis/client';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListedStore } from '../../src/actions/db.ts';
import { connected } from '../../src/adapters/neo4j/bolt.ts';
import type { Cluster } from '../../src/ports/index.ts';
import type { RunReport } from '../../src/rollback/index.ts';
import { findAlembic } from '../../src/toolchain/alembic.ts';
import { findNeo4j } from '../../src/toolchain/neo4j.ts';
import { findRedis } from '../../src/toolchain/redis.ts';
import { type Machine, machine, PROJECT } from '../support/backstay.ts';
import { testCluster } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import type { CaptureAnswer, RunAnswer } from '../support/shop.ts';

const STACK = 'medical-kg-data';
const NAMESPACE = STACK;
const WRITER = 'medical-kg-rev-services';
const LIMIT = 300_000;

interface Taken {
  readonly id: string;
  readonly folder: string;
}

/** Rows M8, M10 and M11 of Medical_KG's runbook: each of its stores taken back from a backup that was proven. */
describe('the data stores of Medical_KG', { timeout: LIMIT }, () => {
  let here: Machine;
  let cluster: Cluster;
  let kubectl: Kubectl;
  let alembic: string;

  const secret = async (name: string, key: string): Promise<string> => {
    const found = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace: NAMESPACE, name });
    const data = found?.['data'] as Readonly<Record<string, string>> | undefined;
    return Buffer.from(data?.[key] ?? '', 'base64').toString();
  };
  /** By a way of its own each time: a pod that was started anew has another address. */
  const reached = async <T>(service: string, port: number, work: (at: Place) => Promise<T>): Promise<T> => {
    const way = await cluster.forward({ namespace: NAMESPACE, service, port });
    try {
      return await work({ host: way.host, port: way.port });
    } finally {
      await way.close();
    }
  };
  const sql = async (statement: string): Promise<readonly Record<string, unknown>[]> =>
    await reached('postgres', 5432, async (at) => {
      const password = await secret('postgres-credentials', 'POSTGRES_PASSWORD');
      const client = new Client({ ...at, user: 'medical_kg', database: 'medical_kg', password });
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(statement)).rows;
      } finally {
        await client.end();
      }
    });
  const cypher = async (query: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    await reached('neo4j', 7687, async (at) => {
      const password = await secret('neo4j-credentials', 'PASSWORD');
      return await connected({ connection: { ...at, database: 'neo4j' }, password }, async (ask) => await ask(query));
    });
  const redis = async (...command: readonly string[]): Promise<unknown> =>
    await reached('redis', 6379, async (at) => {
      const password = await secret('redis-credentials', 'REDIS_PASSWORD');
      const client = createClient({ socket: { ...at, reconnectStrategy: false }, password, RESP: 2 });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return await client.sendCommand(command);
      } finally {
        client.destroy();
      }
    });

  const revision = async (): Promise<unknown> =>
    (await sql('SELECT version_num FROM alembic_version'))[0]?.['version_num'];
  const rows = async (): Promise<unknown> =>
    (
      await sql(`SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM documents) AS documents,
        (SELECT count(*)::int FROM chunks) AS chunks`)
    )[0];
  const graph = async (): Promise<unknown> =>
    (
      await cypher(`MATCH (n) WITH count(n) AS nodes OPTIONAL MATCH ()-[r]->() RETURN nodes, count(r) AS relationships`)
    )[0];
  const writers = async (): Promise<unknown> => {
    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: WRITER };
    return (await cluster.get(ref))?.['status'];
  };
  /** As a deployment's pipeline does it. */
  const upgrade = async (to: string): Promise<void> =>
    await reached('postgres', 5432, async ({ host, port }) => {
      const password = encodeURIComponent(await secret('postgres-credentials', 'POSTGRES_PASSWORD'));
      await promisify(execFile)(alembic, ['upgrade', to], {
        cwd: join(PROJECT, 'examples/medical-kg/migrations'),
        env: {
          PATH: process.env['PATH'] ?? '',
          PYTHONDONTWRITEBYTECODE: '1',
          DATABASE_URL: `postgresql+psycopg://medical_kg:${password}@${host}:${port}/medical_kg`,
        },
      });
    });
  const backUp = async (store: string): Promise<Taken> => await here.json<Taken>(['db', 'backup', STACK, store]);
  const restore = (backup: string, store: string): string[] => [
    'db',
    'restore',
    STACK,
    backup,
    store,
    '--yes',
    '--reason',
    'a bad import',
  ];
  const stepsOf = async ({ run }: RunAnswer): Promise<readonly string[]> => {
    const { steps } = await here.json<RunReport>(['report', run]);
    return steps.filter(({ status }) => status === 'done').map(({ title }) => title);
  };
  const inOrder = (titles: readonly string[], starts: readonly string[]): void => {
    const places = starts.map((start) => titles.findIndex((title) => title.startsWith(start)));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  };

  beforeAll(async () => {
    alembic = await findAlembic();
    await findNeo4j();
    await findRedis();
    const test = await testCluster();
    ({ cluster } = test);
    kubectl = await kubectlFor(test.kubeconfig);
    const PATH = `${dirname(alembic)}${delimiter}${process.env['PATH'] ?? ''}`;
    here = await machine({
      projectDir: PROJECT,
      env: { KUBECONFIG: test.kubeconfig, PATH, PYTHONDONTWRITEBYTECODE: '1' },
    });
    await here.ok(['keys', 'init', STACK]);
    await here.ok(['import-manifests', STACK, 'examples/medical-kg/data', '--as', 'manifests']);
    const set = ['apply', STACK, '--to', 'manifests', '--yes', '--reason', 'set-up', '--scope'];
    await kubectl(['create', 'namespace', NAMESPACE]);
    await here.ok([...set, 'database']);
    await upgrade('0002_language');
    await here.ok([...set, 'application']);
  }, LIMIT);
  afterAll(async () => {
    await kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
    await here.remove();
  });

  it('come up from plain manifests, and are listed together', async () => {
    await cypher(`UNWIND range(1, 40) AS n CREATE (:Concept {number: n})
      WITH count(*) AS made MATCH (a:Concept), (b:Concept) WHERE b.number = a.number + 1 CREATE (a)-[:BROADER]->(b)`);
    for (const n of Array.from({ length: 30 }, (_, index) => index)) await redis('SET', `session:${n}`, `user ${n}`);
    const captured = await here.json<CaptureAnswer>(['capture', STACK, '--as', 'good']);
    expect(captured.knownGood).toBe(true);
    const { items } = await here.json<{ items: readonly ListedStore[] }>(['db', 'list', STACK]);
    expect(items.map(({ name, kind, problem }) => ({ name, kind, problem }))).toEqual([
      { name: 'postgres', kind: 'postgres', problem: undefined },
      { name: 'graph', kind: 'neo4j', problem: undefined },
      { name: 'sessions', kind: 'redis', problem: undefined },
    ]);
    const [postgres, neo4j] = items.map(({ live }) => live?.rows);
    expect(Object.values(postgres ?? {})).toEqual(expect.arrayContaining([2, 2, 4]));
    expect(neo4j).toMatchObject({ '()': 40, '()-->()': 39, Concept: 40 });
  });

  it('M8: a proven backup, the schema down to a revision by Alembic, and that revision verified', async () => {
    await upgrade('0003_citations');
    const before = await rows();
    const back = ['rollback', STACK, '--to', 'good', '--scope', 'database', '--scenario', 'B'];
    const told = await here.json<RunAnswer>([...back, '--yes', '--reason', '0003 was too early']);
    expect(told.outcome).toBe('succeeded');
    inOrder(await stepsOf(told), [
      'Back postgres up',
      `Stop deployment/${WRITER}`,
      'Migrate postgres down from 0003_citations to 0002_language',
      'Bring deployment',
    ]);
    expect(await revision()).toBe('0002_language');
    expect((await sql(`SELECT to_regclass('citations') AS there`))[0]).toEqual({ there: null });
    expect(await rows()).toEqual(before);
    expect(await writers()).toMatchObject({ readyReplicas: 1 });
    // The backup that was taken first holds the schema of before, and was restored to prove it.
    const { items } = await here.json<{ items: readonly ListedStore[] }>(['db', 'list', STACK]);
    expect(items[0]?.backups).toMatchObject([{ proof: 'restored' }]);
  });

  it('M10: the graph as it was dumped, by a server that is stopped and started; a truncated dump changes nothing', async () => {
    const before = await graph();
    expect(before).toEqual({ nodes: 40, relationships: 39 });
    const good = await backUp('graph');
    await cypher('MATCH (c:Concept) WHERE c.number > 10 DETACH DELETE c');
    const damaged = await graph();
    expect(damaged).toEqual({ nodes: 10, relationships: 9 });

    const [dump, whole] = [join(good.folder, 'graph.dump'), join(here.dir, 'graph.dump')];
    await copyFile(dump, whole);
    await truncate(dump, 2_000);
    const refused = await here.refused(restore(good.id, 'graph'));
    expect(refused).toMatchObject({ exit: 7, code: 'BACKUP_DAMAGED' });
    expect(await graph()).toEqual(damaged);
    expect(await writers()).toMatchObject({ readyReplicas: 1 });

    await copyFile(whole, dump);
    const told = await here.json<RunAnswer>(restore(good.id, 'graph'));
    expect(told.outcome).toBe('succeeded');
    inOrder(await stepsOf(told), [`Stop deployment/${WRITER}`, 'Exchange graph', 'Bring deployment']);
    expect(await graph()).toEqual(before);
    expect(await writers()).toMatchObject({ readyReplicas: 1 });
  });

  it('M11: Redis as it was saved, with its append-only file on, and still so after its pod was started anew', async () => {
    expect(await redis('INFO', 'persistence')).toContain('aof_enabled:1');
    expect(await redis('DBSIZE')).toBe(30);
    const { id } = await backUp('sessions');
    await redis('FLUSHDB');
    await redis('SET', 'session:new', 'somebody');
    expect(await redis('DBSIZE')).toBe(1);

    const told = await here.json<RunAnswer>(restore(id, 'sessions'));
    expect(told.outcome).toBe('succeeded');
    inOrder(await stepsOf(told), [`Stop deployment/${WRITER}`, 'Exchange sessions', 'Bring deployment']);
    expect(await redis('DBSIZE')).toBe(30);

    await kubectl(['-n', NAMESPACE, 'delete', 'pod', 'redis-0']);
    await kubectl(['-n', NAMESPACE, 'rollout', 'status', 'statefulset/redis', '--timeout=120s']);
    await expect.poll(async () => await redis('PING').catch(() => undefined), { timeout: 60_000 }).toBe('PONG');
    expect(await redis('DBSIZE')).toBe(30);
    expect(await redis('GET', 'session:29')).toBe('user 29');
    expect(await redis('EXISTS', 'session:new')).toBe(0);
  });
});

interface Place {
  readonly host: string;
  readonly port: number;
}
