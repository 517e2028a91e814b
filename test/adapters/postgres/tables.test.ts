import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** Only some tables go back; the others, and everything that hangs on these, stay as they are. */
describe('single tables of a PostgreSQL store', { timeout: 60_000 }, () => {
  let server: TestPostgres;
  let root: string;
  let number = 0;
  let database: string;
  let store: DataStore;

  const run = async (...statements: readonly string[]) => await server.run(database, ...statements);
  const one = async (sql: string): Promise<unknown> => (await run(`SELECT (${sql})::text AS x`))[0]?.['x'];
  const schemas = async (): Promise<unknown> =>
    await one(`SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%\\_\\_bs\\_%'`);
  const open = (how: { readonly user?: string; readonly parallelFrom?: number } = {}): DataStore => {
    const connection = { ...server.connection(database), ...(how.user === undefined ? {} : { user: how.user }) };
    return postgresStore({
      stack: 'shop',
      setting: { name: database, kind: 'postgres', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      root,
      clock: createSystemClock(),
      env: process.env,
      ...how,
    });
  };

  beforeAll(async () => {
    server = await startTestPostgres();
    root = await mkdtemp(join(tmpdir(), 'backstay-tables-'));
    await server.run('postgres', `CREATE ROLE modest LOGIN PASSWORD '${server.password}'`);
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    number += 1;
    database = `tables${number}`;
    await server.run('postgres', `CREATE DATABASE ${database} OWNER modest`);
    store = open();
    await run(
      'SET SESSION AUTHORIZATION modest',
      'CREATE SCHEMA audit',
      'CREATE TABLE users (id serial PRIMARY KEY, name text)',
      `CREATE TABLE documents (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner int REFERENCES users ON DELETE CASCADE,
         title text, long text, size int GENERATED ALWAYS AS (length(title)) STORED, UNIQUE (title))`,
      'CREATE TABLE "audit"."Odd ""name" (document int REFERENCES public.documents ON DELETE CASCADE, what text)',
      'CREATE TABLE empty (id int)',
      `COMMENT ON CONSTRAINT documents_owner_fkey ON documents IS 'whose'`,
      'CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$',
      'CREATE TRIGGER loud BEFORE INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION shout()',
      'CREATE TRIGGER quiet BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION shout()',
      'ALTER TABLE documents DISABLE TRIGGER quiet',
      'CREATE VIEW titles AS SELECT title FROM documents',
      `INSERT INTO users (name) SELECT 'user ' || n FROM generate_series(1, 50) AS n`,
      `INSERT INTO documents (owner, title, long) SELECT n % 50 + 1, E'title\\t\\n\\\\. ' || n, repeat('\\.', n) FROM generate_series(1, 500) AS n`,
      `INSERT INTO audit."Odd ""name" SELECT n, 'made' FROM generate_series(1, 500) AS n`,
    );
  });

  /** Some rows changed, some are gone and took others with them, some are new, and two changed their unique titles. */
  const damage = async (): Promise<void> => {
    await run(
      `UPDATE documents SET title = 'damaged ' || id WHERE id <= 100`,
      'ALTER TABLE "audit"."Odd ""name" DROP CONSTRAINT "Odd ""name_document_fkey"',
      'DELETE FROM documents WHERE id BETWEEN 400 AND 450',
      `INSERT INTO documents (owner, title) VALUES (1, 'new')`,
      `ALTER TABLE "audit"."Odd ""name" ADD CONSTRAINT "Odd ""name_document_fkey" FOREIGN KEY (document) REFERENCES documents ON DELETE CASCADE NOT VALID`,
      `UPDATE users SET name = 'changed since' WHERE id = 7`,
    );
  };
  const dump = async (table: string): Promise<unknown> =>
    await one(`SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`);

  it.each([
    ['a backup of them alone', ['documents'], {}],
    ['a backup of everything', undefined, {}],
    ['one that was dumped in parts', undefined, { parallelFrom: 0 }],
  ])('go back from %s, the others stay, and that is undone', async (_, only, how) => {
    store = open(how);
    const then = await dump('documents');
    const backup = await store.backup(only === undefined ? {} : { tables: only });
    if (only !== undefined)
      expect(backup.manifest).toMatchObject({ tables: ['public.documents'], rows: { 'public.documents': 500 } });
    await damage();
    const damaged = await dump('documents');
    expect(await store.obstacles(backup, ['documents'])).toEqual([]);
    const restored = await store.restoreBeside(backup, 'r1', undefined, ['documents']);
    expect(restored).toMatchObject({
      rows: { 'public.documents': 500 },
      proof: { message: expect.stringContaining('counts and contents') },
    });
    expect(await store.restoreBeside(backup, 'r1', undefined, ['documents'])).toMatchObject({ rows: restored.rows });
    expect(await dump('documents')).toBe(damaged);
    expect(await store.stateOf('r1')).toBe('before');

    const { kept } = await store.swap('r1');
    expect(await store.swap('r1')).toEqual({ kept, unavailableMs: 0 });
    expect(await store.stateOf('r1')).toBe('swapped');
    expect(await dump('documents')).toBe(then);
    expect(await one('SELECT name FROM users WHERE id = 7')).toBe('changed since');
    expect(await one('SELECT count(*) FROM titles')).toBe('500');
    // Keys lead where they led, say what was said of them, and are watched again; triggers are switched as they were.
    await expect(run('INSERT INTO documents (owner, title) VALUES (999, $$x$$)')).rejects.toThrow(
      'documents_owner_fkey',
    );
    expect(await one(`SELECT obj_description(oid) FROM pg_constraint WHERE conname = 'documents_owner_fkey'`)).toBe(
      'whose',
    );
    expect(
      await one(
        `SELECT string_agg(tgname::text || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal`,
      ),
    ).toBe('loudO quietD');
    await run(`INSERT INTO documents (owner, title) VALUES (1, 'later')`);
    expect(await one(`SELECT count(*) FROM documents WHERE title = 'LATER' AND id > 500 AND size = 5`)).toBe('1');
    // A backup now has nothing of what stands beside.
    expect(Object.keys((await store.inspect()).rows)).toHaveLength(4);

    await store.undoSwap('r1');
    await store.undoSwap('r1');
    expect(await store.stateOf('r1')).toBe('undone');
    expect(await dump('documents')).toBe(damaged);
    expect(await store.finalize('r1')).toEqual([expect.stringContaining('schema ')]);
    expect(await store.finalize('r1')).toEqual([]);
    expect(await store.stateOf('r1')).toBe('nothing');
    expect(await schemas()).toBe('0');
  });

  it('with odd names, keys between them and no rows go back together, by a user who only owns them', async () => {
    store = open({ user: 'modest' });
    const tables = ['documents', 'audit.Odd "name', 'users', 'empty'];
    // The fence was made by somebody else on this server: using it is enough.
    await open().restoreBeside(await open().backup({ tables: ['empty'] }), 'r0');
    await open().finalize('r0');
    await server.run(
      'postgres',
      'GRANT USAGE ON SCHEMA backstay TO modest',
      'GRANT SELECT, INSERT, UPDATE ON backstay.fence TO modest',
    );
    const backup = await store.prove(await store.backup({ tables }), 'restored');
    expect(backup.proofs.map(({ proof }) => proof)).toEqual(['read', 'restored']);
    expect(await schemas()).toBe('0');
    const [documents, events] = [await dump('documents'), await dump('audit."Odd ""name"')];
    await run('DELETE FROM users WHERE id <= 25', 'INSERT INTO empty VALUES (1)');
    expect(await dump('documents')).not.toBe(documents);
    await store.restoreBeside(backup, 'r1');
    await store.swap('r1');
    expect([await dump('documents'), await dump('audit."Odd ""name"')]).toEqual([documents, events]);
    expect(await one('SELECT count(*) FROM empty')).toBe('0');
    expect((await store.integrity()).problems).toEqual([]);
    await store.finalize('r1');
  });

  it('are refused as a whole when rows of others would refer to nothing', async () => {
    const backup = await store.backup({ tables: ['documents'] });
    await run(
      `INSERT INTO documents (owner, title) VALUES (1, 'new')`,
      `INSERT INTO audit."Odd ""name" SELECT max(id), 'about the new one' FROM documents`,
    );
    const before = await dump('documents');
    await store.restoreBeside(backup, 'r1');
    await expect(store.swap('r1')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('foreign key constraint'),
      next: expect.stringContaining('name those tables as well'),
    });
    expect(await dump('documents')).toBe(before);
    expect(await store.stateOf('r1')).toBe('before');
    expect((await store.integrity()).problems).toEqual([]);
    await store.finalize('r1');
  });

  it('are exchanged by no run that a later one has overtaken, and not while others hold them for long', async () => {
    const backup = await store.backup({ tables: ['documents'] });
    await damage();
    await store.restoreBeside(backup, 'r1');
    await store.restoreBeside(backup, 'r2');
    await expect(store.swap('r1')).rejects.toMatchObject({ code: 'STORE_FENCED' });
    const holder = new Client({ ...server.connection(database), ssl: false, password: server.password });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM documents LIMIT 1');
    await expect(store.swap('r2')).rejects.toMatchObject({ code: 'STORE_FAILED', details: { code: '55P03' } });
    await holder.query('ROLLBACK');
    await holder.end();
    await store.swap('r2');
    expect(await one(`SELECT count(*) FROM documents WHERE title LIKE 'DAMAGED%'`)).toBe('0');
  });

  it.each([
    ['is not there', ['nothing'], 'table nothing: there is none'],
    ['is there twice', ['twice'], 'table twice: there are audit.twice, public.twice'],
    ['has partitions', ['parts'], 'table public.parts has parts of its own'],
  ])('one that %s is refused by name, in a backup and in a restore', async (_, tables, message) => {
    await run(
      'CREATE TABLE twice (id int)',
      'CREATE TABLE audit.twice (id int)',
      'CREATE TABLE parts (id int) PARTITION BY LIST (id)',
      'CREATE TABLE part PARTITION OF parts DEFAULT',
    );
    await expect(store.backup({ tables })).rejects.toMatchObject({
      code: 'STORE_REFUSED',
      message: expect.stringContaining(message),
    });
    expect(await store.backups()).toEqual([]);
    const whole = await store.backup();
    const refused = store.obstacles(whole, tables).then((found) => Promise.reject(new TypeError(found.join())));
    await expect(refused).rejects.toThrow(message);
  });

  it('whose columns are others by now are refused, and nothing is left beside', async () => {
    const backup = await store.backup({ tables: ['users'] });
    await run('ALTER TABLE users ADD COLUMN mail text');
    await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining('the table has other columns now'),
    });
    await run('ALTER TABLE users DROP COLUMN mail', 'ALTER TABLE users DROP COLUMN name');
    await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await schemas()).toBe('0');
  });

  it('are tried in a schema that goes again, also one of a process that died', async () => {
    const backup = await store.backup({ tables: ['users'] });
    await run(`CREATE SCHEMA ${database}__bs_proof1`, `CREATE TABLE ${database}__bs_proof1.left (id int)`);
    expect((await store.prove(backup, 'restored')).proofs.map(({ proof }) => proof)).toEqual(['read', 'restored']);
    expect(await schemas()).toBe('0');
  });

  it('are never the latest backup: that is one of everything', async () => {
    const whole = await store.backup();
    const only = await store.backup({ tables: ['users'] });
    expect((await store.find('latest')).manifest.id).toBe(whole.manifest.id);
    expect((await store.find(only.manifest.id)).manifest.tables).toEqual(['public.users']);
  });
});
