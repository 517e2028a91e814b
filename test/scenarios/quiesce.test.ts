import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type KubeObject, MAINTENANCE, SUSPENDED } from '../../src/model/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';
import { serviceOf, type RunAnswer, type Shop, shop } from '../support/shop.ts';
import { autoscaler, nightly, replicasOf, shipper, untilRunning, writer } from '../support/writers.ts';

const TIME = 240_000;

/** What writes is stopped and gone before its data is exchanged, and comes back as it was, whatever happens. */
describe('taking back a database that is written to', () => {
  let server: TestPostgres;
  let here: Shop;
  let backup: string;

  const settings = (
    readers = '',
  ): string => `  backstay:flags: [{ name: CLOSED, source: { configMap: web, key: CLOSED } }]
  backstay:maintenance:
    flag: CLOSED
    check: { target: { url: /, via: { service: api, port: 80 } }, timeout: 30s }
  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: BOOKS_PASSWORD } }
      writers: [Deployment/worker, Deployment/loader, DaemonSet/shipper, CronJob/nightly]
${readers}`;
  const pages = async (): Promise<number> =>
    Number((await server.run('books', `SELECT count(*) AS n FROM pages`))[0]?.['n']);
  const restore = (...more: readonly string[]): string[] => ['db', 'restore', here.name, backup, '--yes', ...more];
  const other = async (apiVersion: string, kind: string, name: string): Promise<KubeObject> => {
    const { namespace, cluster } = here;
    const found = await cluster.get({ apiVersion, kind, namespace, name });
    if (found === undefined) throw new TypeError(`${kind} ${name} is gone`);
    return found;
  };
  const isAsBefore = async (): Promise<void> => {
    await untilRunning(here, 'worker', 3);
    await untilRunning(here, 'loader', 1);
    expect(await replicasOf(here, 'worker')).toEqual({ wanted: 3, ready: 3 });
    expect(await replicasOf(here, 'loader')).toEqual({ wanted: 1, ready: 1 });
    const objects = [
      await here.get('Deployment', 'worker'),
      await here.get('Deployment', 'loader'),
      await here.get('ConfigMap', 'web'),
      await other('autoscaling/v2', 'HorizontalPodAutoscaler', 'worker'),
      await other('apps/v1', 'DaemonSet', 'shipper'),
      await other('batch/v1', 'CronJob', 'nightly'),
    ];
    for (const { metadata } of objects) {
      expect(metadata.annotations ?? {}).not.toHaveProperty([SUSPENDED]);
      expect(metadata.annotations ?? {}).not.toHaveProperty([MAINTENANCE]);
    }
    expect(objects[3]?.['spec']).not.toHaveProperty('behavior');
    const everywhere = objects[4]?.['status'] as Readonly<Record<string, number>> | undefined;
    expect(everywhere?.['numberReady']).toBe(everywhere?.['desiredNumberScheduled']);
    expect(everywhere?.['numberReady']).toBeGreaterThan(0);
    expect(objects[5]?.['spec']).toMatchObject({ suspend: false });
    expect(objects[2]?.['data']).toEqual({ CLOSED: 'false', TITLE: 'books' });
  };

  beforeAll(async () => {
    server = await startTestPostgres(['-c', 'log_statement=ddl']);
    await server.run('postgres', 'CREATE DATABASE books');
    await server.run(
      'books',
      'CREATE TABLE pages (id int PRIMARY KEY, text text)',
      'CREATE TABLE ticks (id serial PRIMARY KEY, by text, at timestamptz DEFAULT clock_timestamp())',
    );
    here = await shop('quiesce', settings(), { env: { BOOKS_PASSWORD: server.password } });
    const { cluster, namespace } = here;
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web', namespace },
      data: { CLOSED: 'false', TITLE: 'books' },
    });
    await cluster.create(writer(namespace, 'worker', server, { replicas: 3 }));
    await cluster.create(writer(namespace, 'loader', server));
    await cluster.create(autoscaler(namespace, 'worker'));
    await cluster.create(shipper(namespace, 'shipper', server));
    await cluster.create(nightly(namespace, 'nightly'));
    // Reads the flag and writes to another database: it stays, and says that the stack is closed.
    await server.run('postgres', 'CREATE DATABASE other');
    await server.run('other', 'CREATE TABLE ticks (by text)');
    await cluster.create(writer(namespace, 'api', server, { reads: ['web'], database: 'other' }));
    await cluster.create(serviceOf(namespace, 'api'));
    await untilRunning(here, 'worker', 3);
    await untilRunning(here, 'loader', 1);
    await untilRunning(here, 'api', 1);
  }, TIME);
  afterAll(async () => {
    await here.remove();
    await server.stop();
  });
  beforeEach(async () => {
    await server.run(
      'books',
      'TRUNCATE pages',
      `INSERT INTO pages SELECT n, 'page ' || n FROM generate_series(1, 500) n`,
    );
    backup = (await here.machine.json<{ id: string }>(['db', 'backup', here.name])).id;
    await server.run('books', 'DELETE FROM pages WHERE id > 200');
  }, TIME);

  it(
    'stops its writers, waits until they are gone, exchanges, and brings back what there was',
    async () => {
      const shown = await here.machine.ok(['db', 'restore', here.name, backup, '--dry-run']);
      expect(shown.stdout).toContain('Turn maintenance mode on (CLOSED = true), restart deployment/api');
      expect(shown.stdout).toContain('Stop daemonset/shipper, deployment/loader, deployment/worker, cronjob/nightly');

      const logged = (await server.log()).length;
      const done = await here.machine.json<RunAnswer>(restore());
      expect(done).toMatchObject({ outcome: 'succeeded' });
      expect(await pages()).toBe(500);
      await isAsBefore();
      // Nobody was cut off by the exchange: they had gone by themselves.
      const log = (await server.log()).slice(logged);
      const exchange = log.indexOf(`RENAME TO "books__bs_${done.run.replaceAll('-', '')}_prev`);
      expect(exchange).toBeGreaterThan(0);
      expect(log).not.toContain('terminating connection due to administrator command');
      // How long nobody could write is told.
      const report = await readFile(done.report?.markdown ?? '', 'utf8');
      expect(report).toMatch(/stopped for \d+\.\d s/);

      const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes']);
      expect(undone).toMatchObject({ outcome: 'succeeded' });
      expect(await pages()).toBe(200);
      await isAsBefore();
    },
    TIME,
  );

  it(
    'touches nothing while somebody else is connected, names them, and lets its writers go on',
    async () => {
      const somebody = new Client({
        ...server.connection('books'),
        host: '127.0.0.1',
        password: server.password,
        application_name: 'report-of-carl',
      });
      // It is ended by the exchange in the end.
      somebody.on('error', () => undefined);
      await somebody.connect();
      try {
        const before = await server.run('postgres', 'SELECT oid, datname FROM pg_database ORDER BY 1');
        const { code: exit, stdout } = await here.machine.run([...restore(), '--output', 'json']);
        const refused = JSON.parse(stdout) as RunAnswer;
        expect({ exit, ...refused }).toMatchObject({ exit: 7, code: 'WRITERS_REMAIN', outcome: 'failed' });
        expect(refused.reason).toContain('still connected to main: ada from 127.0.0.1 (report-of-carl)');
        expect(await server.run('postgres', 'SELECT oid, datname FROM pg_database ORDER BY 1')).toEqual(before);
        expect(await pages()).toBe(200);
        await isAsBefore();
        const allowed = `config:\n  backstay:namespaces: [${here.namespace}]\n  backstay:requireReason: false\n${settings("      readers: ['report-*']\n")}`;
        await here.machine.stack(here.name, allowed);
        expect(await here.machine.json<RunAnswer>(restore())).toMatchObject({ outcome: 'succeeded' });
        expect(await pages()).toBe(500);
        await isAsBefore();
      } finally {
        await somebody.end().catch(() => undefined);
        await here.machine.stack(
          here.name,
          `config:\n  backstay:namespaces: [${here.namespace}]\n  backstay:requireReason: false\n${settings()}`,
        );
      }
    },
    TIME,
  );

  it.each([
    ['when the flag is set', 'cluster.patch.after@ConfigMap/web'],
    ['when the first of them was stopped', 'cluster.patch.after@Deployment/loader'],
    ['when the data was exchanged', 'data-store.swap.after'],
    ['before the last of them is brought back', 'cluster.patch.before@Deployment/worker#2'],
  ])(
    'goes on after it was killed %s, and everything comes back',
    async (_when, point) => {
      const killed = await here.machine.run(restore(), { env: { BACKSTAY_FAILPOINT: point } });
      expect(killed.code).toBe(137);
      const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
      const run = items[0]?.run ?? '';
      expect(await here.machine.json<RunAnswer>(['resume', run, '--yes'])).toMatchObject({ outcome: 'succeeded' });
      expect(await pages()).toBe(500);
      await isAsBefore();
      const renames = (await server.log()).match(
        new RegExp(`RENAME TO "books__bs_${run.replaceAll('-', '')}_prev`, 'g'),
      );
      expect(renames).toHaveLength(1);
      await here.machine.ok(['finalize', run, '--yes']);
    },
    TIME,
  );

  it(
    'brings everything back on the way back, also when it was killed there',
    async () => {
      const connection = { ...server.connection('books'), host: '127.0.0.1', password: server.password };
      const somebody = new Client(connection);
      somebody.on('error', () => undefined);
      await somebody.connect();
      try {
        const env = { BACKSTAY_FAILPOINT: 'cluster.patch.before@Deployment/worker#2' };
        const killed = await here.machine.run(restore(), { env });
        expect(killed.code).toBe(137);
        const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
        const resumed = await here.machine.run(['resume', items[0]?.run ?? '', '--yes', '--output', 'json']);
        expect(JSON.parse(resumed.stdout)).toMatchObject({ outcome: 'failed', code: 'WRITERS_REMAIN' });
        expect(await pages()).toBe(200);
        await isAsBefore();
      } finally {
        await somebody.end().catch(() => undefined);
      }
    },
    TIME,
  );

  it(
    'gives back what a run has stopped that was given up',
    async () => {
      const env = { BACKSTAY_FAILPOINT: 'cluster.patch.after@Deployment/loader' };
      expect((await here.machine.run(restore(), { env })).code).toBe(137);
      expect((await replicasOf(here, 'loader')).wanted).toBe(0);
      const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
      const more = ['--abandon', items[0]?.run ?? '', '--reason', 'its machine is gone'];
      expect(await here.machine.json<RunAnswer>(restore(...more))).toMatchObject({ outcome: 'succeeded' });
      expect(await pages()).toBe(500);
      await isAsBefore();
    },
    TIME,
  );
});
