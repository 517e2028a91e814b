import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, realpath, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real file system of a few MiB, which is full when it is full. */
export interface SmallDisk {
  /** Its root. */
  readonly folder: string;
  /** Bytes that can still be written. */
  free(): Promise<number>;
  /** Takes all room but so many bytes; given back by what it returns. */
  fill(left: number): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

/** Who may reach it beside root, where the tests are root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const IS_ROOT = process.getuid?.() === 0;
/** A mount of its own, seen by nobody else; without root in a user namespace, where the system lets us have one. */
const UNSHARE = ['--mount', '--propagation', 'private', ...(IS_ROOT ? [] : ['--map-root-user'])];

/** Whether this machine lets the tests have one. Where it does not, limits on the size of files stand for it (faults.test.ts). */
export const CAN_MOUNT = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/**
 * Only a process of its own sees the mount: others reach it by that one's view of the files, so that no mount is left
 * whatever ends the tests.
 */
export async function smallDisk(bytes: number, owner?: Owner): Promise<SmallDisk> {
  const place = await realpath(await mkdtemp(join(tmpdir(), 'backstay-test-disk-')));
  await chmod(place, 0o755);
  const given = owner !== undefined && IS_ROOT ? owner : undefined;
  const whose = given === undefined ? '' : `,uid=${given.uid},gid=${given.gid}`;
  const become =
    given === undefined ? [] : ['setpriv', `--reuid=${given.uid}`, `--regid=${given.gid}`, '--clear-groups'];
  const script = 'mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && shift 2 && exec "$@"';
  const words = [`size=${bytes},mode=0755${whose}`, place, ...become, 'cat'];
  const keeper = spawn('unshare', [...UNSHARE, 'sh', '-c', script, 'sh', ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(keeper, 'exit');
  await Promise.race([
    once(keeper.stdout, 'data'),
    ended.then(() => {
      throw new TypeError('there is no small disk to be had');
    }),
  ]);
  const folder = `/proc/${keeper.pid ?? 0}/root${place}`;
  const free = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  };
  return {
    folder,
    free,
    fill: async (left) => {
      const ballast = join(folder, 'ballast');
      await writeFile(ballast, Buffer.alloc(Math.max(0, (await free()) - left), 1));
      return async () => await rm(ballast);
    },
    stop: async () => {
      keeper.stdin.end();
      await ended;
      await rm(place, { recursive: true });
    },
  };
}
