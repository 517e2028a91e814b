import { mkdir, open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { JournalStore } from '../../ports/index.ts';
import { networkFileSystem } from './network-file-systems.ts';

type JournalEntry = Parameters<JournalStore['append']>[0];

/** Of the tables below; kept in SQLite's user_version. A file with a greater one is refused. */
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entries (
    run TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    stack TEXT NOT NULL,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL CHECK (json_valid(entry)),
    PRIMARY KEY (run, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS first_entries ON entries (time) WHERE sequence = 1;
  CREATE TRIGGER IF NOT EXISTS entries_are_kept BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS entries_stay_as_they_are BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
`;

export interface SqliteJournalOptions {
  /** Absolute path. Its folder is made (0700); the file itself is 0600. */
  readonly file: string;
  /** Tells the kind of file system a folder lies on. @default fs.statfs */
  readonly fileSystemType?: (folder: string) => Promise<number>;
}

/**
 * A journal in one SQLite file: WAL, flushed to the disk before `append` returns. Events of a run, which only tell, are
 * flushed with the next fact: a power cut may lose the last of them, a killed process none.
 * @throws JOURNAL_BROKEN when the file is no journal, is newer than this program, or lies on a network file system.
 */
export async function createSqliteJournal(options: SqliteJournalOptions): Promise<JournalStore> {
  const { file } = options;
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseNetworkFileSystem(folder, options.fileSystemType ?? (async (path) => (await statfs(path)).type));
  // SQLite gives its -wal and -shm files the mode of the file that is already there.
  await (await open(file, 'a', 0o600)).close();
  const database = await guard(file, async () => openDatabase(file));
  return storeOver(file, database);
}

async function openDatabase(file: string): Promise<DatabaseSync> {
  // Lazily, and under either name: newer Node calls the class `Database`.
  const sqlite: { readonly DatabaseSync: typeof DatabaseSync; readonly Database?: typeof DatabaseSync } = await import(
    'node:sqlite'
  );
  const Database = sqlite.Database ?? sqlite.DatabaseSync;
  const database = new Database(file, { timeout: 5000 });
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > SCHEMA_VERSION) {
      throw new BackstayError(
        'JOURNAL_BROKEN',
        `${file} is a journal of format ${version}; this program knows ${SCHEMA_VERSION}`,
        {
          next: 'Use a newer backstay, or name another folder with BACKSTAY_STATE_DIR.',
        },
      );
    }
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    if (version < SCHEMA_VERSION) {
      database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function storeOver(file: string, database: DatabaseSync): JournalStore {
  // One statement, so that reading the last sequence and writing the next one cannot be torn apart by another writer.
  const append = database.prepare(`
    INSERT INTO entries (run, sequence, stack, time, kind, entry)
    SELECT :run, :sequence, :stack, :time, :kind, :entry
    WHERE (SELECT coalesce(max(sequence), 0) FROM entries WHERE run = :run) = :sequence - 1`);
  const read = database.prepare('SELECT entry FROM entries WHERE run = ? ORDER BY sequence');
  const all = database.prepare(
    'SELECT run, stack, time FROM entries WHERE sequence = 1 AND (:stack IS NULL OR stack = :stack) ORDER BY time DESC, run DESC',
  );
  let flushed = true;
  const flush = (wanted: boolean): void => {
    if (wanted === flushed) return;
    database.exec(`PRAGMA synchronous = ${wanted ? 'FULL' : 'NORMAL'}`);
    flushed = wanted;
  };
  return {
    append: async (entry) =>
      await guard(file, async () => {
        // Flushing takes milliseconds in which nothing else goes on, and objects tell of their progress by the hundred.
        flush(entry.kind !== 'event');
        const { changes } = append.run({
          run: entry.run,
          sequence: entry.sequence,
          stack: entry.stack,
          time: entry.time,
          kind: entry.kind,
          entry: JSON.stringify(entry),
        });
        if (Number(changes) === 1) return;
        throw new BackstayError(
          'JOURNAL_BROKEN',
          `entry ${entry.sequence} is not the next one of run ${entry.run}: another process is writing it`,
          { next: `Look at it with \`backstay history ${entry.stack}\`.`, details: { run: entry.run } },
        );
      }),
    read: async (run) =>
      await guard(file, async () => read.all(run).map((row) => JSON.parse(String(row['entry'])) as JournalEntry)),
    runs: async (stack) =>
      await guard(file, async () =>
        all.all({ stack: stack ?? null }).map((row) => ({
          run: String(row['run']),
          stack: String(row['stack']),
          startedAt: String(row['time']),
        })),
      ),
    close: async () => {
      if (database.isOpen) database.close();
    },
  };
}

async function refuseNetworkFileSystem(folder: string, typeOf: (folder: string) => Promise<number>): Promise<void> {
  const name = networkFileSystem(await typeOf(folder));
  if (name === undefined) return;
  throw new BackstayError(
    'JOURNAL_BROKEN',
    `${folder} lies on a network file system (${name}), where a journal is not safe`,
    {
      next: 'Name a folder on a local disk with BACKSTAY_STATE_DIR.',
      details: { folder, fileSystem: name },
    },
  );
}

async function guard<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (isBackstayError(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new BackstayError('JOURNAL_BROKEN', `the journal ${file} cannot be used: ${reason}`, { cause: error });
  }
}
