import { BackstayError } from '../../../errors/index.ts';
import type { Connection } from './connection.ts';

/** Grows when an older program would misread the tables, or write them wrongly. A greater one is refused. */
export const SCHEMA_VERSION = 1;

/** Grows when something is added that an older program may leave alone. A greater one is told. */
export const SCHEMA_REVISION = 0;

/** On which every new entry is told: `RUN SEQUENCE`. */
export const CHANNEL = 'backstay_journal';

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
  `INSERT INTO backstay.about (version, revision) VALUES (${SCHEMA_VERSION}, ${SCHEMA_REVISION})`,
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

async function about(connection: Connection): Promise<About | undefined> {
  // Not to_regclass: it answers from what this session remembers, also when another one has made the table meanwhile.
  const found = await connection.query(
    "SELECT 1 FROM pg_class WHERE relname = 'about' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'backstay')",
  );
  if (found.length === 0) return undefined;
  const [row] = await connection.query('SELECT version, revision FROM backstay.about');
  return { version: Number(row?.['version'] ?? 0), revision: Number(row?.['revision'] ?? 0) };
}

/** Statement by statement, so that a client that dies in between leaves nothing behind. */
async function create(connection: Connection): Promise<About> {
  await connection.query('BEGIN');
  try {
    await connection.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    const found = await about(connection);
    if (found === undefined) for (const statement of TABLES) await connection.query(statement);
    await connection.query('COMMIT');
    return found ?? { version: SCHEMA_VERSION, revision: SCHEMA_REVISION };
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
