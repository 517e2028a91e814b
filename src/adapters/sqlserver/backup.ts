import { createHash } from 'node:crypto';
import { BackstayError } from '../../errors/index.ts';
import { type Backup, type BackupManifest, type Digest, digestOf } from '../../model/index.ts';
import type { Integrity } from '../../ports/index.ts';
import { drop, setProperty, WHOLE } from './exchange.ts';
import { type Ask, identifier, literal, type Rows } from './sqlcmd.ts';

export type Counts = Readonly<Record<string, number>>;

export interface Written {
  /** Absolute path on the server. */
  readonly path: string;
  readonly bytes: number;
  /** Of the set's own id and size: the file lies on the server, which reads it with its checksums (VERIFYONLY). */
  readonly digest: Digest;
}

/** Has the server write a backup into its own folder, apart from its chain of backups, and read it back. */
export async function writeBackup(ask: Ask, database: string, name: string, signal?: AbortSignal): Promise<Written> {
  const [[folder = ''] = []] = await ask(`SELECT CAST(SERVERPROPERTY('InstanceDefaultBackupPath') AS nvarchar(400))`);
  if (folder === '')
    throw new BackstayError('STORE_FAILED', 'the server does not say where its backups go (SQL Server 2019 or later)');
  const path = joined(folder, name);
  const options = 'WITH COPY_ONLY, CHECKSUM, INIT, FORMAT';
  await ask(`BACKUP DATABASE ${identifier(database)} TO DISK = ${literal(path)} ${options}`, signal);
  await verify(ask, path, signal);
  return { path, ...(await headerOf(ask, path)) };
}

/** Reads the file on the server. @throws BACKUP_DAMAGED naming it */
export async function assertAsWritten(ask: Ask, { manifest }: Backup, signal?: AbortSignal): Promise<void> {
  const { name: path, bytes, digest } = manifest.file;
  const damaged = (what: string, cause?: unknown): BackstayError =>
    new BackstayError('BACKUP_DAMAGED', `${path} ${what}`, { details: { backup: manifest.id }, cause });
  const read = async (): ReturnType<typeof headerOf> => {
    await verify(ask, path, signal);
    return await headerOf(ask, path);
  };
  const header = await read().catch((error: unknown) => {
    signal?.throwIfAborted();
    if (error instanceof BackstayError && error.code === 'STORE_UNREACHABLE') throw error;
    throw damaged(`cannot be read by the server: ${error instanceof Error ? error.message : String(error)}`, error);
  });
  if (header.bytes !== bytes || header.digest !== digest)
    throw damaged('holds another backup than the one that was written');
}

/** Restores beside the live database, under names of its own for every file, and has the server check what came of it. */
export async function restoreAs(ask: Ask, path: string, database: string, signal?: AbortSignal): Promise<Counts> {
  await drop(ask, database);
  const [[data = '', log = ''] = []] = await ask(
    `SELECT CAST(SERVERPROPERTY('InstanceDefaultDataPath') AS nvarchar(400)), CAST(SERVERPROPERTY('InstanceDefaultLogPath') AS nvarchar(400))`,
  );
  const files = await ask(`RESTORE FILELISTONLY FROM DISK = ${literal(path)}`, signal);
  const moves = files.map(([logical = '', , type], at) => {
    const target = type === 'L' ? joined(log, `${database}_${at}.ldf`) : joined(data, `${database}_${at}.mdf`);
    return `MOVE ${literal(logical)} TO ${literal(target)}`;
  });
  try {
    await ask(
      `RESTORE DATABASE ${identifier(database)} FROM DISK = ${literal(path)} WITH CHECKSUM, RECOVERY, ${moves.join(', ')}`,
      signal,
    );
    await ask(`DBCC CHECKDB (${literal(database)}) WITH NO_INFOMSGS, ALL_ERRORMSGS`, signal);
    return await countRows(ask, database);
  } catch (error) {
    await drop(ask, database).catch(() => undefined);
    throw error;
  }
}

/** Last of all, once its counts are those of the backup. */
export async function markWhole(ask: Ask, database: string, id: string): Promise<void> {
  await ask(setProperty(database, WHOLE, id));
}

/** Every table of users, `schema.table`, with its exact number of rows. */
export async function countRows(ask: Ask, database: string): Promise<Counts> {
  return Object.fromEntries(
    (await ofTables(ask, database, 'COUNT_BIG(*)')).map(([name = '', count]) => [name, Number(count)]),
  );
}

/** Of each table, the server's own checksum over its rows in any order: a hint, for different rows may have the same. */
export async function contentsOf(ask: Ask, database: string): Promise<Integrity['contents']> {
  const sums = await ofTables(ask, database, 'CHECKSUM_AGG(BINARY_CHECKSUM(*))');
  return Object.fromEntries(sums.map(([name = '', sum]) => [name, { digest: digestOf(sum ?? ''), sampled: true }]));
}

async function ofTables(ask: Ask, database: string, what: string): Promise<Rows> {
  const at = identifier(database);
  const tables = await ask(
    `SELECT s.name, t.name FROM ${at}.sys.tables t JOIN ${at}.sys.schemas s ON s.schema_id = t.schema_id WHERE t.is_ms_shipped = 0 ORDER BY s.name, t.name`,
  );
  if (tables.length === 0) return [];
  const each = tables.map(
    ([schema = '', table = '']) =>
      `SELECT ${literal(`${schema}.${table}`)}, ${what} FROM ${at}.${identifier(schema)}.${identifier(table)}`,
  );
  return await ask(each.join(' UNION ALL '));
}

/** @throws BACKUP_DAMAGED naming the tables */
export function assertCounts({ id, rows: then }: BackupManifest, now: Counts): void {
  const names = [...new Set([...Object.keys(then), ...Object.keys(now)])].sort();
  const wrong = names.filter((name) => then[name] !== now[name]);
  if (wrong.length === 0) return;
  const said = wrong.map((name) => `${name}: ${then[name] ?? 'no table'} then, ${now[name] ?? 'no table'} now`);
  throw new BackstayError('BACKUP_DAMAGED', `backup ${id}: ${said.join('; ')}`, {
    details: { backup: id, tables: wrong },
  });
}

async function verify(ask: Ask, path: string, signal?: AbortSignal): Promise<void> {
  await ask(`RESTORE VERIFYONLY FROM DISK = ${literal(path)} WITH CHECKSUM`, signal);
}

async function headerOf(ask: Ask, path: string): Promise<{ readonly bytes: number; readonly digest: Digest }> {
  const [fields = []] = await ask(`RESTORE HEADERONLY FROM DISK = ${literal(path)}`);
  // BackupSize and BackupSetGUID, by their places, which later versions only add to.
  const [bytes, id] = [Number(fields[12]), fields[50]];
  if (!Number.isInteger(bytes) || id === undefined || id === '')
    throw new BackstayError('STORE_FAILED', `${path} has no header that is understood`);
  return { bytes, digest: `sha256:${createHash('sha256').update(`${id.toUpperCase()} ${bytes}`).digest('hex')}` };
}

/** As the server writes paths: on Windows, or on Linux. */
function joined(folder: string, name: string): string {
  const between = folder.includes('\\') ? '\\' : '/';
  return folder.endsWith(between) ? `${folder}${name}` : `${folder}${between}${name}`;
}
