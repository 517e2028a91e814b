import { chown, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import type { ArchiveSetting } from '../../../model/index.ts';
import { type CaptureOptions, capture, shellWord } from './programs.ts';

/** The write-ahead log as it was archived. */
export interface WalArchive {
  /** For people: its folder, or the program that fetches from it. */
  readonly name: string;
  /** Path of a file of it; undefined where it has none of that name. */
  locate(file: string, signal?: AbortSignal): Promise<string | undefined>;
  /** Undefined for one that cannot be listed. */
  names(): Promise<ReadonlySet<string> | undefined>;
  /** As the server wants it: a line for the shell, with %f and %p. */
  readonly restoreCommand: string;
}

/** `staging`: an empty folder for what is fetched by a program. */
export function openArchive(
  { wal }: ArchiveSetting,
  staging: string,
  options: Pick<CaptureOptions, 'account' | 'env'>,
): WalArchive {
  if (wal.kind === 'folder') return folderArchive(wal.folder);
  return {
    name: wal.command[0] ?? '',
    locate: async (file, signal) => {
      const path = join(staging, file);
      if (await isThere(path)) return path;
      await mkdir(staging, { recursive: true, mode: 0o700 });
      // Made by us, and written by the program: where this is root, that is somebody else.
      const { account } = options;
      if (account !== undefined) await chown(staging, account.uid, account.gid);
      const [program = '', ...args] = wal.command.map((word) => filled(word, { f: file, p: path }));
      await capture(program, args, { ...options, cwd: staging, ...(signal === undefined ? {} : { signal }) });
      // Its exit code is not what counts: the file is there, or it is not.
      return (await isThere(path)) ? path : undefined;
    },
    names: async () => await Promise.resolve(undefined),
    // Within quotes the server still fills in %f and %p.
    restoreCommand: wal.command.map(shellWord).join(' '),
  };
}

function folderArchive(folder: string): WalArchive {
  return {
    name: folder,
    locate: async (file) => ((await isThere(join(folder, file))) ? join(folder, file) : undefined),
    names: async () => {
      const names = await readdir(folder).catch((error: unknown) => {
        const { code, message } = error as NodeJS.ErrnoException;
        throw new BackstayError('STORE_REFUSED', `the archive of the log ${folder} cannot be read: ${message}`, {
          next: 'Look at `archive` in the stack file.',
          details: { folder, code: code ?? null },
        });
      });
      return new Set(names);
    },
    restoreCommand: `cp ${shellWord(`${folder.replaceAll('%', '%%')}/%f`)} "%p"`,
  };
}

/** `%f` and the like in one word of a command; `%%` is a percent sign. */
export function filled(word: string, values: Readonly<Record<string, string>>): string {
  return word.replaceAll(/%(.)/g, (whole, key: string) => (key === '%' ? '%' : (values[key] ?? whole)));
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

/** Of the first page of a file of the log: which cluster wrote it. Undefined for what is no such file. */
export async function clusterOf(file: string): Promise<string | undefined> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(40), 0, 40, 0);
    // After the ordinary page header: xlp_sysid, in the byte order of the machine that wrote it, as all of the log is.
    return bytesRead < 40 ? undefined : buffer.readBigUInt64LE(24).toString();
  } finally {
    await handle.close();
  }
}

/** What a timeline descends from; undefined for the first, which has no such file. @throws RECOVERY_REFUSED */
export async function historyOf(archive: WalArchive, name: string, signal?: AbortSignal): Promise<string> {
  const path = await archive.locate(name, signal);
  if (path !== undefined) return await readFile(path, 'utf8');
  throw new BackstayError('RECOVERY_REFUSED', `${name} is not in ${archive.name}: how the timelines lie is not known`, {
    details: { file: name, archive: archive.name },
  });
}
