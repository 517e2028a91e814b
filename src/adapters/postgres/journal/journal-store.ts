import { BackstayError, isBackstayError } from '../../../errors/index.ts';
import {
  entriesInRows,
  followEntries,
  type Head,
  type JournalEntry,
  linkOf,
  runsInRows,
  textOf,
} from '../../../journal/index.ts';
import type { Clock, JournalStore } from '../../../ports/index.ts';
import { addressOf, nameOf } from './address.ts';
import type { Connection } from './connection.ts';
import { Link } from './link.ts';
import { Listener } from './listener.ts';
import { CHANNEL, prepareSchema } from './schema.ts';

export interface PostgresJournalOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`. Never shown, logged or stored. */
  readonly url: string;
  readonly clock: Clock;
  /** How long a server that went away is waited for, in milliseconds. @default 30_000 */
  readonly patienceMs?: number;
  /** Told of tables to which a newer program added something. @default nobody */
  readonly warn?: (message: string) => void;
}

/** What people may see of a URL: host, port and database. @throws USAGE */
export function postgresJournalName(url: string): string {
  return nameOf(addressOf(url));
}

/**
 * A journal in the schema `backstay` of a PostgreSQL database, for several machines at once. Committed before `append`
 * returns; an append whose outcome a lost connection hid is looked up before it is tried again or given up.
 * @throws JOURNAL_UNREACHABLE, JOURNAL_BROKEN (newer than this program, or no right to use it), USAGE (no URL)
 */
export async function createPostgresJournal(options: PostgresJournalOptions): Promise<JournalStore> {
  const { url, clock, patienceMs = 30_000, warn = () => {} } = options;
  const where = postgresJournalName(url);
  const link = new Link({ url, where, clock, patienceMs });
  try {
    await link.once(async (connection) => await prepareSchema(connection, where, warn));
  } catch (error) {
    await link.close();
    throw error;
  }
  const listener = new Listener({ url, clock, channels: [CHANNEL] });
  const read = async (run: string, after?: Head): Promise<readonly JournalEntry[]> =>
    await link.use(async (connection) => await readFrom(connection, { run, where, after }));
  return {
    append: async (entry) => await append(link, entry, where),
    read: async (run) => await read(run),
    follow: (run, after, signal) => follow({ run, after, signal, listener, patienceMs, read }),
    runs: async (stack) => {
      return runsInRows(await link.use(async (connection) => await connection.query(RUNS, [stack ?? null])));
    },
    close: async () => await link.close(),
  };
}

/** Newest first, and by bytes where times are equal, whatever the database's collation. */
const RUNS = `
  SELECT run, stack, started_at FROM (
    SELECT run, stack, started_at FROM backstay.runs
    UNION SELECT run, stack, time FROM backstay.entries AS orphan
      WHERE sequence = 1 AND NOT EXISTS (SELECT 1 FROM backstay.runs WHERE runs.run = orphan.run)
  ) AS known
  WHERE $1::text IS NULL OR stack = $1
  ORDER BY started_at COLLATE "C" DESC, run COLLATE "C" DESC`;

/** One statement, so that head and entries are of one moment. */
const READ = `
  SELECT sequence, link AS text, true AS is_head FROM backstay.runs WHERE run = $1
  UNION ALL SELECT sequence, entry, false FROM backstay.entries WHERE run = $1 AND sequence > $2::bigint
  ORDER BY is_head DESC, sequence`;

const INSERT = `
  INSERT INTO backstay.entries (run, sequence, stack, time, kind, entry)
  SELECT $1::text, $2::bigint, $3::text, $4::text, $5::text, $6::text FROM head RETURNING sequence`;

/** Head and entry in one statement, which is one transaction: both are stored, or neither. */
const BEGIN = `
  WITH head AS (
    INSERT INTO backstay.runs (run, stack, started_at, sequence, link) VALUES ($1::text, $3::text, $4::text, $2::bigint, $7::text)
    ON CONFLICT DO NOTHING RETURNING run
  ) ${INSERT}`;
const GO_ON = `
  WITH head AS (
    UPDATE backstay.runs SET sequence = $2::bigint, link = $7::text
    WHERE run = $1::text AND sequence = $2::bigint - 1 AND link = $8::text RETURNING run
  ) ${INSERT}`;

async function append(link: Link, entry: JournalEntry, where: string): Promise<void> {
  const { run, sequence, stack, time, kind, previous } = entry;
  const text = textOf(entry);
  const values = [run, sequence, stack, time, kind, text, linkOf(entry)];
  try {
    await link.use(async (connection, isAgain) => {
      const stored = await (sequence === 1
        ? connection.query(BEGIN, values)
        : connection.query(GO_ON, [...values, previous ?? null]));
      if (stored.length === 1) return;
      // The connection broke after the server had done what it was asked: this very entry stands there.
      if (isAgain && (await isStored(connection, entry, text))) return;
      throw new BackstayError(
        'JOURNAL_BROKEN',
        `entry ${sequence} is not the next one of run ${run}: another process is writing it`,
        { next: `Look at it with \`backstay history ${stack}\`.`, details: { run, where } },
      );
    });
  } catch (error) {
    if (sequence === 1 || !isBackstayError(error, 'JOURNAL_UNREACHABLE')) throw error;
    throw new BackstayError('JOURNAL_LOST', `entry ${sequence} of run ${run} could not be stored: ${error.message}`, {
      next: `Run \`backstay resume ${run}\` once ${where} answers again.`,
      details: { run, where, entry: sequence },
    });
  }
}

async function isStored(connection: Connection, { run, sequence }: JournalEntry, text: string): Promise<boolean> {
  const [row] = await connection.query('SELECT entry FROM backstay.entries WHERE run = $1 AND sequence = $2', [
    run,
    sequence,
  ]);
  return row?.['entry'] === text;
}

async function readFrom(
  connection: Connection,
  { run, where, after }: { readonly run: string; readonly where: string; readonly after: Head | undefined },
): Promise<readonly JournalEntry[]> {
  const rows = await connection.query(READ, [run, after?.sequence ?? 0]);
  return entriesInRows({ run, where, rows, after });
}

interface Following {
  readonly run: string;
  readonly after: number;
  readonly signal: AbortSignal;
  readonly listener: Listener;
  readonly patienceMs: number;
  readonly read: (run: string, after?: Head) => Promise<readonly JournalEntry[]>;
}

async function* follow(following: Following): AsyncGenerator<JournalEntry, void, undefined> {
  const { run, after, signal, listener, patienceMs, read } = following;
  const hears = (_channel: string, payload: string | undefined): boolean =>
    payload === undefined || payload.slice(0, payload.lastIndexOf(' ')) === run;
  const subscription = listener.subscribe(hears, signal, patienceMs);
  try {
    yield* followEntries(after, signal, {
      read: async (head) => {
        // Before each read, so that nothing falls between a connection that was lost and the one after it.
        await subscription.listen();
        return signal.aborted ? [] : await read(run, head);
      },
      changed: async () => await subscription.next(),
    });
  } finally {
    await subscription.close();
  }
}
