import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import type { BaseBackup } from '../../../model/index.ts';
import { succeed } from './programs.ts';
import { positionOf, positionText } from './wal.ts';

/** What a base backup tells of itself, read from its own files. */
export interface BaseFacts extends BaseBackup {
  readonly folder: string;
  readonly segmentBytes: number;
  /** Seconds since 1970, of the checkpoint that its control file names: whatever lies before it is in the copy. */
  readonly checkpointAt: number;
  /** Settings of its server that a copy has to have at least: `max_connections` and its like. */
  readonly limits: Readonly<Record<string, number>>;
  /** Whether its files can be compared with a list of their digests. */
  readonly listed: boolean;
}

export interface UnusableBase {
  readonly name: string;
  readonly folder: string;
  readonly problem: string;
}

/** Ends of names of what is still being written. */
export const UNFINISHED = '.partial';

/** Folders of base backups: those in a folder, or the folder itself where it is one. Sorted by name. */
export async function basesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new BackstayError(
      'STORE_REFUSED',
      `the base backups in ${folder} cannot be read: ${(error as Error).message}`,
    );
  });
  if (entries.some(({ name }) => name === 'backup_label')) return [folder];
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.endsWith(UNFINISHED))
    .map(({ name }) => join(folder, name))
    .sort();
}

/** `programs`: folder of the server's programs of a major version. */
export async function readBase(
  folder: string,
  programs: (major: number) => Promise<string>,
  signal?: AbortSignal,
): Promise<BaseFacts | UnusableBase> {
  const name = folder.split('/').findLast((part) => part !== '') ?? folder;
  const unusable = (problem: string): UnusableBase => ({ name, folder, problem });
  const major = Number(await readFile(join(folder, 'PG_VERSION'), 'utf8').catch(() => ''));
  if (!(major > 0)) return unusable('it is no copy of a PostgreSQL server (no PG_VERSION)');
  const label = await readFile(join(folder, 'backup_label'), 'utf8').catch(() => undefined);
  const start = /^START WAL LOCATION: (\S+)/m.exec(label ?? '')?.[1];
  if (label === undefined || start === undefined) return unusable('it has no backup_label: it is no base backup');
  if (await hasTablespaces(folder)) return unusable('it has tablespaces of its own, which lie outside of it');
  const tool = join(await programs(major), 'pg_controldata');
  const control = parseControl((await succeed(tool, ['-D', folder], signal === undefined ? {} : { signal })).lines);
  const manifest = await manifestOf(folder);
  return {
    name,
    folder,
    bytes: manifest?.bytes ?? (await bytesOf(folder)),
    major,
    systemIdentifier: control.systemIdentifier,
    timeline: Number(/^START TIMELINE: (\d+)/m.exec(label)?.[1] ?? control.timeline),
    start: positionText(positionOf(start)),
    ...(manifest?.end === undefined ? {} : { end: manifest.end }),
    segmentBytes: control.segmentBytes,
    checkpointAt: control.checkpointAt,
    limits: control.limits,
    listed: manifest !== undefined,
  };
}

/** A link out of a copy leads into the live server's own files: nothing that has one is ever started. */
async function hasTablespaces(folder: string): Promise<boolean> {
  const map = await stat(join(folder, 'tablespace_map')).catch(() => undefined);
  const links = await readdir(join(folder, 'pg_tblspc')).catch(() => []);
  return (map !== undefined && map.size > 0) || links.length > 0;
}

interface Control {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly segmentBytes: number;
  readonly checkpointAt: number;
  readonly limits: Readonly<Record<string, number>>;
}

const LIMITS: Readonly<Record<string, string>> = {
  max_connections: 'max_connections setting',
  max_worker_processes: 'max_worker_processes setting',
  max_wal_senders: 'max_wal_senders setting',
  max_prepared_transactions: 'max_prepared_xacts setting',
  max_locks_per_transaction: 'max_locks_per_xact setting',
};

/** Of pg_controldata, run in English and UTC. */
export function parseControl(lines: readonly string[]): Control {
  const values = new Map(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
  const value = (key: string): string => {
    const found = values.get(key);
    if (found === undefined) throw new TypeError(`pg_controldata says nothing of ${key}`);
    return found;
  };
  return {
    systemIdentifier: value('Database system identifier'),
    timeline: Number(value("Latest checkpoint's TimeLineID")),
    segmentBytes: Number(value('Bytes per WAL segment')),
    checkpointAt: Date.parse(`${value('Time of latest checkpoint')} UTC`) / 1000,
    limits: Object.fromEntries(Object.entries(LIMITS).map(([name, key]) => [name, Number(value(key))])),
  };
}

interface Manifest {
  readonly Files: readonly { readonly Size: number }[];
  readonly 'WAL-Ranges'?: readonly { readonly 'End-LSN': string }[];
}

async function manifestOf(folder: string): Promise<{ readonly bytes: number; readonly end?: string } | undefined> {
  const text = await readFile(join(folder, 'backup_manifest'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { Files: files, 'WAL-Ranges': ranges = [] } = JSON.parse(text) as Manifest;
  const end = ranges.map((range) => positionOf(range['End-LSN'])).reduce((a, b) => (a > b ? a : b), 0n);
  return {
    bytes: files.reduce((sum, { Size: size }) => sum + size, 0),
    ...(ranges.length === 0 ? {} : { end: positionText(end) }),
  };
}

async function bytesOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
