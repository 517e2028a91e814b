import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { postgresStore } from '../../support/postgres-store.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { type DataStoreFixture, dataStoreContract } from '../../contracts/data-store.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

let server: TestPostgres;
let number = 0;

beforeAll(async () => {
  server = await startTestPostgres(['-c', 'max_prepared_transactions=2']);
}, 60_000);
afterAll(async () => {
  await server.stop();
});

dataStoreContract('PostgreSQL', async () => await fixture({}));
// As large databases are dumped: a folder, written and read by several connections.
dataStoreContract('PostgreSQL in parts', async () => await fixture({ parallelFrom: 0 }));

async function fixture(how: { readonly parallelFrom?: number }): Promise<DataStoreFixture> {
  number += 1;
  const database = `shop${number}`;
  const root = await mkdtemp(join(tmpdir(), 'backstay-contract-pg-'));
  const connection = server.connection(database);
  await server.run('postgres', `CREATE DATABASE ${database}`);
  await server.run(
    database,
    'CREATE TABLE documents (id serial PRIMARY KEY, title text NOT NULL, marker text)',
    'CREATE TABLE pages (id serial PRIMARY KEY, document int NOT NULL REFERENCES documents ON DELETE CASCADE, body text)',
    `INSERT INTO documents (title, marker) SELECT 'document ' || n, 'one' FROM generate_series(1, 2000) AS n`,
    `INSERT INTO pages (document, body) SELECT n % 2000 + 1, md5(n::text) FROM generate_series(1, 20000) AS n`,
  );
  const databases = async (): Promise<readonly string[]> =>
    (
      await server.run(
        'postgres',
        `SELECT datname FROM pg_database WHERE datname LIKE '${database}\\_%' OR datname = '${database}' ORDER BY 1`,
      )
    ).map(({ datname }) => String(datname));
  return {
    store: postgresStore({
      stack: 'shop',
      setting: { name: 'main', kind: 'postgres', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      root,
      clock: createSystemClock(),
      env: process.env,
      ...how,
    }),
    rows: { 'public.documents': 2000, 'public.pages': 20_000 },
    marker: async () =>
      String((await server.run(database, 'SELECT max(marker) AS marker FROM documents'))[0]?.['marker']),
    damage: async () => {
      await server.run(database, `UPDATE documents SET marker = 'two'`, 'DELETE FROM documents WHERE id > 1500');
    },
    beside: async () => (await databases()).filter((name) => name !== database),
    session: async () => {
      const client = new Client({ ...connection, ssl: false, password: server.password, application_name: 'writer' });
      client.on('error', () => undefined);
      await client.connect();
      await client.query(`UPDATE documents SET title = 'written' WHERE id = 1`);
      return { close: async () => await client.end() };
    },
    file: ({ folder, manifest }) => {
      // The largest of its parts has the data of the largest table.
      const [part] = (manifest.files ?? []).toSorted((a, b) => b.bytes - a.bytes);
      return join(folder, manifest.file.name, part?.name ?? '');
    },
    password: server.password,
    spoil: async () => {
      // As a restore with disabled triggers does it, or a broken index under a foreign key.
      await server.run(
        database,
        `SET session_replication_role = replica`,
        `INSERT INTO pages (document, body) VALUES (999999, 'of nothing')`,
      );
    },
    obstruct: async () => {
      await server.run(database, 'BEGIN', 'DELETE FROM pages WHERE id = 1', `PREPARE TRANSACTION '${database}'`);
      return async () => void (await server.run(database, `ROLLBACK PREPARED '${database}'`));
    },
    alter: async () => void (await server.run(database, 'ALTER TABLE documents ADD COLUMN hits int')),
    untilRestoring: async () => {
      while ((await databases()).length === 1) await new Promise((resolve) => setImmediate(resolve));
    },
    stop: async () => {
      for (const name of await databases())
        await server.run('postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await rm(root, { recursive: true, force: true });
    },
  };
}
