import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runningPod } from '../../../src/adapters/migrations/pods.ts';
import type { KubeObject, MigrationSetting } from '../../../src/model/index.ts';
import type { Cluster, Migrations } from '../../../src/ports/index.ts';
import { findAlembic } from '../../../src/toolchain/alembic.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { exampleOf, migrationsLike } from '../../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

const TIME = 180_000;
const [FIRST, SECOND, THIRD] = ['a1d0c5000001', 'b2d0c5000002', 'c3d0c5000003'];

/** A real API server, pods that run, a real PostgreSQL, and Alembic on the pods' PATH. */
describe('migrations inside a pod', { timeout: TIME }, () => {
  let server: TestPostgres;
  let cluster: Cluster;
  let namespace: string;
  let path: string;
  const folders: Record<'alembic' | 'table', string> = { alembic: '', table: '' };
  const left: (() => Promise<void>)[] = [];
  const commands: string[] = [];

  beforeAll(async () => {
    server = await startTestPostgres();
    left.push(async () => await server.stop());
    const connected = (await testCluster()).cluster;
    cluster = {
      ...connected,
      exec: async (options) => {
        commands.push(options.command.join(' '));
        return await connected.exec(options);
      },
    };
    const made = await testNamespace('migrations');
    left.push(async () => await made.remove());
    namespace = made.name;
    path = `${dirname(await findAlembic())}:/usr/local/bin:/usr/bin:/bin`;
    for (const tool of ['alembic', 'table'] as const) {
      const example = await exampleOf(tool);
      folders[tool] = example.folder;
      left.push(async () => await example.remove());
    }
  }, TIME);
  afterAll(async () => {
    for (const end of left.toReversed()) await end();
  }, TIME);

  const deploy = async (name: string, env: Readonly<Record<string, string>>, replicas = 1): Promise<void> => {
    const variables = Object.entries(env).map(([key, value]) => ({ name: key, value }));
    await cluster.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            containers: [
              {
                name: 'server',
                image: 'backstay-test/echo:1',
                env: [...variables, { name: 'PORT', value: '8080' }],
                readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    });
    if (replicas > 0) await untilPods(name, (pods) => pods.filter(isRunning).length === replicas);
  };
  const untilPods = async (app: string, holds: (pods: readonly KubeObject[]) => boolean): Promise<void> => {
    const kind = await cluster.kindOf('v1', 'Pod');
    if (kind === undefined) throw new TypeError('there are no pods');
    const stop = new AbortController();
    const pods = new Map<string, KubeObject>();
    for await (const event of cluster.watch(kind, { namespace, labelSelector: `app=${app}`, signal: stop.signal })) {
      if (event.type === 'deleted') pods.delete(event.object.metadata.name);
      else if (event.type !== 'synced') pods.set(event.object.metadata.name, event.object);
      if (holds([...pods.values()])) break;
    }
    stop.abort();
  };
  const database = async (name: string): Promise<string> => {
    await server.run('postgres', `CREATE DATABASE ${name}`);
    return `postgresql+psycopg://${server.user}:${server.password}@127.0.0.1:${server.port}/${name}?connect_timeout=9`;
  };
  const inside = (workload: string, live: string, more: Partial<MigrationSetting> = {}): Migrations =>
    migrationsLike({
      setting: {
        tool: 'alembic',
        runs: { kind: 'pod', workload, folder: folders[more.tool === 'table' ? 'table' : 'alembic'] },
        ...more,
      },
      database: live,
      server,
      cluster: async () => await Promise.resolve(cluster),
      namespace,
    });

  it('go down by the pod’s own code and address, live and on a copy, and tell nobody the password', async () => {
    const url = await database('shop');
    // It never becomes ready, as the failing versions that one goes back from.
    await deploy('shop', { DATABASE_URL: url, PATH: path, ECHO_READY: 'no' });
    const migrations = inside('Deployment/shop', 'shop');
    expect(await migrations.current()).toMatchObject({ revision: null });
    await migrations.migrate(await migrations.wayTo(THIRD));
    await server.run('shop', `INSERT INTO documents VALUES (1, 'one', 'a note')`);
    await server.run('postgres', 'CREATE DATABASE shop__bs_trial TEMPLATE shop');

    const copy = { database: 'shop__bs_trial' };
    const way = await migrations.wayTo(FIRST, copy);
    const rehearsed = await migrations.migrate(way, copy);
    expect(rehearsed.revision.revision).toBe(FIRST);
    expect(await migrations.current()).toMatchObject({ revision: THIRD });
    expect(await server.run('shop', 'SELECT note FROM documents')).toEqual([{ note: 'a note' }]);

    const done = await migrations.migrate(await migrations.wayTo(FIRST));
    expect(done.revision.revision).toBe(FIRST);
    expect((await migrations.migrate(way)).output).toBe('');
    expect(await server.run('shop', 'SELECT * FROM documents')).toEqual([{ id: 1, title: 'one' }]);
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter((command) => command.includes(server.password))).toEqual([]);
    expect(done.output).toContain('[hidden]');
    expect(done.output).not.toContain(server.password);
  });

  it('wait for locks no longer than two seconds there, too, and leave nothing when they are stopped', async () => {
    const url = await database('locked');
    await deploy('locked', { DATABASE_URL: url, PATH: path });
    const migrations = inside('Deployment/locked', 'locked');
    await migrations.migrate(await migrations.wayTo(THIRD));
    const way = await migrations.wayTo(SECOND);
    const stop = new AbortController();
    // Held from before on, so that the step is surely waiting when it is stopped.
    const { Client } = await import('pg');
    const other = new Client({ ...server.connection('locked'), password: server.password });
    await other.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT * FROM tags');
      await expect(migrations.migrate(way)).rejects.toMatchObject({
        code: 'MIGRATION_FAILED',
        details: { revision: THIRD },
      });
      const state = { isOver: false };
      const going = migrations
        .migrate(way, { signal: stop.signal })
        .catch((reason: unknown) => reason)
        .finally(() => {
          state.isOver = true;
        });
      const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = 'locked' AND application_name = 'backstay-migrate' AND wait_event_type = 'Lock'`;
      while (!state.isOver && (await server.run('postgres', waiting)).length === 0)
        await new Promise((resolve) => setTimeout(resolve, 20));
      stop.abort(new TypeError('enough'));
      expect(await going).toEqual(new TypeError('enough'));
      const sessions = `SELECT pid FROM pg_stat_activity WHERE datname = 'locked' AND application_name = 'backstay-migrate'`;
      expect(await server.run('postgres', sessions)).toEqual([]);
    } finally {
      await other.end();
    }
    expect(await migrations.current()).toMatchObject({ revision: THIRD });
  });

  it('are refused where the pod speaks of another database, or cannot be pointed at a copy', async () => {
    const url = await database('meant');
    await database('elsewhere');
    await deploy('astray', { DATABASE_URL: url.replace('/meant?', '/elsewhere?'), PATH: path });
    const astray = inside('Deployment/astray', 'meant');
    await expect(astray.current()).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('(elsewhere, number') as string,
    });
    const unnamed = inside('Deployment/astray', 'meant', { urlVariable: 'NOT_THERE' });
    await expect(unnamed.current({ database: 'copy' })).rejects.toMatchObject({
      code: 'MIGRATION_REFUSED',
      message: expect.stringContaining('neither NOT_THERE nor PGDATABASE') as string,
    });
  });

  it('say what is missing: a program, a running pod, the workload', async () => {
    await database('missing');
    await deploy('bare', { PATH: '/usr/bin:/bin' });
    await expect(inside('Deployment/bare', 'missing').current()).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringMatching(/^alembic cannot be run in container server of pod bare-/) as string,
    });
    await deploy('asleep', { PATH: path }, 0);
    await expect(inside('Deployment/asleep', 'missing').current()).rejects.toMatchObject({
      code: 'EXEC_UNAVAILABLE',
      message: expect.stringContaining('No pod of Deployment/asleep runs') as string,
      next: expect.stringContaining('Scale it up') as string,
    });
    for (const workload of ['Deployment/nobody', 'Job/once', 'nobody'])
      await expect(inside(workload, 'missing').current()).rejects.toMatchObject({ code: 'EXEC_UNAVAILABLE' });
  });

  it('read their scripts in the pod, where a table and scripts are all there is', async () => {
    await database('plain');
    await deploy('plain', { PATH: '/usr/bin:/bin' });
    const migrations = inside('Deployment/plain', 'plain', { tool: 'table' });
    await migrations.migrate(await migrations.wayTo('0003_tags'));
    const way = await migrations.wayTo('0001_documents');
    expect(way.steps.map(({ script }) => script?.length)).toEqual([71, 71]);
    await migrations.migrate(way);
    expect(await migrations.current()).toMatchObject({ revision: '0001_documents' });
  });
});

describe('the pod that is asked', () => {
  const pod = (
    name: string,
    more: {
      readonly hash?: string;
      readonly ready?: boolean;
      readonly running?: boolean;
      readonly born?: string;
      readonly gone?: boolean;
    },
  ): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { 'pod-template-hash': more.hash ?? 'new' },
      creationTimestamp: more.born ?? '2026-01-01T00:00:00Z',
      ...(more.gone === true ? { deletionTimestamp: '2026-01-02T00:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'app' }, { name: 'sidecar' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: more.ready === true ? 'True' : 'False' }],
      containerStatuses: [
        { name: 'app', state: more.running === false ? { waiting: { reason: 'CrashLoopBackOff' } } : { running: {} } },
      ],
    },
  });
  const asked = async (pods: readonly KubeObject[], container?: string) => {
    const deployment: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'shop', namespace: 'n', uid: 'u', annotations: { 'deployment.kubernetes.io/revision': '2' } },
      spec: {
        selector: {
          matchLabels: { app: 'shop' },
          matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }],
        },
      },
    };
    const owned = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop', uid: 'u' };
    const set = (hash: string, revision: string): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `shop-${hash}`,
        labels: { 'pod-template-hash': hash },
        ownerReferences: [owned],
        annotations: { 'deployment.kubernetes.io/revision': revision },
      },
    });
    const selectors: (string | undefined)[] = [];
    const fake = {
      get: async () => await Promise.resolve(deployment),
      kindOf: async (_version: string, kind: string) => await Promise.resolve({ kind }),
      list: async (
        { kind }: { readonly kind: string },
        { labelSelector }: { readonly labelSelector?: string } = {},
      ) => {
        selectors.push(labelSelector);
        return await Promise.resolve({ items: kind === 'Pod' ? pods : [set('old', '1'), set('new', '2')] });
      },
    } as unknown as Cluster;
    const place = await runningPod(fake, {
      workload: 'Deployment/shop',
      namespace: 'n',
      ...(container === undefined ? {} : { container }),
    });
    expect(new Set(selectors)).toEqual(new Set(['app=shop,tier in (a,b)']));
    return place;
  };

  it('is of the newest revision before it is ready, ready before it is young', async () => {
    const pods = [
      pod('old-ready', { hash: 'old', ready: true }),
      pod('new-crashing', { running: false }),
      pod('new-going', { ready: true, gone: true }),
      pod('new-young', { born: '2026-01-03T00:00:00Z' }),
      pod('new-ready', { ready: true }),
    ];
    expect(await asked(pods)).toEqual({ pod: 'new-ready', container: 'app' });
    expect(await asked(pods.slice(0, 4))).toEqual({ pod: 'new-young', container: 'app' });
    expect(await asked(pods.slice(0, 3))).toEqual({ pod: 'old-ready', container: 'app' });
  });

  it('is none where none runs, and it is told how each does', async () => {
    await expect(asked([pod('a', { running: false }), pod('b', { gone: true })])).rejects.toMatchObject({
      code: 'EXEC_UNAVAILABLE',
      message: expect.stringContaining('a (CrashLoopBackOff), b (Running, being deleted)') as string,
    });
    await expect(asked([pod('a', {})], 'sidecar')).rejects.toMatchObject({ code: 'EXEC_UNAVAILABLE' });
  });
});

function isRunning({ status }: KubeObject): boolean {
  return (status as { readonly phase?: string } | undefined)?.phase === 'Running';
}
