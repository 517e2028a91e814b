import type { DatabaseSync } from 'node:sqlite';
import { recordInRow, type Row } from '../../journal/index.ts';
import type { RecordKind, ServiceRecord, ServiceStore } from '../../ports/index.ts';
import { guard, openDatabase, type SqliteOptions } from './database.ts';
import { prepareRecords } from './schema.ts';
import { Writes } from './writes.ts';

/** Of what was removed so many later changes are remembered: whoever follows and is further behind than that misses it. */
const REMEMBERED = 10_000;

const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
const NEXT = '(SELECT coalesce(max(change), 0) + 1 FROM records)';

/**
 * The records of a service, in the file of the journal; flushed to the disk before a write returns.
 * @throws as createSqliteJournal
 */
export async function createSqliteRecords(options: SqliteOptions): Promise<ServiceStore> {
  const { file } = options;
  const database = await openDatabase(options);
  try {
    guard(file, () => prepareRecords(database));
    return storeOver(file, database);
  } catch (error) {
    database.close();
    throw error;
  }
}

function storeOver(file: string, database: DatabaseSync): ServiceStore {
  const closed = new AbortController();
  const writes = new Writes(file, database);
  const get = database.prepare('SELECT * FROM records WHERE kind = ? AND key = ? AND value IS NOT NULL');
  const make = database.prepare(`
    INSERT INTO records (kind, key, version, value, at, change) VALUES (:kind, :key, 1, :value, ${NOW}, ${NEXT})
    ON CONFLICT (kind, key) DO UPDATE
      SET version = version + 1, value = excluded.value, at = excluded.at, change = excluded.change
      WHERE records.value IS NULL
    RETURNING *`);
  const change = database.prepare(`
    UPDATE records SET version = version + 1, value = :value, at = ${NOW}, change = ${NEXT}
    WHERE kind = :kind AND key = :key AND version = :expected AND value IS NOT NULL
    RETURNING *`);
  const remove = database.prepare(`
    UPDATE records SET value = NULL, at = ${NOW}, change = ${NEXT}
    WHERE kind = :kind AND key = :key AND value IS NOT NULL AND (:expected = 0 OR version = :expected)`);
  const forget = database.prepare(`
    DELETE FROM records WHERE value IS NULL AND change < (SELECT max(change) FROM records) - ${REMEMBERED}`);
  const listed = (order: 'ASC' | 'DESC') =>
    database.prepare(`
      SELECT * FROM records
      WHERE kind = :kind AND value IS NOT NULL AND key >= :from AND key < :to AND (:after IS NULL OR key ${order === 'ASC' ? '>' : '<'} :after)
      ORDER BY key ${order} LIMIT :limit`);
  const lists = { oldest: listed('ASC'), newest: listed('DESC') };
  return {
    get: async (kind, key) => guard(file, () => recordsIn(get.all(kind, key))[0]),
    put: async (kind, key, expected, value) =>
      guard(file, () => {
        const given = { kind, key, value: JSON.stringify(value) };
        return recordsIn(expected === 0 ? make.all(given) : change.all({ ...given, expected }))[0];
      }),
    remove: async (kind, key, expected) =>
      guard(file, () => {
        const { changes } = remove.run({ kind, key, expected });
        if (Number(changes) === 0) return false;
        forget.run();
        return true;
      }),
    list: async (kind, { prefix = '', after, limit = -1, newestFirst = false } = {}) =>
      guard(file, () =>
        recordsIn(
          lists[newestFirst ? 'newest' : 'oldest'].all({
            kind,
            from: prefix,
            to: `${prefix}\u{10ffff}`,
            after: after ?? null,
            limit,
          }),
        ),
      ),
    follow: (kind, signal) => {
      const both = AbortSignal.any([signal, closed.signal]);
      // Now, not when the first is asked for: what is written in between is told.
      return followRecords({ file, database, writes, signal: both }, kind, lastChange(file, database));
    },
    changes: (signal) => followRuns({ file, database, writes, signal: AbortSignal.any([signal, closed.signal]) }),
    close: async () => {
      closed.abort();
      if (database.isOpen) database.close();
    },
  };
}

function recordsIn(rows: readonly Row[]): readonly ServiceRecord[] {
  return rows.map((row) => recordInRow<RecordKind>(row));
}

function lastChange(file: string, database: DatabaseSync): number {
  return guard(file, () => Number(database.prepare('SELECT max(change) AS last FROM records').get()?.['last'] ?? 0));
}

interface Following {
  readonly file: string;
  readonly database: DatabaseSync;
  readonly writes: Writes;
  readonly signal: AbortSignal;
}

async function* followRecords(
  following: Following,
  kind: RecordKind,
  since: number,
): AsyncGenerator<{ readonly key: string; readonly record?: ServiceRecord }, void, undefined> {
  const { file, database } = following;
  let last = since;
  for await (const _ of looks(following)) {
    const changed = guard(file, () =>
      database
        .prepare('SELECT * FROM records WHERE kind = ? AND change > ? ORDER BY change')
        .all(kind, last)
        .map((row) => ({
          change: Number(row['change']),
          told: { key: String(row['key']), ...(row['value'] === null ? {} : { record: recordInRow<RecordKind>(row) }) },
        })),
    );
    for (const { change, told } of changed) {
      last = change;
      yield told;
      if (following.signal.aborted) return;
    }
  }
}

async function* followRuns(following: Following): AsyncGenerator<{ readonly run?: string }, void, undefined> {
  const { file, database } = following;
  let heads: ReadonlyMap<string, number> | undefined;
  for await (const _ of looks(following)) {
    const rows = guard(file, () => database.prepare('SELECT run, sequence FROM runs').all());
    const now = new Map(rows.map((row) => [String(row['run']), Number(row['sequence'])]));
    const before = heads;
    heads = now;
    if (before === undefined) yield {};
    else for (const [run, sequence] of now) if (before.get(run) !== sequence) yield { run };
    if (following.signal.aborted) return;
  }
}

/** At once, and whenever the file may have been written since, by whatever process. */
async function* looks({ writes, signal }: Following): AsyncGenerator<void, void, undefined> {
  const subscription = writes.subscribe(signal);
  try {
    for (;;) {
      await subscription.next();
      if (signal.aborted) return;
      yield;
    }
  } finally {
    subscription.close();
  }
}
