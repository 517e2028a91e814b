import type { TestPostgres } from '../../test/support/postgres-server.ts';

/** About so many bytes a row of `chunks` takes with its share of documents and indexes; measured. */
const BYTES_A_CHUNK = 760;
const CHUNKS_A_DOCUMENT = 20;
/** As many tables of one size as hands: otherwise one of them waits for the largest. */
const PARTS = 4;

/**
 * A database as a document store has it: documents, their chunks in several tables, foreign keys and indexes. The text is of hashes, which
 * no compression makes much of.
 */
export async function fill(server: TestPostgres, database: string, sizeMB: number): Promise<void> {
  const chunks = Math.max(1000, Math.round((sizeMB * 2 ** 20) / BYTES_A_CHUNK));
  const documents = Math.ceil(chunks / CHUNKS_A_DOCUMENT);
  await server.run('postgres', `CREATE DATABASE ${database}`);
  await server.run(
    database,
    'CREATE TABLE documents (id bigint PRIMARY KEY, title text NOT NULL, added timestamptz NOT NULL)',
    `INSERT INTO documents SELECT n, md5(n::text), '2026-01-01'::timestamptz + n * '1 minute'::interval
       FROM generate_series(1, ${documents}) AS n`,
  );
  for (let part = 0; part < PARTS; part++) {
    const table = `chunks_${part}`;
    await server.run(
      database,
      `CREATE TABLE ${table} (id bigint PRIMARY KEY, document bigint NOT NULL REFERENCES documents, at int NOT NULL, body text NOT NULL)`,
      `INSERT INTO ${table} SELECT n, n % ${documents} + 1, n % ${CHUNKS_A_DOCUMENT},
              (SELECT string_agg(md5((n * 31 + k)::text), ' ') FROM generate_series(1, 16) AS k)
         FROM generate_series(1, ${Math.ceil(chunks / PARTS)}) AS n`,
      `CREATE INDEX ON ${table} (document, at)`,
    );
  }
  await server.run(database, 'VACUUM ANALYZE');
  await server.run('postgres', 'CHECKPOINT');
}
