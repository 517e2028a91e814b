import type { DatabaseSync } from 'node:sqlite';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import {
  entriesInRows,
  followEntries,
  type Head,
  type JournalEntry,
  linkOf,
  runsInRows,
  textOf,
} from '../../journal/index.ts';
import type { JournalStore } from '../../ports/index.ts';
import { guard, openDatabase, type SqliteOptions } from './database.ts';
import { Writes } from './writes.ts';

/**
 * A journal in one SQLite file: WAL, flushed to the disk before `append` returns. Events of a run, which only tell, are
 * flushed with the next fact: a power cut may lose the last of them, a killed process none.
 * @throws JOURNAL_BROKEN when the file is no journal, is newer than this program, or lies on a network file system.
 */
export async function createSqliteJournal(options: SqliteOptions): Promise<JournalStore> {
  return storeOver(options.file, await openDatabase(options));
}

function storeOver(file: string, database: DatabaseSync): JournalStore {
  const append = appender(database);
  const writes = new Writes(file, database);
  // One statement, so that head and entries are of one moment.
  const read = database.prepare(`
    SELECT sequence, link AS text, 1 AS is_head FROM runs WHERE run = :run
    UNION ALL SELECT sequence, entry, 0 FROM entries WHERE run = :run AND sequence > :after
    ORDER BY is_head DESC, sequence`);
  const all = database.prepare(`
    SELECT run, stack, started_at FROM runs WHERE :stack IS NULL OR stack = :stack
    UNION SELECT run, stack, time FROM entries AS orphan
      WHERE sequence = 1 AND (:stack IS NULL OR stack = :stack)
        AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run = orphan.run)
    ORDER BY started_at DESC, run DESC`);
  const readFrom = (run: string, after?: Head): readonly JournalEntry[] =>
    guard(file, () => {
      const rows = read.all({ run, after: after?.sequence ?? 0 });
      return entriesInRows({ run, where: file, rows, after });
    });
  return {
    append: async (entry) => {
      try {
        guard(file, () => append(entry));
      } catch (error) {
        throw cutOff(error, entry);
      }
    },
    read: async (run) => readFrom(run),
    follow: (run, after, signal) => follow(writes, { run, after, signal, read: readFrom }),
    runs: async (stack) => guard(file, () => runsInRows(all.all({ stack: stack ?? null }))),
    close: async () => {
      if (database.isOpen) database.close();
    },
  };
}

function appender(database: DatabaseSync): (entry: JournalEntry) => void {
  const begin = database.prepare(`
    INSERT INTO runs (run, stack, started_at, sequence, link) VALUES (:run, :stack, :time, 1, :link)
    ON CONFLICT DO NOTHING`);
  const goOn = database.prepare(`
    UPDATE runs SET sequence = :sequence, link = :link
    WHERE run = :run AND sequence = :sequence - 1 AND link = :previous`);
  const insert = database.prepare(`
    INSERT INTO entries (run, sequence, stack, time, kind, entry)
    VALUES (:run, :sequence, :stack, :time, :kind, :text)`);
  let flushed = true;
  const flush = (wanted: boolean): void => {
    if (wanted === flushed) return;
    database.exec(`PRAGMA synchronous = ${wanted ? 'FULL' : 'NORMAL'}`);
    flushed = wanted;
  };
  return (entry) => {
    // Flushing takes milliseconds in which nothing else goes on, and objects tell of their progress by the hundred.
    flush(entry.kind !== 'event');
    const { run, sequence, stack, time, kind, previous } = entry;
    const link = linkOf(entry);
    database.exec('BEGIN IMMEDIATE');
    try {
      const { changes } =
        sequence === 1
          ? begin.run({ run, stack, time, link })
          : goOn.run({ run, sequence, link, previous: previous ?? null });
      if (Number(changes) !== 1) throw notNext(entry);
      insert.run({ run, sequence, stack, time, kind, text: textOf(entry) });
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
}

function notNext(entry: JournalEntry): BackstayError {
  return new BackstayError(
    'JOURNAL_BROKEN',
    `entry ${entry.sequence} is not the next one of run ${entry.run}: another process is writing it`,
    { next: `Look at it with \`backstay history ${entry.stack}\`.`, details: { run: entry.run } },
  );
}

interface Following {
  readonly run: string;
  readonly after: number;
  readonly signal: AbortSignal;
  readonly read: (run: string, after?: Head) => readonly JournalEntry[];
}

async function* follow(
  writes: Writes,
  { run, after, signal, read }: Following,
): AsyncGenerator<JournalEntry, void, undefined> {
  const subscription = writes.subscribe(signal);
  try {
    await subscription.next();
    yield* followEntries(after, signal, {
      read: async (head) => read(run, head),
      changed: async () => await subscription.next(),
    });
  } finally {
    subscription.close();
  }
}

/** A run that is under way stops where it is; whoever reads this must know how it goes on. */
function cutOff(error: unknown, { run, sequence }: JournalEntry): unknown {
  if (sequence === 1 || !isBackstayError(error, 'STORAGE_UNWRITABLE')) return error;
  return new BackstayError('JOURNAL_LOST', `entry ${sequence} of run ${run} could not be stored: ${error.message}`, {
    next: `Make room, then run \`backstay resume ${run}\`.`,
    details: { run, entry: sequence },
    cause: error,
  });
}
