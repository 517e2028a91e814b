import { BackstayError } from '../../../errors/index.ts';
import type { Connection } from '../journal/connection.ts';
import { isTable, locked } from '../journal/tables.ts';

const SCHEMA = 'backstay_snapshots';

/** Grows when an older program would misread the tables, or write them wrongly. A greater one is refused. */
const VERSION = 1;

/** Any number that nobody else is likely to lock: two machines that make the schema do so one after the other. */
const LOCK = 7_208_317_503;

/** A schema of its own: the database need not be that of a journal. */
const TABLES: readonly string[] = [
  `CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`,
  `CREATE TABLE ${SCHEMA}.about (single boolean PRIMARY KEY DEFAULT true CHECK (single), version integer NOT NULL)`,
  `CREATE TABLE ${SCHEMA}.files (
    stack text NOT NULL,
    digest text NOT NULL,
    bytes bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stack, digest)
  )`,
  // What index.json is in a folder.
  `CREATE TABLE ${SCHEMA}.records (
    stack text NOT NULL,
    record text NOT NULL,
    id text NOT NULL,
    secrets text,
    signatures text[] NOT NULL,
    PRIMARY KEY (stack, record)
  )`,
  `INSERT INTO ${SCHEMA}.about (version) VALUES (${VERSION})`,
];

/** Makes the tables where there are none. @throws SNAPSHOT_FORMAT for tables of a newer program */
export async function prepareSnapshots(connection: Connection, where: string): Promise<void> {
  if (!(await isTable(connection, SCHEMA, 'about'))) {
    await locked(connection, LOCK, async () => {
      if (await isTable(connection, SCHEMA, 'about')) return;
      for (const statement of TABLES) await connection.query(statement);
    });
  }
  const [about] = await connection.query(`SELECT version FROM ${SCHEMA}.about`);
  const version = Number(about?.['version'] ?? 0);
  if (version <= VERSION) return;
  throw new BackstayError(
    'SNAPSHOT_FORMAT',
    `${where} holds snapshots of format ${version}; this program knows ${VERSION}.`,
  );
}
