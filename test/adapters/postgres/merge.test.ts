import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quarantineOf } from '../../../src/adapters/postgres/merge/keep.ts';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import {
  type Backup,
  type Digest,
  doesAddUp,
  type Merged,
  type MergeReport,
  totalsOf,
} from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** On a real server: a bad release damaged rows while people went on writing good ones. */
describe('rows written since a backup', { timeout: 240_000 }, () => {
  let server: TestPostgres;
  let root: string;
  let database: string;
  let store: DataStore;
  let number = 0;

  const query = async (...statements: readonly string[]) => await server.run(database, ...statements);
  const report = async (backup: Backup): Promise<MergeReport> => {
    if (store.newRows === undefined) throw new TypeError('it cannot keep rows');
    return await store.newRows(backup);
  };
  const keep = async (run: string, digest: Digest): Promise<Merged> => {
    if (store.keepNewRows === undefined) throw new TypeError('it cannot keep rows');
    return await store.keepNewRows(run, digest);
  };
  const databases = async (): Promise<number> =>
    (await server.run('postgres', `SELECT FROM pg_database WHERE datname LIKE '${database}%'`)).length;

  beforeAll(async () => {
    server = await startTestPostgres();
    root = await mkdtemp(join(tmpdir(), 'backstay-merge-'));
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    number += 1;
    database = `shop${number}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    const connection = server.connection(database);
    store = postgresStore({
      stack: 'shop',
      setting: {
        name: database,
        kind: 'postgres',
        connection,
        tables: [],
        writers: [],
        migrations: {
          tool: 'table',
          runs: { kind: 'local', folder: '/nowhere' },
          table: 'our_revisions',
          urlVariable: 'DATABASE_URL',
          irreversible: [],
        },
      },
      access: async () => ({ connection, password: server.password }),
      root,
      clock: createSystemClock(),
      env: process.env,
    });
    await query(
      'CREATE TABLE people (id serial PRIMARY KEY, email text UNIQUE, boss int REFERENCES people, loud text GENERATED ALWAYS AS (upper(email)) STORED)',
      `CREATE TYPE mood AS ENUM ('good', 'so-so')`,
      'CREATE TABLE notes (person int REFERENCES people, at timestamptz, body text[], mood mood, PRIMARY KEY (person, at))',
      'CREATE TABLE "Odd ""table" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, bytes bytea, n numeric)',
      'CREATE TABLE told (id int)',
      'CREATE TABLE written (what text)',
      `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.told VALUES (1); RETURN NULL; END $$`,
      'CREATE TRIGGER tell AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION tell()',
      `INSERT INTO people (email, boss) VALUES ('ada', NULL), ('bob', 1), ('cy', 1)`,
      `INSERT INTO notes VALUES (1, '2026-01-01', '{a,"b c"}', 'good'), (2, '2026-01-02', NULL, NULL)`,
      `INSERT INTO "Odd ""table" (bytes, n) VALUES ('\\x00ff', 1.50)`,
    );
  });

  it.each(['alembic_version', 'schema_migrations', 'flyway_schema_history'])(
    'never bring the revision of a schema along that the data of the backup never saw: %s',
    async (table) => {
      await query(`CREATE TABLE ${table} (version text PRIMARY KEY)`, `INSERT INTO ${table} VALUES ('1')`);
      const backup = await store.backup();
      await query(`INSERT INTO ${table} VALUES ('2')`, `INSERT INTO people (email) VALUES ('dee')`);
      const found = await report(backup);
      expect(found.refused).toEqual([]);
      expect(found.tables.filter(({ fresh }) => fresh > 0).map((one) => one.table)).toEqual(['public.people']);
    },
  );

  it('are kept, what changed is set aside, what was deleted comes back, and all of it adds up', async () => {
    const backup = await store.backup();
    await query(
      // New: one who refers to an old row, and one who refers to a new one with a higher key.
      `INSERT INTO people (email, boss) VALUES ('dee', 2), ('eve', NULL)`,
      `UPDATE people SET boss = 5 WHERE email = 'dee'`,
      `INSERT INTO notes SELECT 4, at, '{"x, \\"y\\"",NULL}', 'so-so' FROM generate_series('2026-02-01'::timestamptz, '2026-02-03', '1 day') AS at`,
      `UPDATE notes SET body = '{damaged}' WHERE person = 1`,
      `DELETE FROM notes WHERE person = 2`,
      `INSERT INTO "Odd ""table" (bytes, n) VALUES ('\\xdeadbeef', NULL), (NULL, 'NaN')`,
      `INSERT INTO people (email) SELECT NULL FROM generate_series(1, 1200)`,
    );
    // Its trigger told of the notes, in a table that has no key.
    await query('DELETE FROM told', `INSERT INTO told VALUES (1), (1)`);
    const found = await report(backup);
    expect(found.refused).toEqual([]);
    expect(totalsOf(found.tables)).toEqual({ fresh: 2 + 1200 + 3 + 2, changed: 1, returning: 1 });
    expect(await databases()).toBe(1);
    expect(await report(backup)).toEqual(found);

    await store.restoreBeside(backup, 'r1');
    const merged = await keep('r1', found.digest);
    expect(merged.tables.every(doesAddUp)).toBe(true);
    expect(merged).toMatchObject({ quarantine: quarantineOf('r1') });
    expect(await keep('r1', found.digest)).toMatchObject({
      tables: merged.tables,
      message: expect.stringContaining('earlier attempt'),
    });
    await store.swap('r1');
    expect(await query(`SELECT email, boss, loud FROM people WHERE email IS NOT NULL ORDER BY id`)).toEqual([
      { email: 'ada', boss: null, loud: 'ADA' },
      { email: 'bob', boss: 1, loud: 'BOB' },
      { email: 'cy', boss: 1, loud: 'CY' },
      { email: 'dee', boss: 5, loud: 'DEE' },
      { email: 'eve', boss: null, loud: 'EVE' },
    ]);
    expect(await query('SELECT person, body, mood::text FROM notes ORDER BY person, at')).toEqual([
      { person: 1, body: ['a', 'b c'], mood: 'good' },
      { person: 2, body: null, mood: null },
      ...[1, 2, 3].map(() => ({ person: 4, body: ['x, "y"', null], mood: 'so-so' })),
    ]);
    expect(await query(`SELECT id, encode(bytes, 'hex') AS bytes, n::text FROM "Odd ""table" ORDER BY id`)).toEqual([
      { id: 1, bytes: '00ff', n: '1.50' },
      { id: 2, bytes: 'deadbeef', n: null },
      { id: 3, bytes: null, n: 'NaN' },
    ]);
    // No trigger fired again; it is awake for what comes.
    expect(await query('SELECT count(*)::int AS n FROM told')).toEqual([{ n: 2 }]);
    await query(`INSERT INTO notes VALUES (3, '2026-03-01', NULL, NULL)`);
    expect(await query('SELECT count(*)::int AS n FROM told')).toEqual([{ n: 3 }]);
    // Nobody's number is given out again.
    expect(await query(`INSERT INTO people (email) VALUES ('next') RETURNING id`)).toEqual([{ id: 1206 }]);
    expect(await query(`INSERT INTO "Odd ""table" (n) VALUES (1) RETURNING id`)).toEqual([{ id: 4 }]);
    const aside = await query(`SELECT tablename FROM pg_tables WHERE schemaname = '${merged.quarantine}'`);
    const tables = await Promise.all(
      aside.map(
        async ({ tablename }) =>
          await query(`SELECT * FROM "${merged.quarantine}"."${String(tablename).replaceAll('"', '""')}"`),
      ),
    );
    expect(tables.flat()).toEqual([
      expect.objectContaining({ backstay_why: 'changed since the backup', person: 1, body: ['damaged'] }),
    ]);
    await store.undoSwap('r1');
    expect(await query('SELECT body FROM notes WHERE person = 1')).toEqual([{ body: ['damaged'] }]);
    await store.finalize('r1');
  });

  it('that do not fit what comes back are set aside, and what refers to them', async () => {
    const backup = await store.backup();
    await query(
      `UPDATE people SET email = 'bob of old' WHERE id = 2`,
      `INSERT INTO people (email) VALUES ('bob')`,
      `INSERT INTO notes VALUES (4, '2026-05-01', NULL, 'good')`,
    );
    await query('DELETE FROM told', `INSERT INTO told VALUES (1), (1)`);
    const found = await report(backup);
    expect(found.refused).toEqual([]);
    await store.restoreBeside(backup, 'r2');
    const merged = await keep('r2', found.digest);
    expect(merged.tables.find(({ table }) => table === 'public.people')).toMatchObject({
      kept: 0,
      quarantined: 2,
      now: 3,
    });
    expect(merged.tables.find(({ table }) => table === 'public.notes')).toMatchObject({
      kept: 0,
      quarantined: 1,
      now: 2,
    });
    await store.finalize('r2');
  });

  it('are those of the report, or none is touched', async () => {
    const backup = await store.backup();
    await query(`INSERT INTO people (email) VALUES ('dee')`);
    const found = await report(backup);
    await store.restoreBeside(backup, 'r3');
    await query(`UPDATE people SET email = 'someone else' WHERE email = 'dee'`);
    await expect(keep('r3', found.digest)).rejects.toMatchObject({ code: 'PLAN_STALE' });
    const moved = await report(backup);
    expect(moved.digest).not.toBe(found.digest);
    const stop = new AbortController();
    stop.abort();
    await expect(store.keepNewRows?.('r3', moved.digest, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
    // What stands beside is whole, and takes them now.
    expect((await keep('r3', moved.digest)).tables.every(doesAddUp)).toBe(true);
    await store.finalize('r3');
  });

  it.each<[string, readonly string[], string]>([
    [
      'a table without a key that changed',
      [`INSERT INTO written VALUES ('x')`],
      'public.written: it has no primary key, and changed',
    ],
    [
      'a table that the backup has not',
      ['CREATE TABLE later (id int PRIMARY KEY)', 'INSERT INTO later VALUES (1)'],
      'public.later: it is not in the backup, and has 1 rows',
    ],
    [
      'a column that the backup has not',
      ['ALTER TABLE notes ADD COLUMN stars int'],
      `public.notes: columns differ from the backup's (stars)`,
    ],
    [
      'another type',
      ['ALTER TABLE notes ALTER COLUMN body TYPE text'],
      `public.notes: columns differ from the backup's (body)`,
    ],
    [
      'another key',
      ['ALTER TABLE notes DROP CONSTRAINT notes_pkey', 'ALTER TABLE notes ADD PRIMARY KEY (at)'],
      `public.notes: its primary key is not the backup's`,
    ],
  ])('cannot be kept with %s: it is said, and nothing is taken over', async (_what, statements, why) => {
    const backup = await store.backup();
    await query(...statements);
    const found = await report(backup);
    expect(found.refused).toEqual([why]);
    await store.restoreBeside(backup, 'r4');
    await expect(keep('r4', found.digest)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    await store.finalize('r4');
  });

  it('are not those in which a migration tool says how far it came: these go with the schema', async () => {
    for (const table of ['schema_migrations', 'our_revisions'])
      await query(`CREATE TABLE ${table} (version text PRIMARY KEY)`, `INSERT INTO ${table} VALUES ('1')`);
    const backup = await store.backup();
    await query(`INSERT INTO schema_migrations VALUES ('2')`, `INSERT INTO our_revisions VALUES ('2')`);
    await query(`INSERT INTO people (email) VALUES ('dee')`);
    const found = await report(backup);
    expect(totalsOf(found.tables)).toEqual({ fresh: 1, changed: 0, returning: 0 });
    await store.restoreBeside(backup, 'r5');
    await keep('r5', found.digest);
    await store.swap('r5');
    expect(await query('SELECT version FROM schema_migrations UNION ALL SELECT version FROM our_revisions')).toEqual([
      { version: '1' },
      { version: '1' },
    ]);
    await store.finalize('r5');
  });

  it('cannot be kept among tables that refer to each other', async () => {
    await query(
      'CREATE TABLE a (id int PRIMARY KEY, b int)',
      'CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)',
      'ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b',
    );
    const backup = await store.backup();
    await query('INSERT INTO a VALUES (1)', 'INSERT INTO b VALUES (1, 1)', 'UPDATE a SET b = 1');
    expect((await report(backup)).refused).toEqual(['public.a, public.b: they refer to each other, and have new rows']);
  });

  it('add up whatever was inserted, changed and deleted', async () => {
    await query('CREATE TABLE t (k text PRIMARY KEY, v text, u int UNIQUE)');
    const rows = fc.uniqueArray(
      fc.record({
        k: fc.constantFrom('a', 'b', 'é', '\u{1F600}', '\uFFFD', 'Z', ''),
        v: fc.constantFrom('1', '2'),
        u: fc.nat(9),
      }),
      {
        selector: ({ k }) => k,
        maxLength: 7,
      },
    );
    const unique = rows.map((all) => all.filter(({ u }, at) => all.findIndex((one) => one.u === u) === at));
    const fill = async (all: readonly { k: string; v: string; u: number }[]): Promise<void> =>
      void (await query('TRUNCATE t', ...all.map(({ k, v, u }) => `INSERT INTO t VALUES ('${k}', '${v}', ${u})`)));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(unique, unique, async (then, now) => {
        run += 1;
        await fill(then);
        const backup = await store.backup();
        await fill(now);
        const found = await report(backup);
        await store.restoreBeside(backup, `p${run}`);
        const { tables } = await keep(`p${run}`, found.digest);
        expect(tables.every(doesAddUp)).toBe(true);
        await store.swap(`p${run}`);
        const after = await query('SELECT k, v, u FROM t');
        // Everything of the backup, and of the rest what does not collide with it.
        const taken = new Set(then.map(({ u }) => u));
        const kept = now.filter(({ k, u }) => !then.some((one) => one.k === k) && !taken.has(u));
        expect(new Set(after.map((row) => JSON.stringify(row)))).toEqual(
          new Set([...then, ...kept].map(({ k, v, u }) => JSON.stringify({ k, v, u }))),
        );
        await store.finalize(`p${run}`);
      }),
      { numRuns: 4 },
    );
  });
});
