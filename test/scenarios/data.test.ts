import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { downKubeconfig } from '../support/credentials.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';

/** A bad release damaged rows; the data goes back, the objects stay. On a real server, in runs as any other. */
describe('taking a database back', () => {
  let server: TestPostgres;
  let here: Shop;
  let backup: string;

  const rows = async (): Promise<number> =>
    Number((await server.run('books', `SELECT count(*) AS n FROM pages WHERE text LIKE 'page%'`))[0]?.['n']);
  const databases = async (): Promise<readonly string[]> =>
    (await server.run('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'books%' ORDER BY 1`)).map(
      ({ datname }) => String(datname),
    );
  const restore = (...more: readonly string[]): string[] => ['db', 'restore', here.name, backup, '--yes', ...more];

  beforeAll(async () => {
    server = await startTestPostgres(['-c', 'log_statement=ddl']);
    await server.run('postgres', 'CREATE DATABASE books');
    await server.run('books', 'CREATE TABLE pages (id int PRIMARY KEY, text text)');
    here = await shop(
      'data',
      `  backstay:approvers: { cto: [carl] }
  backstay:severities: { SEV-2: { approvers: [cto] } }
  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: BOOKS_PASSWORD } }
`,
      { env: { BOOKS_PASSWORD: server.password } },
    );
  });
  afterAll(async () => {
    await here.remove();
    await server.stop();
  });
  beforeEach(async () => {
    await server.run(
      'books',
      'TRUNCATE pages',
      `INSERT INTO pages SELECT n, 'page ' || n FROM generate_series(1, 500) AS n`,
    );
    backup = (await here.machine.json<{ id: string }>(['db', 'backup', here.name])).id;
    await server.run('books', `UPDATE pages SET text = 'damaged' WHERE id % 2 = 0`, 'DELETE FROM pages WHERE id > 400');
  });

  it('shows what would be lost, does it in one run, and undoes it by one command', async () => {
    const shown = await here.machine.ok(['db', 'restore', here.name, backup, '--dry-run']);
    expect(shown.stdout).toContain('public.pages: 400 now, 500 then');
    expect(await rows()).toBe(200);

    const done = await here.machine.json<RunAnswer>(restore());
    expect(done.outcome).toBe('succeeded');
    expect(await rows()).toBe(500);
    expect(await databases()).toHaveLength(2);

    const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes']);
    expect(undone.outcome).toBe('succeeded');
    expect(await rows()).toBe(200);
    const again = await here.machine.refused(['undo', done.run, '--yes']);
    expect(again.code).toBe('ALREADY_UNDONE');
    expect(await databases()).toHaveLength(2);
    expect((await here.machine.ok(['finalize', undone.run, '--yes'])).stdout).toContain('is dropped');
    expect(await databases()).toEqual(['books']);
  });

  it('takes single tables back, leaves the others as they are, and undoes that', async () => {
    await server.run('books', 'CREATE TABLE notes (id int)', 'INSERT INTO notes VALUES (1)');
    const wrong = await here.machine.refused(restore('--tables', 'pges'));
    expect(wrong).toMatchObject({
      code: 'STORE_REFUSED',
      message: expect.stringContaining('table pges: there is none'),
    });
    const shown = await here.machine.ok(['db', 'restore', here.name, backup, '--tables', 'pages', '--dry-run']);
    expect(shown.stdout).toContain('Exchange public.pages in main');
    expect(shown.stdout).toContain('public.pages: 400 now, 500 then');

    const done = await here.machine.json<RunAnswer>(restore('--tables', 'pages'));
    expect(done.outcome).toBe('succeeded');
    expect(await rows()).toBe(500);
    expect(await server.run('books', 'SELECT id FROM notes')).toEqual([{ id: 1 }]);
    expect(await databases()).toEqual(['books']);
    const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes']);
    expect(await rows()).toBe(200);
    for (const { run } of [undone, done]) await here.machine.run(['finalize', run, '--yes']);
    const left = await server.run('books', `SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\\_\\_bs\\_%'`);
    expect(left).toEqual([]);

    const only = await here.machine.json<{ id: string; tables: number }>([
      'db',
      'backup',
      here.name,
      '--tables',
      'notes',
    ]);
    expect(only.tables).toBe(1);
    await server.run('books', 'DELETE FROM notes');
    expect(await here.machine.json<RunAnswer>(['db', 'restore', here.name, only.id, '--yes'])).toMatchObject({
      outcome: 'succeeded',
    });
    expect(await server.run('books', 'SELECT id FROM notes')).toEqual([{ id: 1 }]);
    expect(await rows()).toBe(200);
    await server.run('books', 'DROP TABLE notes');
  });

  it('waits for the approval that its severity needs, as every other run', async () => {
    const { code, stdout } = await here.machine.run([...restore('--severity', 'SEV-2'), '--output', 'json']);
    const waiting = JSON.parse(stdout) as RunAnswer;
    expect({ ...waiting, exit: code }).toMatchObject({ exit: 6, outcome: 'waiting' });
    expect(await rows()).toBe(200);
    await here.machine.ok(['approve', waiting.run, '--yes'], { env: { BACKSTAY_USER: 'carl' } });
    expect(await here.machine.json<RunAnswer>(['resume', waiting.run, '--yes'])).toMatchObject({
      outcome: 'succeeded',
    });
    expect(await rows()).toBe(500);
  });

  it.each(['data-store.restore-beside', 'data-store.swap'])(
    'goes on after it was killed at %s, before or after it acted, without doing it twice',
    async (point) => {
      for (const when of ['before', 'after']) {
        const before = await databases();
        const damaged = await rows();
        const killed = await here.machine.run(restore(), { env: { BACKSTAY_FAILPOINT: `${point}.${when}` } });
        expect(killed.code).toBe(137);
        expect([damaged, 500]).toContain(await rows());
        expect(await here.machine.refused(restore())).toMatchObject({ exit: 7, code: 'STACK_UNFINISHED' });
        const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
        const run = items[0]?.run ?? '';
        const resumed = await here.machine.json<RunAnswer>(['resume', run, '--yes']);
        expect(resumed.outcome).toBe('succeeded');
        expect(await rows()).toBe(500);
        // One more is kept, of this run, and nothing is left beside.
        expect((await databases()).filter((name) => !before.includes(name))).toEqual([
          `books__bs_${run.replaceAll('-', '')}_prev`,
        ]);
        const exchanged = (await server.log()).match(
          new RegExp(`RENAME TO "books__bs_${run.replaceAll('-', '')}_prev`, 'g'),
        );
        expect(exchanged).toHaveLength(1);
        await here.machine.ok(['undo', run, '--yes']);
      }
    },
  );

  it('goes back while the API server is down, with the lease in the database server, by a flag alone', async () => {
    const down = { env: { KUBECONFIG: await downKubeconfig(here.machine.dir) } };
    expect(await here.machine.refused(restore(), down)).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(await rows()).toBe(200);

    const killed = await here.machine.run(restore('--database-lease'), {
      env: { ...down.env, BACKSTAY_FAILPOINT: 'data-store.swap.before' },
    });
    expect(killed.code).toBe(137);
    const held = await here.machine.refused(restore('--database-lease'), down);
    expect(held).toMatchObject({ exit: 7, code: 'STACK_UNFINISHED' });
    const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
    const run = items[0]?.run ?? '';
    const done = await here.machine.run(['resume', run, '--yes', '--output', 'json'], down);
    expect({ ...(JSON.parse(done.stdout) as object), exit: done.code }).toMatchObject({
      exit: 8,
      outcome: 'unvalidated',
    });
    expect(await rows()).toBe(500);
    const events = await server.run(
      'postgres',
      `SELECT lease->'spec'->>'holderIdentity' AS holder FROM backstay.leases WHERE name = 'backstay-${here.name}'`,
    );
    expect(events).toEqual([{ holder: '' }]);

    expect(await here.machine.json<RunAnswer>(['undo', run, '--yes'])).toMatchObject({ outcome: 'succeeded' });
    expect(await rows()).toBe(200);
  });

  it('refuses before anything is paused what would stop it in the middle', async () => {
    await server.run('postgres', `ALTER ROLE ada CONNECTION LIMIT -1`, `CREATE ROLE clerk LOGIN PASSWORD 'clerk-word'`);
    const settings = `config:
  backstay:namespaces: [${here.namespace}]
  backstay:requireReason: false
  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: clerk, password: { env: CLERK } }
`;
    await here.machine.stack(here.name, settings);
    const refused = await here.machine.refused(restore(), { env: { CLERK: 'clerk-word' } });
    expect(refused).toMatchObject({ exit: 7, code: 'STORE_REFUSED' });
    expect(refused.message).toContain('CREATEDB');
    expect(refused.message).toContain('does not own books');
  });
});
