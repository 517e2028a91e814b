import { randomUUID } from 'node:crypto';
import { recordInRow, type Row } from '../../../journal/index.ts';
import type { Clock, RecordKind, ServiceRecord, ServiceStore } from '../../../ports/index.ts';
import { addressOf, nameOf } from './address.ts';
import type { Connection } from './connection.ts';
import type { PostgresJournalOptions } from './journal-store.ts';
import { isPassing, Link } from './link.ts';
import { Listener } from './listener.ts';
import { CHANNEL, prepareRecords, prepareSchema, RECORDS_CHANNEL } from './schema.ts';

/** Milliseconds between two looks at a server that is away. */
const PAUSE = 1_000;

/** Of what was removed, whoever was cut off for less than this hears when it is back. */
const REMEMBERED = '1 day';

/**
 * The records of a service in the schema `backstay` of the journal's database, for several machines at once. A write whose
 * outcome a lost connection hid is looked up by its writer. Whoever follows waits for a server that is away as long as its
 * signal lets it. @throws as createPostgresJournal
 */
export async function createPostgresRecords(options: PostgresJournalOptions): Promise<ServiceStore> {
  const { url, clock, patienceMs = 30_000, warn = () => {} } = options;
  const where = nameOf(addressOf(url));
  const link = new Link({ url, where, clock, patienceMs });
  try {
    await link.once(async (connection) => {
      await prepareSchema(connection, where, warn);
      await prepareRecords(connection);
    });
  } catch (error) {
    await link.close();
    throw error;
  }
  const closed = new AbortController();
  const listener = new Listener({ url, clock, channels: [CHANNEL, RECORDS_CHANNEL] });
  const query = async (text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    await link.use(async (connection) => await connection.query(text, values));
  const following = (signal: AbortSignal): Following => ({
    listener,
    clock,
    query,
    signal: AbortSignal.any([signal, closed.signal]),
  });
  return {
    get: async (kind, key) => recordsIn(await query(GET, [kind, key]))[0],
    put: async (kind, key, expected, value) => {
      const writer = randomUUID();
      const values = [kind, key, JSON.stringify(value), writer];
      const rows = await link.use(async (connection, isAgain) => {
        const written = await (expected === 0
          ? connection.query(MAKE, values)
          : connection.query(CHANGE, [...values, expected]));
        return written.length === 0 && isAgain ? await writtenBy(connection, kind, key, writer) : written;
      });
      return recordsIn(rows)[0];
    },
    remove: async (kind, key, expected) => {
      const writer = randomUUID();
      return await link.use(async (connection, isAgain) => {
        const removed = await connection.query(REMOVE, [kind, key, expected, writer]);
        if (removed.length === 0) return isAgain && (await writtenBy(connection, kind, key, writer)).length > 0;
        await connection.query(FORGET);
        return true;
      });
    },
    list: async (kind, { prefix = '', after, limit, newestFirst = false } = {}) =>
      recordsIn(await query(LIST[newestFirst ? 'newest' : 'oldest'], [kind, prefix, after ?? null, limit ?? null])),
    follow: (kind, signal) => {
      // Asked now, and so before every write that this store is asked for from here on. Where the connection broke meanwhile
      // nobody knows any more what was there: everything is told.
      const before = link.use(async (connection, isAgain) => (isAgain ? [] : await connection.query(CHANGES, [kind])));
      before.catch(() => undefined);
      return followRecords(following(signal), kind, before);
    },
    changes: (signal) => followRuns(following(signal)),
    close: async () => {
      closed.abort();
      await link.close();
    },
  };
}

const COLUMNS = `kind, key, version, value, change,
  to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`;

const GET = `SELECT ${COLUMNS} FROM backstay.records WHERE kind = $1 AND key = $2 AND value IS NOT NULL`;

const MAKE = `
  INSERT INTO backstay.records AS old (kind, key, version, value, at, change, writer)
  VALUES ($1, $2, 1, $3, clock_timestamp(), nextval('backstay.record_changes'), $4)
  ON CONFLICT (kind, key) DO UPDATE
    SET version = old.version + 1, value = excluded.value, at = excluded.at, change = excluded.change, writer = excluded.writer
    WHERE old.value IS NULL
  RETURNING ${COLUMNS}`;

const CHANGE = `
  UPDATE backstay.records
  SET version = version + 1, value = $3, at = clock_timestamp(), change = nextval('backstay.record_changes'), writer = $4
  WHERE kind = $1 AND key = $2 AND version = $5::bigint AND value IS NOT NULL
  RETURNING ${COLUMNS}`;

const REMOVE = `
  UPDATE backstay.records
  SET value = NULL, at = clock_timestamp(), change = nextval('backstay.record_changes'), writer = $4
  WHERE kind = $1 AND key = $2 AND value IS NOT NULL AND ($3::bigint = 0 OR version = $3::bigint)
  RETURNING key`;

const FORGET = `DELETE FROM backstay.records WHERE value IS NULL AND at < clock_timestamp() - interval '${REMEMBERED}'`;

const listed = (order: 'ASC' | 'DESC'): string => `
  SELECT ${COLUMNS} FROM backstay.records
  WHERE kind = $1 AND value IS NOT NULL AND starts_with(key, $2)
    AND ($3::text IS NULL OR key ${order === 'ASC' ? '>' : '<'} $3)
  ORDER BY key ${order} LIMIT $4::bigint`;
const LIST = { oldest: listed('ASC'), newest: listed('DESC') };

const CHANGES = 'SELECT key, change FROM backstay.records WHERE kind = $1';
const OF_KEYS = `SELECT ${COLUMNS} FROM backstay.records WHERE kind = $1 AND key = ANY($2) ORDER BY change`;

async function writtenBy(connection: Connection, kind: string, key: string, writer: string): Promise<readonly Row[]> {
  return await connection.query(
    `SELECT ${COLUMNS} FROM backstay.records WHERE kind = $1 AND key = $2 AND writer = $3`,
    [kind, key, writer],
  );
}

function keyIn(row: Row): string {
  return String(row['key']);
}

function recordsIn(rows: readonly Row[]): readonly ServiceRecord[] {
  return rows.map((row) => recordInRow<RecordKind>(row));
}

interface Following {
  readonly listener: Listener;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly query: (text: string, values: readonly unknown[]) => Promise<readonly Row[]>;
}

/** What was told since it was last asked; `all` when something may have been missed. */
type Told = ReadonlySet<string> | 'all';

/** Each batch of what `nameIn` finds in notifications; first, and after each gap, `all`. */
async function* tellings(
  { listener, signal }: Pick<Following, 'listener' | 'signal'>,
  nameIn: (channel: string, payload: string) => string | undefined,
): AsyncGenerator<Told, void, undefined> {
  let names: Set<string> | 'all' = 'all';
  const hears = (channel: string, payload: string | undefined): boolean => {
    if (payload === undefined) names = 'all';
    const name = payload === undefined ? undefined : nameIn(channel, payload);
    if (name === undefined) return payload === undefined;
    if (names !== 'all') names.add(name);
    return true;
  };
  const subscription = listener.subscribe(hears, signal, Number.POSITIVE_INFINITY);
  try {
    while (!signal.aborted) {
      await subscription.listen();
      if (signal.aborted) return;
      const batch: Told = names;
      names = new Set();
      if (batch === 'all' || batch.size > 0) yield batch;
      await subscription.next();
    }
  } finally {
    await subscription.close();
  }
}

async function* followRecords(
  following: Following,
  kind: RecordKind,
  before: Promise<readonly Row[]>,
): AsyncGenerator<{ readonly key: string; readonly record?: ServiceRecord }, void, undefined> {
  const { signal } = following;
  const keyToldIn = (channel: string, payload: string): string | undefined => {
    if (channel !== RECORDS_CHANNEL || payload.split(' ', 1)[0] !== kind) return undefined;
    return payload.slice(kind.length + 1);
  };
  const known = new Map((await before).map((row) => [keyIn(row), String(row['change'])]));
  const isNew = (row: Row): boolean => known.get(keyIn(row)) !== String(row['change']);
  for await (const keys of tellings(following, keyToldIn)) {
    const named = keys === 'all' ? (await patiently(following, CHANGES, [kind])).filter(isNew).map(keyIn) : [...keys];
    const rows = named.length === 0 ? [] : await patiently(following, OF_KEYS, [kind, named]);
    for (const row of rows) {
      if (!isNew(row)) continue;
      const key = keyIn(row);
      known.set(key, String(row['change']));
      yield { key, ...(row['value'] === null ? {} : { record: recordInRow<RecordKind>(row) }) };
      if (signal.aborted) return;
    }
  }
}

async function* followRuns(following: Following): AsyncGenerator<{ readonly run?: string }, void, undefined> {
  const runIn = (channel: string, payload: string): string | undefined =>
    channel === CHANNEL ? payload.slice(0, payload.lastIndexOf(' ')) : undefined;
  for await (const runs of tellings(following, runIn)) {
    for (const run of runs === 'all' ? [undefined] : runs) {
      yield run === undefined ? {} : { run };
      if (following.signal.aborted) return;
    }
  }
}

/** Asks until the server answers, or the signal fires. */
async function patiently(
  { query, clock, signal }: Following,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  for (;;) {
    try {
      return await query(text, values);
    } catch (error) {
      if (signal.aborted) return [];
      if (!isPassing(error)) throw error;
      await clock.delay(PAUSE, signal).catch(() => undefined);
    }
  }
}
