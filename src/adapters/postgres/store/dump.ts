import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import type { BackupFile, BackupManifest } from '../../../model/index.ts';
import { type Access, toolEnvironment } from './connection.ts';
import { quoted, shared, type Table } from './contents.ts';
import { closeToOthers, filesIn, flush, measure, measuredList, unpacked } from './files.ts';
import { type ClientTools, runTool } from './tools.ts';

/** One file. */
const FILE = 'database.dump';
/** A folder with a file for each table, which several connections write and read at once. */
const FOLDER = 'database';

export interface DumpRequest {
  /** Absolute path of the backup's folder. */
  readonly folder: string;
  /** Connections at once. One: a single file. */
  readonly jobs: number;
  /** Only these; absent: everything but what stands beside for runs. */
  readonly tables?: readonly Table[];
  /** As `pg_export_snapshot` names it; dumped is what it sees. */
  readonly snapshot: string;
  readonly signal?: AbortSignal;
}

/** Writes the dump under a name that it does not keep: only `readBack` gives it its own. */
export async function dump(
  { folder, jobs, tables, snapshot, signal }: DumpRequest,
  access: Access,
  { bin }: ClientTools,
): Promise<void> {
  const format = jobs > 1 ? ['-Fd', '--jobs', String(jobs)] : ['-Fc'];
  const what = tables?.flatMap((table) => ['--table', quoted(table)]) ?? ['--exclude-schema', '*__bs_*'];
  const args = [...format, ...what, '--no-password', '--snapshot', snapshot, '-f', partialOf(folder, jobs)];
  await runTool(join(bin, 'pg_dump'), [...args, access.connection.database], {
    env: toolEnvironment(access),
    ...(signal === undefined ? {} : { signal }),
  });
}

/**
 * Reads what was dumped, once: the digest is taken while every byte is unpacked on the way to nowhere. Then it is flushed
 * and gets its name. The digest finds later what unpacking does not (a flipped bit in what was never packed).
 * @throws STORE_FAILED when it cannot be read to its end
 */
export async function readBack(
  { folder, jobs, signal }: Pick<DumpRequest, 'folder' | 'jobs' | 'signal'>,
  access: Access,
  tools: ClientTools,
): Promise<Pick<BackupManifest, 'file' | 'files'>> {
  const partial = partialOf(folder, jobs);
  const given = signal === undefined ? {} : { signal };
  if (jobs === 1) {
    const measured = await readFile(partial, access, tools, signal);
    await finished(partial, join(folder, FILE));
    return { file: { name: FILE, ...measured } };
  }
  await assertTables(partial, access, tools, signal);
  const files: BackupFile[] = [];
  const read = async (name: string): Promise<void> => {
    files.push({ name, ...(await readPart(join(partial, name), given)) });
    await finished(join(partial, name));
  };
  await shared(
    await filesIn(partial),
    Array.from({ length: jobs }, () => read),
  );
  await flush(partial);
  await rename(partial, join(folder, FOLDER));
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { file: { name: FOLDER, ...measuredList(sorted) }, files: sorted };
}

/** One file of pg_dump's own format: pg_restore itself unpacks it, from its standard input. */
export async function readFile(
  file: string,
  access: Access,
  { bin }: ClientTools,
  signal?: AbortSignal,
): Promise<Pick<BackupFile, 'bytes' | 'digest'>> {
  const given = signal === undefined ? {} : { signal };
  return await measure(file, {
    ...given,
    also: async (input) =>
      await runTool(join(bin, 'pg_restore'), ['-f', '/dev/null', '-Fc'], {
        env: toolEnvironment(access),
        input,
        ...given,
      }),
  });
}

/** A file of a folder: packed by gzip, whose own sums are checked, or not packed at all. */
export async function readPart(
  path: string,
  given: { readonly signal?: AbortSignal },
): Promise<Pick<BackupFile, 'bytes' | 'digest'>> {
  try {
    return await measure(path, { ...given, ...(path.endsWith('.gz') ? { also: unpacked } : {}) });
  } catch (error) {
    given.signal?.throwIfAborted();
    throw new BackstayError('STORE_FAILED', `${path} cannot be unpacked: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A line of `pg_restore --list` for the data of a table; its file is named by the first number. */
const TABLE_DATA = /^(\d+); \d+ \d+ TABLE DATA (.*)$/gm;

/** The table of contents can be read, and what it names is there. */
export async function assertTables(
  folder: string,
  access: Access,
  { bin }: ClientTools,
  signal?: AbortSignal,
): Promise<void> {
  let listed = '';
  await runTool(join(bin, 'pg_restore'), ['--list', '-Fd', folder], {
    env: toolEnvironment(access),
    onOutput: (text) => (listed += text),
    ...(signal === undefined ? {} : { signal }),
  });
  const names = new Set((await filesIn(folder)).map((name) => name.split('.')[0]));
  const lacking = [...listed.matchAll(TABLE_DATA)].filter(([, id]) => !names.has(id));
  if (lacking.length === 0) return;
  const tables = lacking.map(([, , name]) => name).join(', ');
  throw new BackstayError('STORE_FAILED', `${folder} lacks the data of ${tables}`);
}

function partialOf(folder: string, jobs: number): string {
  return join(folder, `${jobs > 1 ? FOLDER : FILE}.partial`);
}

async function finished(path: string, to?: string): Promise<void> {
  await closeToOthers(path);
  await flush(path);
  if (to !== undefined) await rename(path, to);
}
