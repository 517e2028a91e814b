import { constants } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  lchown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackstayError } from '../../../errors/index.ts';
import { type Account, capture } from './programs.ts';

/** A folder in which one cluster is recovered, and which goes again whatever happens. */
export interface Scratch {
  readonly folder: string;
  readonly data: string;
  /** Of the Unix socket: short, for its path has 107 bytes at most. */
  readonly socket: string;
  readonly log: string;
  /** What was fetched of a log by a program. */
  readonly staging: string;
  remove(): Promise<void>;
}

const PREFIX = 'backstay-recovery-';
const OWNER = 'owner.json';

/** @throws STORE_REFUSED when the account cannot work there */
export async function makeScratch(parent: string, account: Account | undefined): Promise<Scratch> {
  await mkdir(parent, { recursive: true });
  await sweep(parent);
  const folder = await mkdtemp(join(parent, PREFIX));
  const socket = folder.length > 70 ? await mkdtemp(join(tmpdir().length > 70 ? '/tmp' : tmpdir(), PREFIX)) : folder;
  const remove = async (): Promise<void> => {
    for (const one of new Set([folder, socket])) await rm(one, { recursive: true, force: true });
  };
  try {
    await writeFile(join(folder, OWNER), JSON.stringify({ pid: process.pid, started: await startOf(process.pid) }));
    for (const one of new Set([folder, socket])) {
      await chmod(one, 0o700);
      if (account !== undefined) await chown(one, account.uid, account.gid);
    }
    const reached = await capture('test', ['-w', folder], account === undefined ? {} : { account });
    if (reached.code !== 0)
      throw new BackstayError('STORE_REFUSED', `user ${account?.uid ?? ''} cannot write to ${folder}`, {
        next: 'Name a folder that everybody can pass through with `archive.scratch` in the stack file. PostgreSQL never runs as root.',
      });
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    folder,
    data: join(folder, 'data'),
    socket,
    log: join(folder, 'server.log'),
    staging: join(folder, 'log'),
    remove,
  };
}

/** Number of clock ticks since boot at which a process began: numbers of processes are used again. Empty where nothing tells. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Removes what a killed process left here, and ends the server that still runs in it. */
async function sweep(parent: string): Promise<void> {
  const names = await readdir(parent).catch((): string[] => []);
  for (const name of names.filter((one) => one.startsWith(PREFIX))) {
    const folder = join(parent, name);
    const owner = await readFile(join(folder, OWNER), 'utf8')
      .then((text) => JSON.parse(text) as { readonly pid: number; readonly started: string })
      .catch(() => undefined);
    // Without an owner: somebody is just making it, or it is none of ours.
    if (owner === undefined || (await isAlive(owner))) continue;
    await endServer(join(folder, 'data'));
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function isAlive({ pid, started }: { readonly pid: number; readonly started: string }): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return (await startOf(pid)) === started;
}

/** Only a process that works in this very folder is ended: its number alone proves nothing. */
async function endServer(data: string): Promise<void> {
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
  if (!(pid > 0) || (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) !== data) return;
  try {
    process.kill(pid, 'SIGQUIT');
    for (let looks = 0; looks < 200 && (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === data; looks += 1)
      await new Promise((resolve) => setTimeout(resolve, 25));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** @throws STORE_REFUSED naming what is free and what is needed */
export async function requireSpace(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  throw new BackstayError('STORE_REFUSED', `${what} needs ${mib(bytes)} in ${folder}; ${mib(free)} are free there`, {
    next: 'Make room there, or name another folder in the stack file.',
    details: { folder, needed: Math.ceil(bytes), free },
  });
}

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/** What the server would take for its own settings, and what would make a standby of it. */
const LEFT_OUT = ['postgresql.auto.conf', 'standby.signal', 'recovery.signal', 'postmaster.pid', 'postmaster.opts'];

/**
 * Copies a base backup; blocks are shared where the file system can do that. A link would lead out of the copy, into files
 * of the live server perhaps: there may be none.
 */
export async function copyBase(
  from: string,
  to: string,
  account: Account | undefined,
  signal?: AbortSignal,
): Promise<void> {
  await cp(from, to, {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    filter: () => {
      signal?.throwIfAborted();
      return true;
    },
  });
  await settle(to, account, signal);
}

/** Gives a copy to the account, and makes sure that it is one. */
export async function settle(data: string, account: Account | undefined, signal?: AbortSignal): Promise<void> {
  for (const entry of await readdir(data, { withFileTypes: true, recursive: true })) {
    signal?.throwIfAborted();
    const path = join(entry.parentPath, entry.name);
    if ((await lstat(path)).isSymbolicLink())
      throw new BackstayError('STORE_REFUSED', `the base backup has a link in it (${path.slice(data.length + 1)})`, {
        next: 'What it leads to may belong to the live server. Take a base backup without tablespaces of its own.',
      });
    if (account !== undefined) await lchown(path, account.uid, account.gid);
  }
  await chmod(data, 0o700);
  if (account !== undefined) await chown(data, account.uid, account.gid);
}

/** After its files were compared with their list. */
export async function strip(data: string): Promise<void> {
  for (const name of LEFT_OUT) await rm(join(data, name), { force: true });
}
