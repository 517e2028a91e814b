import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PROJECT } from '../support/backstay.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';
import { replicasOf, untilRunning, writer } from '../support/writers.ts';

const TIME = 240_000;

/** Several databases as of one moment: backed up together, taken back one after another, all of them or none. */
describe('the databases of a stack together', () => {
  let server: TestPostgres;
  let here: Shop;
  let marker: string;
  let snapshot: string;

  const config = (more = ''): string => `  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: WORD } }
      writers: [Deployment/worker]
    - name: audit
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: audit, user: ada, password: { env: WORD } }
      writers: [Deployment/clerk]
${more}`;
  const sums = async (): Promise<readonly unknown[]> =>
    await Promise.all(
      ['books', 'audit'].map(
        async (name) => (await server.run(name, 'SELECT sum(n)::int AS sum FROM facts'))[0]?.['sum'],
      ),
    );
  const isAtWork = async (): Promise<void> => {
    for (const name of ['worker', 'clerk']) {
      await untilRunning(here, name, 2);
      expect(await replicasOf(here, name)).toEqual({ wanted: 2, ready: 2 });
    }
  };
  const stackWith = async (more: string): Promise<void> => {
    const head = `config:\n  backstay:namespaces: [${here.namespace}]\n  backstay:requireReason: false\n  backstay:readyTimeout: 1m\n`;
    await here.machine.stack(here.name, `${head}${config(more)}`);
  };

  beforeAll(async () => {
    server = await startTestPostgres(['-c', 'log_statement=ddl', '-c', 'max_prepared_transactions=4']);
    for (const name of ['books', 'audit']) {
      await server.run('postgres', `CREATE DATABASE ${name}`);
      await server.run(
        name,
        'CREATE TABLE facts (n int)',
        'INSERT INTO facts VALUES (1), (2), (3)',
        'CREATE TABLE ticks (id serial PRIMARY KEY, by text, at timestamptz DEFAULT clock_timestamp())',
      );
    }
    here = await shop('together', config(), { env: { WORD: server.password } });
    await here.cluster.create(writer(here.namespace, 'worker', server, { replicas: 2 }));
    await here.cluster.create(writer(here.namespace, 'clerk', server, { replicas: 2, database: 'audit' }));
    await isAtWork();
    snapshot = (await here.capture()).id;
    const taken = await here.machine.json<RunAnswer>(['db', 'backup', here.name, '--all', '--yes']);
    if (taken.outcome !== 'succeeded') throw new TypeError(`not backed up: ${taken.reason ?? ''}`);
    marker = `set-${taken.run}`;
    await isAtWork();
  }, TIME);
  afterAll(async () => {
    await here.remove();
    await server.stop();
  });
  beforeEach(async () => {
    for (const name of ['books', 'audit'])
      await server.run(name, 'TRUNCATE facts', 'INSERT INTO facts VALUES (1), (2), (3), (94)');
  });

  it('are backed up while nobody writes, proven, and known by one marker', async () => {
    const { items } = await here.machine.json<{
      items: { name: string; backups: { marker?: string; proof?: string; id: string; folder: string }[] }[];
    }>(['db', 'list', here.name]);
    expect(items.map(({ name, backups }) => [name, backups.length, backups[0]?.marker, backups[0]?.proof])).toEqual([
      ['main', 1, marker, 'restored'],
      ['audit', 1, marker, 'restored'],
    ]);
    const refused = await here.machine.refused(['db', 'restore', here.name, 'set-nothing', '--all', '--yes']);
    expect(refused).toMatchObject({ code: 'BACKUP_UNKNOWN' });
    expect(refused.message).toContain('main, audit');
  });

  it(
    'are taken back in the order of the stack file, and the plan says what is not atomic',
    async () => {
      const restore = ['db', 'restore', here.name, marker, '--all'];
      const shown = await here.machine.ok([...restore, '--dry-run']);
      expect(shown.stdout).toContain('main, audit are exchanged one after another');
      const done = await here.machine.json<RunAnswer>([...restore, '--yes']);
      expect(done).toMatchObject({ outcome: 'succeeded' });
      expect(await sums()).toEqual([6, 6]);
      await isAtWork();
      const log = await server.log();
      const id = done.run.replaceAll('-', '');
      const [first, second] = ['books', 'audit'].map((name) => log.indexOf(`RENAME TO "${name}__bs_${id}_prev"`));
      expect(first).toBeGreaterThan(0);
      expect(second).toBeGreaterThan(first ?? 0);
      await here.machine.ok(['undo', done.run, '--yes']);
      expect(await sums()).toEqual([100, 100]);
      await isAtWork();
    },
    TIME,
  );

  it(
    'are as they were when a later one cannot be exchanged',
    async () => {
      // Comes up between the proof that it can be restored and its exchange, as a client of another server would.
      const script = join(here.machine.dir, 'prepare.mjs');
      await writeFile(
        script,
        `import pg from ${JSON.stringify(join(PROJECT, 'node_modules/pg/esm/index.mjs'))};
const client = new pg.Client({ host: '127.0.0.1', port: ${server.port}, user: 'ada', password: process.env.WORD, database: 'audit' });
await client.connect();
await client.query('BEGIN');
await client.query('INSERT INTO facts VALUES (0)');
await client.query("PREPARE TRANSACTION 'open'");
await client.end();
`,
      );
      await stackWith(`  backstay:hooks:
    - name: prepare
      phase: quiesced
      action: { kind: command, command: [${process.execPath}, ${script}], env: { WORD: ${server.password} } }
`);
      try {
        const { stdout, code: exit } = await here.machine.run([
          'db',
          'restore',
          here.name,
          marker,
          '--all',
          '--yes',
          '--output',
          'json',
        ]);
        const failed = JSON.parse(stdout) as RunAnswer;
        expect(failed).toMatchObject({ outcome: 'failed' });
        expect(exit).not.toBe(0);
        expect(failed.reason).toContain('audit');
        const id = failed.run.replaceAll('-', '');
        // The first was exchanged, and exchanged back.
        const log = await server.log();
        expect(log).toContain(`RENAME TO "books__bs_${id}_prev"`);
        expect(log).toContain(`ALTER DATABASE "books__bs_${id}_prev" RENAME TO "books"`);
        expect(log).not.toContain(`ALTER DATABASE "audit__bs_${id}" RENAME TO "audit"`);
        await server.run('audit', `ROLLBACK PREPARED 'open'`);
        expect(await sums()).toEqual([100, 100]);
        await isAtWork();
      } finally {
        await stackWith('');
      }
    },
    TIME,
  );

  it(
    'go back with every object by one command',
    async () => {
      const { cluster, namespace } = here;
      const image = {
        spec: { template: { spec: { containers: [{ name: 'writer', image: 'backstay-test/writer:2' }] } } },
      };
      const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'worker' };
      await cluster.patch(ref, { type: 'strategic', body: image });
      await cluster.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'late', namespace },
        data: { a: 'b' },
      });
      const done = await here.rollback(['--to', snapshot, '--scope', 'full', '--restore-all', marker]);
      expect(done).toMatchObject({ outcome: 'succeeded' });
      expect(await sums()).toEqual([6, 6]);
      await isAtWork();
      expect((await here.capture()).id).toBe(snapshot);
      const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes']);
      expect(undone).toMatchObject({ outcome: 'succeeded' });
      expect(await sums()).toEqual([100, 100]);
      expect(JSON.stringify(await here.get('Deployment', 'worker'))).toContain('backstay-test/writer:2');
      await isAtWork();
    },
    TIME,
  );
});
