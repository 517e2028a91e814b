import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  contentsOf,
  countOf,
  pinSession,
  samplingOf,
  tablesOf,
} from '../../../src/adapters/postgres/store/contents.ts';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { Backup, BackupManifest, TableContents } from '../../../src/model/index.ts';
import type { DataStore, Integrity } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** Seconds are many here: the server is started for this file, and machines are busy. */
const LIMIT = 60_000;

describe('how much of a table is read for its digest', () => {
  it('is all of it up to two million rows, then between one and two million', () => {
    expect([0, 1, 2_000_000].map((rows) => samplingOf(rows))).toEqual([1, 1, 1]);
    fc.assert(
      fc.property(fc.integer({ min: 2_000_001, max: 2 ** 40 }), (rows) => {
        const every = samplingOf(rows);
        expect(Number.isInteger(Math.log2(every))).toBe(true);
        expect(rows / every).toBeLessThanOrEqual(2_000_000);
        expect(rows / every).toBeGreaterThan(1_000_000);
      }),
    );
  });
});

describe('the integrity of a PostgreSQL store', () => {
  let server: TestPostgres;
  let root: string;
  let number = 0;
  let database: string;
  let store: DataStore;

  const run = async (...statements: readonly string[]) => await server.run(database, ...statements);
  const contents = async (): Promise<Integrity['contents']> => (await store.integrity()).contents;
  const problems = async (): Promise<readonly string[]> => (await store.integrity()).problems;

  beforeAll(async () => {
    server = await startTestPostgres();
    root = await mkdtemp(join(tmpdir(), 'backstay-integrity-'));
  }, LIMIT);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    number += 1;
    database = `books${number}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    const connection = server.connection(database);
    store = postgresStore({
      stack: 'shop',
      setting: { name: database, kind: 'postgres', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      root,
      clock: createSystemClock(),
      env: process.env,
    });
  });

  describe('contents', { timeout: LIMIT }, () => {
    beforeEach(async () => {
      await run(
        'CREATE TABLE pages (id int PRIMARY KEY, title text, body text, price money, at timestamptz, took interval, raw bytea, rate float8)',
        `INSERT INTO pages SELECT n, 'title ' || n, 'body', n, '2026-01-01 12:00:00+02'::timestamptz + n * '1 hour'::interval,
                n * '1 day 2 hours'::interval, decode(md5(n::text), 'hex'), n / 3.0 FROM generate_series(1, 300) AS n`,
      );
    });

    it.each([
      ['one value', `UPDATE pages SET title = 'titel 7' WHERE id = 7`],
      ['a value that is none instead of an empty one', `UPDATE pages SET body = NULL WHERE id = 7`],
      ['two columns that changed their values', `UPDATE pages SET title = body, body = title WHERE id = 7`],
      ['two rows that changed their values', `UPDATE pages SET title = 'title ' || 15 - id WHERE id IN (7, 8)`],
      ['a byte', `UPDATE pages SET raw = set_byte(raw, 3, 255 - get_byte(raw, 3)) WHERE id = 7`],
      ['the last digit of a number', `UPDATE pages SET rate = rate + 1e-13 WHERE id = 7`],
      ['a row that is gone', 'DELETE FROM pages WHERE id = 7'],
      [
        'a row that is there twice',
        'ALTER TABLE pages DROP CONSTRAINT pages_pkey; INSERT INTO pages SELECT * FROM pages WHERE id = 7',
      ],
      ['a column that has another name', 'ALTER TABLE pages RENAME body TO text'],
    ])('differ by %s', async (_, change) => {
      const before = await contents();
      await run(change);
      expect(await contents()).not.toEqual(before);
    });

    it.each([
      ['rows lie elsewhere', ['UPDATE pages SET title = title WHERE id % 3 = 0', 'CLUSTER pages USING pages_pkey']],
      [
        'columns stand in another order',
        [
          'ALTER TABLE pages ADD COLUMN text text',
          'UPDATE pages SET text = body',
          'ALTER TABLE pages DROP COLUMN body',
          'ALTER TABLE pages RENAME text TO body',
        ],
      ],
      [
        'the database writes its values otherwise',
        [
          `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''SQL, DMY''', current_database());
             EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database());
             EXECUTE format('ALTER DATABASE %I SET intervalstyle = ''iso_8601''', current_database());
             EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database());
             EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database()); END $$`,
        ],
      ],
    ])('are the same when %s', async (_, change) => {
      const before = await contents();
      await run(...change);
      expect(await contents()).toEqual(before);
    });

    it('of a large table are those of a sample, and say so', async () => {
      await run(`INSERT INTO pages (id) SELECT n FROM generate_series(301, 4096) AS n`);
      const client = new Client({ ...server.connection(database), ssl: false, password: server.password });
      await client.connect();
      const sample = async (): Promise<TableContents | undefined> => {
        const [table] = await tablesOf(client);
        if (table === undefined) throw new TypeError('no table');
        await client.query('BEGIN');
        const found = await contentsOf(client, table, await countOf(client, table), 512);
        await client.query('COMMIT');
        return found;
      };
      try {
        await pinSession(client);
        const before = await sample();
        expect(before?.sampled).toBe(true);
        expect(await sample()).toEqual(before);
        // One row in eight is looked at: a change of one is most likely not seen, a change of a hundred is.
        await run(`UPDATE pages SET title = 'damaged' WHERE id BETWEEN 1000 AND 1100`);
        expect((await sample())?.digest).not.toBe(before?.digest);
      } finally {
        await client.end();
      }
    });
  });

  describe('a restore', { timeout: LIMIT }, () => {
    const manifestOf = async ({ folder }: Backup): Promise<BackupManifest> =>
      JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as BackupManifest;

    it('is refused when the counts are those of the backup and the contents are not', async () => {
      await run(
        'CREATE TABLE pages (id int PRIMARY KEY, body text)',
        'CREATE TABLE tags (id int PRIMARY KEY)',
        `INSERT INTO pages SELECT n, 'body ' || n FROM generate_series(1, 100) AS n`,
      );
      const right = await store.backup();
      await run(`UPDATE pages SET body = 'damaged' WHERE id = 50`);
      const wrong = await store.backup();
      // A file that is whole in itself, under the manifest of another moment.
      const { file } = await manifestOf(wrong);
      await copyFile(join(wrong.folder, file.name), join(right.folder, file.name));
      await writeFile(join(right.folder, 'manifest.json'), JSON.stringify({ ...(await manifestOf(right)), file }));
      const mixed = await store.find(right.manifest.id);
      await expect(store.restoreBeside(mixed, 'r1')).rejects.toMatchObject({
        code: 'BACKUP_DAMAGED',
        message: expect.stringContaining('public.pages: not the contents of then'),
        details: { tables: ['public.pages'] },
      });
      expect(await store.stateOf('r1')).toBe('nothing');
      await expect(store.prove(wrong, 'restored')).resolves.toMatchObject({
        proofs: [{ proof: 'read' }, { proof: 'restored', message: expect.stringContaining('counts and contents') }],
      });
    });

    it('of a backup that only counted is proven by its counts, and says so', async () => {
      await run('CREATE TABLE pages (id int PRIMARY KEY)', 'INSERT INTO pages VALUES (1)');
      const backup = await store.backup();
      const { contents: _, engine: __, ...old } = await manifestOf(backup);
      await writeFile(join(backup.folder, 'manifest.json'), JSON.stringify(old));
      const proven = await store.prove(await store.find('latest'), 'restored');
      expect(proven.proofs.at(-1)?.message).toMatch(/, counts as when it was taken$/);
    });

    it('carries what is in no plain table: views that are filled, partitions, large objects, identities', async () => {
      await run(
        'CREATE TABLE events (id int GENERATED ALWAYS AS IDENTITY, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
        `CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')`,
        `CREATE TABLE events_b PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01')`,
        `INSERT INTO events (at) SELECT '2026-01-01'::date + n FROM generate_series(0, 360) AS n`,
        'CREATE MATERIALIZED VIEW months AS SELECT extract(month FROM at) AS month, count(*) AS n FROM events GROUP BY 1',
        'CREATE TABLE papers (id int PRIMARY KEY, scan oid)',
        `INSERT INTO papers VALUES (1, lo_from_bytea(0, '\\xcafe'))`,
      );
      const { manifest } = await store.backup();
      expect(manifest.rows).toEqual({ 'public.events': 361, 'public.papers': 1 });
      const restored = await store.restoreBeside(await store.find('latest'), 'r1');
      const beside = async (sql: string): Promise<unknown> => (await server.run(restored.database, sql))[0]?.['x'];
      expect(await beside('SELECT sum(n)::int AS x FROM months')).toBe(361);
      expect(await beside(`SELECT encode(lo_get(scan), 'hex') AS x FROM papers`)).toBe('cafe');
      expect(
        await beside(`SELECT count(*)::int AS x FROM pg_stats WHERE tablename IN ('events_a', 'months')`),
      ).not.toBe(0);
      expect((await store.integrity(restored.database)).problems).toEqual([]);
      await store.finalize('r1');
    });
  });

  describe('problems', { timeout: LIMIT }, () => {
    it.each([
      [
        'a row that refers to nothing',
        ['CREATE TABLE a (id int PRIMARY KEY)', 'CREATE TABLE b (a int REFERENCES a)'],
        ['INSERT INTO b VALUES (7), (NULL)'],
        'public.b: 1 rows refer to nothing in public.a by b_a_fkey',
      ],
      [
        'one of several columns that does',
        [
          'CREATE TABLE a (x int, y int, PRIMARY KEY (x, y))',
          'INSERT INTO a VALUES (1, 2)',
          'CREATE TABLE b (y int, x int, FOREIGN KEY (x, y) REFERENCES a)',
        ],
        ['INSERT INTO b VALUES (1, 2), (2, 1), (NULL, 9)'],
        'public.b: 1 rows refer to nothing in public.a by b_x_y_fkey',
      ],
      [
        'half a key where a whole one is asked for',
        [
          'CREATE TABLE a (x int, y int, PRIMARY KEY (x, y))',
          'CREATE TABLE b (x int, y int, FOREIGN KEY (x, y) REFERENCES a MATCH FULL)',
        ],
        ['INSERT INTO b VALUES (NULL, NULL), (1, NULL)'],
        'public.b: 1 rows refer to nothing in public.a by b_x_y_fkey',
      ],
      [
        'one in a partition',
        [
          'CREATE TABLE a (id int PRIMARY KEY)',
          'CREATE TABLE b (a int REFERENCES a, n int) PARTITION BY LIST (n)',
          'CREATE TABLE b1 PARTITION OF b FOR VALUES IN (1)',
        ],
        ['INSERT INTO b VALUES (7, 1)'],
        'public.b: 1 rows refer to nothing in public.a by b_a_fkey',
      ],
      [
        'one under a constraint that was never validated',
        [
          'CREATE TABLE a (id int PRIMARY KEY)',
          'CREATE TABLE b (a int)',
          'ALTER TABLE b ADD CONSTRAINT later FOREIGN KEY (a) REFERENCES a NOT VALID',
        ],
        ['INSERT INTO b VALUES (7)'],
        'public.b: 1 rows refer to nothing in public.a by later (never validated)',
      ],
      [
        'a sequence behind its column',
        ['CREATE TABLE "Odd name" (id serial PRIMARY KEY)', 'INSERT INTO "Odd name" DEFAULT VALUES'],
        ['INSERT INTO "Odd name" VALUES (2)'],
        'public."Odd name": public."Odd name_id_seq" gives 2 next, and id has 2 already',
      ],
    ])('tell of %s', async (_, before, harm, told) => {
      await run(...before);
      expect(await problems()).toEqual([]);
      await run('SET session_replication_role = replica', ...harm);
      expect(await problems()).toEqual([told]);
    });

    it('do not come from what may be so: no references, cycles, names with quotes, other schemas', async () => {
      await run(
        'CREATE SCHEMA "Other""s"',
        'CREATE TABLE "Other""s"."T t" ("I d" int PRIMARY KEY, up int REFERENCES "Other""s"."T t")',
        'INSERT INTO "Other""s"."T t" VALUES (1, NULL), (2, 1)',
        'CREATE TABLE empty (id bigserial PRIMARY KEY)',
        'CREATE TABLE bare ()',
      );
      const found = await store.integrity();
      expect(found.problems).toEqual([]);
      expect(found.rows).toEqual({ 'Other"s.T t': 2, 'public.bare': 0, 'public.empty': 0 });
    });

    it('of pages and indexes are looked for where amcheck is installed, and unknown where it is not', async () => {
      await run(
        'CREATE FUNCTION folded(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT lower($1) $$',
        'CREATE TABLE names (name text)',
        `INSERT INTO names SELECT 'Name ' || n FROM generate_series(1, 200) AS n`,
        'CREATE INDEX by_name ON names (folded(name))',
      );
      expect((await store.integrity()).unknown).toContainEqual(expect.stringContaining('amcheck is not installed'));
      await run('CREATE EXTENSION amcheck');
      const sound = await store.integrity();
      expect(sound.problems).toEqual([]);
      expect(sound.unknown).not.toContainEqual(expect.stringContaining('amcheck'));
      // The index holds what the function said then: as after an upgrade of a collation, the rows are not found in it.
      await run(
        'CREATE OR REPLACE FUNCTION folded(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT upper($1) $$',
      );
      expect(await problems()).toEqual([expect.stringMatching(/^public\.by_name: .*lacks matching index tuple/)]);
    });

    it('of checksums are unknown where the server keeps none', async () => {
      expect((await store.integrity()).unknown).toContainEqual('pages: this server keeps no checksums of them');
    });
  });
});
