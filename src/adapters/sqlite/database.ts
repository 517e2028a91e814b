import { mkdir, open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { networkFileSystem } from './network-file-systems.ts';
import { prepareSchema } from './schema.ts';

export interface SqliteOptions {
  /** Absolute path. Its folder is made (0700); the file itself is 0600. */
  readonly file: string;
  /** Tells the kind of file system a folder lies on. @default fs.statfs */
  readonly fileSystemType?: (folder: string) => Promise<number>;
  /** Told of a file that a newer program added something to. @default nobody */
  readonly warn?: (message: string) => void;
}

/**
 * Opens the file of a journal, or makes it.
 * @throws JOURNAL_BROKEN when it is no journal, is newer than this program, or lies on a network file system.
 */
export async function openDatabase(options: SqliteOptions): Promise<DatabaseSync> {
  const { file, warn = () => {} } = options;
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseNetworkFileSystem(folder, options.fileSystemType ?? (async (path) => (await statfs(path)).type));
  // SQLite gives its -wal and -shm files the mode of the file that is already there.
  await (await open(file, 'a', 0o600)).close();
  // Lazily, and under either name: newer Node calls the class `Database`.
  const sqlite: { readonly DatabaseSync: typeof DatabaseSync; readonly Database?: typeof DatabaseSync } = await import(
    'node:sqlite'
  );
  const Database = sqlite.Database ?? sqlite.DatabaseSync;
  return guard(file, () => {
    const database = new Database(file, { timeout: 5000 });
    try {
      prepareSchema(database, file, warn);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** What SQLite says, in our words. @throws JOURNAL_BROKEN, STORAGE_UNWRITABLE */
export function guard<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (isBackstayError(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    // The lower byte is the kind of fault; the rest tells the operation apart.
    const fault = Number((error as { errcode?: unknown } | null)?.errcode ?? 0) & 0xff;
    if (STORAGE_FAULTS.has(fault))
      throw new BackstayError('STORAGE_UNWRITABLE', `the journal ${file} cannot be written: ${reason}`, {
        cause: error,
        details: { file },
      });
    throw new BackstayError('JOURNAL_BROKEN', `the journal ${file} cannot be used: ${reason}`, { cause: error });
  }
}

/** SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL and SQLITE_CANTOPEN: the disk's fault, and the journal is as sound as before. */
const STORAGE_FAULTS: ReadonlySet<number> = new Set([8, 10, 13, 14]);

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
