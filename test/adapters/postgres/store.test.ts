import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** On a real server, with the tools of this machine: what a team's database goes through when a release damaged it. */
describe('a PostgreSQL data store', () => {
  let server: TestPostgres;
  let root: string;
  let store: DataStore;
  let number = 0;
  let database: string;

  const storeOf = (name: string, password = server.password): DataStore =>
    postgresStore({
      stack: 'shop',
      setting: { name, kind: 'postgres', connection: server.connection(name), tables: [], writers: [] },
      access: async () => ({ connection: server.connection(name), password }),
      root,
      clock: createSystemClock(),
      env: process.env,
    });
  const names = async (): Promise<readonly string[]> =>
    (await server.run('postgres', `SELECT datname FROM pg_database WHERE datname LIKE '${database}%' ORDER BY 1`)).map(
      ({ datname }) => String(datname),
    );
  const titles = async (): Promise<number> =>
    Number((await server.run(database, 'SELECT count(*) AS n FROM documents'))[0]?.['n']);

  beforeAll(async () => {
    server = await startTestPostgres();
    root = await mkdtemp(join(tmpdir(), 'backstay-backups-'));
    await server.run('postgres', 'CREATE ROLE reader');
  });
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });
  beforeEach(async () => {
    number += 1;
    database = `app${number}`;
    await server.run('postgres', `CREATE DATABASE ${database}`);
    await server.run(
      database,
      'CREATE SCHEMA audit',
      'CREATE TABLE documents (id serial PRIMARY KEY, title text NOT NULL)',
      `CREATE TABLE audit.events (id serial PRIMARY KEY, document int REFERENCES documents, what text)`,
      `INSERT INTO documents (title) SELECT 'document ' || n FROM generate_series(1, 2000) AS n`,
      `INSERT INTO audit.events (document, what) SELECT n, 'made' FROM generate_series(1, 500) AS n`,
      'CREATE VIEW titles AS SELECT title FROM documents',
    );
    store = storeOf(database);
  });

  it('counts in the snapshot that it dumps, while others write', async () => {
    const writer = new Client({ ...server.connection(database), ssl: false, password: server.password });
    await writer.connect();
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) await writer.query(`INSERT INTO documents (title) VALUES ('late')`);
    })();
    try {
      const backup = await store.backup();
      expect(backup.manifest.rows['public.documents']).toBeGreaterThanOrEqual(2000);
      await expect(store.prove(backup, 'restored')).resolves.toMatchObject({
        proofs: [{ proof: 'read' }, { proof: 'restored' }],
      });
    } finally {
      stop.abort();
      await writing;
      await writer.end();
    }
    expect(await names()).toEqual([database]);
  });

  it('takes back what a bad release did, keeps the former data, and undoes that again', async () => {
    const { manifest } = await store.backup();
    await server.run(database, 'DELETE FROM audit.events', `DELETE FROM documents WHERE id > 100`);
    const backup = await store.find('latest');
    expect(backup.manifest).toEqual(manifest);
    const restored = await store.restoreBeside(backup, 'r1');
    expect(restored.rows).toEqual(manifest.rows);
    expect(await titles()).toBe(100);
    expect(await store.stateOf('r1')).toBe('before');

    const { kept } = await store.swap('r1');
    expect(await titles()).toBe(2000);
    expect(await names()).toEqual([database, kept]);
    await expect(server.run(kept, 'SELECT 1')).rejects.toThrow('not currently accepting connections');

    await store.undoSwap('r1');
    expect(await titles()).toBe(100);
    expect(await store.stateOf('r1')).toBe('undone');
    expect(await store.finalize('r1')).toHaveLength(1);
    expect(await names()).toEqual([database]);
    expect(await store.finalize('r1')).toEqual([]);
  });

  it('carries over what a dump leaves out', async () => {
    await server.run(
      'postgres',
      `ALTER DATABASE ${database} SET search_path = audit, public`,
      `ALTER DATABASE ${database} SET "app.tenant" = 'o''neil & sons'`,
      `ALTER ROLE reader IN DATABASE ${database} SET statement_timeout = '7s'`,
      `COMMENT ON DATABASE ${database} IS 'the team''s own'`,
      `ALTER DATABASE ${database} CONNECTION LIMIT 42`,
      `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
      `GRANT CONNECT ON DATABASE ${database} TO reader`,
    );
    const state = async (): Promise<unknown> =>
      await server.run(
        'postgres',
        `SELECT shobj_description(oid, 'pg_database') AS comment, datconnlimit, datallowconn, datacl::text, pg_get_userbyid(datdba) AS owner,
                (SELECT array_agg(setting ORDER BY setting) FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
                  WHERE s.setdatabase = d.oid AND setting NOT LIKE 'backstay.%') AS settings
           FROM pg_database d WHERE datname = '${database}'`,
      );
    const before = await state();
    await store.restoreBeside(await store.backup(), 'r1');
    await store.swap('r1');
    expect(await state()).toEqual(before);
    const planned = await server.run(database, `SELECT reltuples FROM pg_class WHERE relname = 'documents'`);
    expect(planned).toEqual([{ reltuples: 2000 }]);
    await store.finalize('r1');
  });

  it('swaps under clients that reconnect all the time: each sees the old data or the new, never neither', async () => {
    await store.backup();
    await server.run(database, `UPDATE documents SET title = 'damaged'`);
    await store.restoreBeside(await store.find('latest'), 'r1');
    const stop = new AbortController();
    const seen = new Set<unknown>();
    const strange: unknown[] = [];
    const client = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const one = new Client({ ...server.connection(database), ssl: false, password: server.password });
        one.on('error', () => undefined);
        try {
          await one.connect();
          seen.add((await one.query('SELECT count(DISTINCT title)::int AS n FROM documents')).rows[0].n);
        } catch (error) {
          // Ended by the swap, or asking while it goes on; 3D000 is how the server refuses whoever waited for the name.
          const { code = '', message } = error as { code?: string; message: string };
          if (!['57P01', '55000', '3D000', 'ECONNRESET'].includes(code) && !/terminated|not queryable/.test(message))
            strange.push(error);
        } finally {
          await one.end().catch(() => undefined);
        }
      }
    };
    const clients = Array.from({ length: 12 }, client);
    await expect.poll(() => seen.size).toBe(1);
    await store.swap('r1');
    await expect.poll(() => seen.size).toBe(2);
    stop.abort();
    await Promise.all(clients);
    expect(seen).toEqual(new Set([1, 2000]));
    expect(strange).toEqual([]);
  });

  it('lets nobody end what a later run has taken over', async () => {
    const backup = await store.backup();
    await store.restoreBeside(backup, 'r1');
    // A hand that was held up between the fence and the exchange: its epoch is one behind.
    const { swap } = await import('../../../src/adapters/postgres/store/swap.ts');
    const { raiseFence } = await import('../../../src/adapters/postgres/store/fence.ts');
    const client = new Client({ ...server.connection('postgres'), ssl: false, password: server.password });
    await client.connect();
    const epoch = await raiseFence(client, database, 'r1');
    await raiseFence(client, database, 'r2');
    await client.end();
    const access = { connection: server.connection(database), password: server.password };
    await expect(swap(access, 'r1', epoch)).rejects.toMatchObject({ code: 'STORE_FENCED' });
    expect(await store.stateOf('r1')).toBe('before');
  });

  it('begins anew where an earlier attempt was cut off, and takes one that was whole as it is', async () => {
    const backup = await store.backup();
    await server.run('postgres', `CREATE DATABASE ${database}__bs_r1`);
    const { swap } = await import('../../../src/adapters/postgres/store/swap.ts');
    const access = { connection: server.connection(database), password: server.password };
    await expect(swap(access, 'r1', 1)).rejects.toThrow('never restored to its end');
    expect((await store.restoreBeside(backup, 'r1')).rows).toEqual(backup.manifest.rows);
    expect((await store.restoreBeside(backup, 'r1')).proof.message).toContain('was restored before');
  });

  it('drops what a proof left whose process died, and nothing of one that is at work', async () => {
    const backup = await store.backup();
    const [left, atWork] = [`${database}__bs_proof1`, `${database}__bs_proof2`];
    for (const name of [left, atWork, `${database}_keep`]) await server.run('postgres', `CREATE DATABASE ${name}`);
    const { inTrial } = await import('../../../src/adapters/postgres/store/trial.ts');
    const access = { connection: server.connection(database), password: server.password };
    const other = await inTrial(access, 'proof-2', async () => {
      // The trial of another process, which holds its name: made again here, for beginning drops what nobody held.
      await server.run('postgres', `CREATE DATABASE ${atWork}`);
      await store.prove(backup, 'restored');
      return await names();
    });
    expect(other).toEqual([database, atWork, `${database}_keep`]);
    expect(await names()).toEqual([database, `${database}_keep`]);
  });

  it('says why it cannot reach the server', async () => {
    await expect(storeOf(database, 'wrong').inspect()).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining(`ada@127.0.0.1:${server.port}/${database}`),
    });
    await expect(storeOf('nowhere').backup()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(await storeOf('nowhere').backups()).toEqual([]);
  });
});
