import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findAlembic } from '../../src/toolchain/alembic.ts';
import { exampleOf, migrationsLike } from '../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';
import { echo, type RunAnswer, serviceOf, type Shop, shop } from '../support/shop.ts';
import type { Migrations } from '../../src/ports/index.ts';

const [B2, C3] = ['b2d0c5000002', 'c3d0c5000003'];
/** Alembic takes a second a question on a quiet machine, and a run asks it some seventeen of them. */
const TIME = 300_000;

interface Planned {
  readonly scenarios?: readonly {
    readonly scenario: string;
    readonly because: string;
    readonly others: readonly object[];
  }[];
  readonly steps: readonly { readonly id: string; readonly phase: string }[];
  readonly warnings: readonly string[];
}

interface Rehearsal {
  readonly lossless: boolean;
  readonly report: { readonly digest: string; readonly lost: readonly object[] };
}

/** A release came with a migration; its rollback decides what becomes of the database. Real PostgreSQL, real Alembic. */
describe('rolling a release back whose schema is newer', { timeout: TIME }, () => {
  let server: TestPostgres;
  let here: Shop;
  let alembic: string;
  let example: Awaited<ReturnType<typeof exampleOf>>;
  let migrations: Migrations;

  const store = (more = ''): string => `  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: BOOKS_PASSWORD } }
      migrations: { tool: alembic, runs: { folder: ${example.folder} }, command: [${alembic}], urlScheme: postgresql+psycopg${more} }
`;
  const stackFile = async (settings: string): Promise<void> =>
    await here.machine.stack(
      here.name,
      `config:\n  backstay:namespaces: [${here.namespace}]\n  backstay:requireReason: false\n  backstay:readyTimeout: 1m\n${settings}`,
    );
  const revision = async (): Promise<string | null> => (await migrations.current()).revision;
  const tags = async (): Promise<number | undefined> => {
    const [there] = await server.run('books', `SELECT to_regclass('tags') AS name`);
    if (there?.['name'] === null) return undefined;
    return Number((await server.run('books', 'SELECT count(*) AS n FROM tags'))[0]?.['n']);
  };
  const documents = async (): Promise<number> =>
    Number((await server.run('books', 'SELECT count(note) AS n FROM documents'))[0]?.['n']);
  const image = async (): Promise<string> => JSON.stringify(await here.get('Deployment', 'web'));
  const databases = async (): Promise<readonly unknown[]> =>
    (await server.run('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'books%' ORDER BY 1`)).map(
      ({ datname }) => datname,
    );
  const back = (...more: readonly string[]): string[] => [
    'rollback',
    here.name,
    '--to',
    'good',
    '--yes',
    '--reason',
    'bad release',
    ...more,
  ];
  const planned = async (...more: readonly string[]): Promise<Planned> =>
    await here.machine.json<Planned>(['rollback', here.name, '--to', 'good', '--dry-run', '--reason', 'why', ...more]);
  const rehearsal = async (): Promise<Rehearsal> =>
    await here.machine.json<Rehearsal>(['db', 'rehearse', here.name, '--to', B2]);
  const lastRun = async (): Promise<string> => {
    const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
    return items[0]?.run ?? '';
  };
  /** In the live database alone; what is sent begins with an empty line. */
  const dropsOf = async (): Promise<number> =>
    (await server.log()).match(/^\[books\] LOG: +(?:statement|execute [^:]+):\s+DROP TABLE tags/gm)?.length ?? 0;

  beforeAll(async () => {
    alembic = await findAlembic();
    example = await exampleOf('alembic');
    server = await startTestPostgres(['-c', 'log_statement=ddl', '-c', 'log_line_prefix=[%d] ']);
    migrations = migrationsLike({
      setting: { tool: 'alembic', command: [alembic], urlScheme: 'postgresql+psycopg' },
      database: 'books',
      server,
      folder: example.folder,
    });
    here = await shop('migrate', store(), { env: { BOOKS_PASSWORD: server.password } });
    for (const tag of ['v1', 'v2'])
      await here.import(tag, [echo(here.namespace, 'web', { tag }), serviceOf(here.namespace, 'web')]);
    await server.run('postgres', 'CREATE DATABASE books');
    await migrations.migrate(await migrations.wayTo(B2));
    await server.run(
      'books',
      `INSERT INTO documents SELECT n, 'title ' || n, 'note ' || n FROM generate_series(1, 20) n`,
    );
    await here.machine.ok(['apply', here.name, '--to', 'v1', '--yes']);
    await here.capture(['--no-checks', '--as', 'good']);
    await server.run('postgres', 'CREATE DATABASE fine TEMPLATE books');
    await migrations.migrate(await migrations.wayTo(C3));
    await server.run('postgres', 'CREATE DATABASE bad TEMPLATE books');
  }, TIME);
  afterAll(async () => {
    await here.remove();
    await server.stop();
    await example.remove();
  });

  /** The bad one is live, with its schema; the good one is in a snapshot, and in a database to make others of. */
  beforeEach(async () => {
    await stackFile(store());
    // A backup that another test has taken would be a way back.
    await rm(join(here.machine.stateDir, 'backups'), { recursive: true, force: true });
    for (const name of await databases()) await server.run('postgres', `DROP DATABASE "${String(name)}" WITH (FORCE)`);
    await server.run('postgres', 'CREATE DATABASE books TEMPLATE bad');
    await here.machine.ok(['apply', here.name, '--to', 'v2', '--yes', '--allow-held']);
  }, TIME);

  it('loses nothing that nobody has accepted, and brings what it lost back when it is undone', async () => {
    await server.run('books', `INSERT INTO tags VALUES ('red'), ('green')`);
    const refused = await here.machine.run([...back(), '--output', 'json']);
    const answer = JSON.parse(refused.stdout) as RunAnswer;
    expect(answer).toMatchObject({ outcome: 'failed', code: 'DATA_LOSS_UNACCEPTED' });
    expect(answer.reason).toContain('main would lose public.tags (2 rows). Nothing was changed.');
    expect([await revision(), await tags()]).toEqual([C3, 2]);
    expect(await image()).toContain('backstay/echo:v2');
    expect(await databases()).toEqual(['books']);

    const { lossless, report } = await rehearsal();
    expect(lossless).toBe(false);
    const short = report.digest.slice('sha256:'.length, 'sha256:'.length + 12);
    expect(answer.reason).toContain(`--accept-data-loss ${short}`);
    expect(await databases()).toEqual(['books']);
    // More of the same is agreed to as well: what goes is what it was.
    await server.run('books', `INSERT INTO tags VALUES ('blue')`);
    const done = await here.machine.json<RunAnswer>(back('--accept-data-loss', short));
    expect(done.outcome).toBe('succeeded');
    expect([await revision(), await tags()]).toEqual([B2, undefined]);

    const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes', '--reason', 'it was right']);
    expect(undone.outcome).toBe('succeeded');
    expect([await revision(), await tags()]).toEqual([C3, 3]);
  });

  it('is killed after it migrated, goes on with one effect, and is undone the same way', async () => {
    const shown = await planned();
    expect(shown.scenarios).toMatchObject([
      {
        scenario: 'B',
        from: C3,
        to: B2,
        others: [
          { scenario: 'A', possible: true },
          { scenario: 'C', possible: false },
        ],
      },
    ]);
    const ids = shown.steps.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['db-backup:main', 'migrate-rehearse:main', 'migrate:main', 'apply']));
    const drops = await dropsOf();
    // The first migration is that of the copy.
    const killed = await here.machine.run(back(), { env: { BACKSTAY_FAILPOINT: 'migrations.migrate.after#2' } });
    expect(killed.code).toBe(137);
    expect(await revision()).toBe(B2);
    const run = await lastRun();
    expect(await here.machine.json<RunAnswer>(['resume', run, '--yes'])).toMatchObject({ outcome: 'succeeded' });
    expect([await revision(), await documents(), await tags()]).toEqual([B2, 20, undefined]);
    expect(await dropsOf()).toBe(drops + 1);
    expect(await image()).toContain('backstay/echo:v1');
    expect(await databases()).toEqual(['books']);

    const undone = await here.machine.json<RunAnswer>(['undo', run, '--yes', '--reason', 'it was right']);
    expect(undone.outcome).toBe('succeeded');
    expect([await revision(), await tags()]).toEqual([C3, 0]);
    expect(await image()).toContain('backstay/echo:v2');
  });

  it('is killed before it migrated; where that fails then, the data is as it was and the backup is named', async () => {
    const killed = await here.machine.run(back(), { env: { BACKSTAY_FAILPOINT: 'migrations.migrate.before#2' } });
    expect(killed.code).toBe(137);
    expect(await revision()).toBe(C3);
    // Since the rehearsal somebody has put this in the way.
    await server.run('books', 'CREATE VIEW report AS SELECT name FROM tags');
    const resumed = await here.machine.run(['resume', await lastRun(), '--yes', '--output', 'json']);
    const answer = JSON.parse(resumed.stdout) as RunAnswer;
    expect(answer).toMatchObject({ outcome: 'failed', code: 'MIGRATION_FAILED' });
    expect(answer.reason).toMatch(
      /main is as it was\. There is no backup of main at b2d0c5000002\. .*: backstay db backup .* main --at TIME; then: backstay rollback .* --scenario main=C --restore main=BACKUP/,
    );
    expect([await revision(), await documents(), await tags()]).toEqual([C3, 20, 0]);
    expect(await image()).toContain('backstay/echo:v2');
    expect(await databases()).toEqual(['books']);
  });

  it('leaves the database alone where that is declared and a check proves it, and guesses nothing', async () => {
    await stackFile(store().replace(example.folder, `${example.folder}/nowhere`));
    const refused = await here.machine.refused(back());
    expect(refused).toMatchObject({ exit: 7, code: 'SCENARIO_UNDECIDED' });
    expect(refused.next).toContain('--scenario main=A');
    const unsaid = await here.machine.refused(['rollback', here.name, '--to', 'good', '--yes', '--scenario', 'A']);
    expect(unsaid).toMatchObject({ code: 'USAGE', message: expect.stringContaining('--scenario needs --reason') });
    expect((await planned('--scenario', 'main=A')).scenarios).toMatchObject([{ scenario: 'A', forcedBy: 'user' }]);

    const declared = `, compatible: [{ revision: ${C3}, images: ['backstay/echo:v1*'] }]`;
    const check = `  backstay:checks:\n    - { name: web, kind: http, target: { url: /health, via: { service: web, port: 80 } } }\n`;
    await stackFile(`${store(declared)}${check}`);
    const proven = { scenario: 'A', because: expect.stringContaining('web proves it') };
    expect((await planned()).scenarios).toMatchObject([proven]);
    expect(await here.machine.json<RunAnswer>(back())).toMatchObject({ outcome: 'succeeded' });
    expect(await revision()).toBe(C3);
    expect(await image()).toContain('backstay/echo:v1');
  });

  it('restores a backup of the schema where there is no way down', async () => {
    await stackFile(store(`, irreversible: [${C3}]`));
    const none = await here.machine.refused(['rollback', here.name, '--to', 'good', '--dry-run', '--reason', 'why']);
    expect(none).toMatchObject({ exit: 7, code: 'SCENARIO_UNDECIDED' });
    expect(none.message).toContain(`there is no backup of the schema ${B2}`);

    // As it would have been taken before the release came.
    await server.run('postgres', 'ALTER DATABASE books RENAME TO books_bad', 'CREATE DATABASE books TEMPLATE fine');
    await here.machine.ok(['db', 'backup', here.name]);
    await server.run('postgres', 'DROP DATABASE books', 'ALTER DATABASE books_bad RENAME TO books');
    await server.run('books', 'DELETE FROM documents WHERE id > 15');
    expect((await planned()).scenarios).toMatchObject([{ scenario: 'C', loses: expect.stringContaining('since') }]);
    const done = await here.machine.json<RunAnswer>(back());
    expect(done.outcome).toBe('succeeded');
    expect([await revision(), await documents()]).toEqual([B2, 20]);
    expect(await image()).toContain('backstay/echo:v1');

    const undone = await here.machine.json<RunAnswer>(['undo', done.run, '--yes', '--reason', 'no']);
    expect(undone.outcome).toBe('succeeded');
    expect([await revision(), await documents()]).toEqual([C3, 15]);
  });
});
