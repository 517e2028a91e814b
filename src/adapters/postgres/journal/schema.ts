import { BackstayError } from '../../../errors/index.ts';
import type { Connection } from './connection.ts';
import { isTable, locked } from './tables.ts';

/** Grows when an older program would misread the tables, or write them wrongly. A greater one is refused. */
export const SCHEMA_VERSION = 1;

/** Grows when something is added that an older program may leave alone. A greater one is told. */
export const SCHEMA_REVISION = 1;

/** On which every new entry is told: `RUN SEQUENCE`. */
export const CHANNEL = 'backstay_journal';

/** On which every written record is told: `KIND KEY`. */
export const RECORDS_CHANNEL = 'backstay_records';

/** Any number that nobody else is likely to lock: two machines that make the schema do so one after the other. */
const SCHEMA_LOCK = 7_208_317_502;

const TABLES: readonly string[] = [
  'CREATE SCHEMA IF NOT EXISTS backstay',
  `CREATE TABLE backstay.about (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version integer NOT NULL,
    revision integer NOT NULL
  )`,
  // Text, not jsonb: bytes are kept.
  `CREATE TABLE backstay.entries (
    run text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    stack text NOT NULL,
    time text NOT NULL,
    kind text NOT NULL,
    entry text NOT NULL,
    PRIMARY KEY (run, sequence)
  )`,
  'CREATE INDEX first_entries ON backstay.entries (time) WHERE sequence = 1',
  `CREATE TABLE backstay.runs (
    run text PRIMARY KEY,
    stack text NOT NULL,
    started_at text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    link text NOT NULL
  )`,
  `CREATE FUNCTION backstay.refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$`,
  `CREATE FUNCTION backstay.tell() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('${CHANNEL}', NEW.run || ' ' || NEW.sequence); RETURN NULL; END $$`,
  `CREATE TRIGGER entries_are_kept BEFORE UPDATE OR DELETE ON backstay.entries
    FOR EACH ROW EXECUTE FUNCTION backstay.refuse()`,
  `CREATE TRIGGER entries_are_not_emptied BEFORE TRUNCATE ON backstay.entries
    FOR EACH STATEMENT EXECUTE FUNCTION backstay.refuse()`,
  `CREATE TRIGGER entries_are_told AFTER INSERT ON backstay.entries
    FOR EACH ROW EXECUTE FUNCTION backstay.tell()`,
  `CREATE TRIGGER runs_are_kept BEFORE DELETE ON backstay.runs
    FOR EACH ROW EXECUTE FUNCTION backstay.refuse()`,
  `CREATE TRIGGER runs_are_not_emptied BEFORE TRUNCATE ON backstay.runs
    FOR EACH STATEMENT EXECUTE FUNCTION backstay.refuse()`,
  `CREATE TRIGGER runs_go_on BEFORE UPDATE ON backstay.runs FOR EACH ROW
    WHEN (NEW.run <> OLD.run OR NEW.stack <> OLD.stack OR NEW.started_at <> OLD.started_at
      OR NEW.sequence <> OLD.sequence + 1)
    EXECUTE FUNCTION backstay.refuse()`,
  `INSERT INTO backstay.about (version, revision) VALUES (${SCHEMA_VERSION}, 0)`,
];

/**
 * Revision 1: what a service keeps, made when one first opens the database. What was removed leaves a row without a value,
 * so that whoever follows hears of it. `writer` tells whose write a row is of.
 */
const RECORDS: readonly string[] = [
  'CREATE SEQUENCE backstay.record_changes',
  `CREATE TABLE backstay.records (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 1000),
    version bigint NOT NULL CHECK (version >= 1),
    value text,
    at timestamptz NOT NULL,
    change bigint NOT NULL,
    writer text NOT NULL,
    PRIMARY KEY (kind, key)
  )`,
  'CREATE INDEX removed_records ON backstay.records (at) WHERE value IS NULL',
  `CREATE FUNCTION backstay.tell_record() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
      PERFORM pg_notify('${RECORDS_CHANNEL}', NEW.kind || ' ' || NEW.key);
      RETURN NULL;
    END $$`,
  `CREATE TRIGGER records_are_told AFTER INSERT OR UPDATE ON backstay.records
    FOR EACH ROW EXECUTE FUNCTION backstay.tell_record()`,
  'UPDATE backstay.about SET revision = greatest(revision, 1)',
];

/**
 * Makes the tables where there are none; several machines may ask at once.
 * @throws JOURNAL_BROKEN for tables of a newer version. A newer revision is told to `warn`.
 */
export async function prepareSchema(
  connection: Connection,
  where: string,
  warn: (message: string) => void,
): Promise<void> {
  const { version, revision } = (await about(connection)) ?? (await create(connection));
  if (version > SCHEMA_VERSION) {
    throw new BackstayError(
      'JOURNAL_BROKEN',
      `${where} holds a journal of format ${version}; this program knows ${SCHEMA_VERSION}`,
      { next: 'Use a newer backstay, or name another database with BACKSTAY_DATABASE_URL.' },
    );
  }
  if (revision > SCHEMA_REVISION) {
    warn(
      `the journal ${where} was written by a newer backstay (revision ${revision}): what that one added is not shown`,
    );
  }
}

interface About {
  readonly version: number;
  readonly revision: number;
}

/** Makes the table of records where there is none; several machines may ask at once. The journal's tables are there already. */
export async function prepareRecords(connection: Connection): Promise<void> {
  if (await isTable(connection, 'backstay', 'records')) return;
  await locked(connection, SCHEMA_LOCK, async () => {
    if (await isTable(connection, 'backstay', 'records')) return;
    for (const statement of RECORDS) await connection.query(statement);
  });
}

async function about(connection: Connection): Promise<About | undefined> {
  if (!(await isTable(connection, 'backstay', 'about'))) return undefined;
  const [row] = await connection.query('SELECT version, revision FROM backstay.about');
  return { version: Number(row?.['version'] ?? 0), revision: Number(row?.['revision'] ?? 0) };
}

async function create(connection: Connection): Promise<About> {
  return await locked(connection, SCHEMA_LOCK, async () => {
    const found = await about(connection);
    if (found === undefined) for (const statement of TABLES) await connection.query(statement);
    return found ?? { version: SCHEMA_VERSION, revision: 0 };
  });
}
