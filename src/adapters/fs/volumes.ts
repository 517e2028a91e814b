import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BackstayError, isBackstayError, isOutOfRoom } from '../../errors/index.ts';

interface Volume {
  /** The folder that was asked for. */
  readonly folder: string;
  /** Where it is mounted. */
  readonly mount: string;
  readonly bytes: number;
  readonly free: number;
}

/** With less than this left, bytes, a volume is taken to be the full one: tools write in larger pieces. */
const NEARLY_NOTHING = 2 ** 20;

/** A server's own words for its own volume, as its tools repeat them: not ours to name. */
const OF_A_SERVER = /from server: ERROR|could not extend file/;

/**
 * VOLUME_FULL for an error that tells of a full volume: names the one among those of these folders that is, or all of them
 * where what filled it has gone by now. `free`: what a person can do about it. Any other error as it is.
 */
export async function ofFullVolume(error: unknown, folders: readonly string[], free: string): Promise<unknown> {
  if (!(error instanceof Error) || !isOutOfRoom(error) || isBackstayError(error, 'VOLUME_FULL')) return error;
  if (OF_A_SERVER.test(error.message)) return error;
  const volumes: Volume[] = [];
  for (const folder of folders) {
    const volume = await volumeOf(folder);
    if (volumes.every(({ mount }) => mount !== volume.mount)) volumes.push(volume);
  }
  const full = volumes.filter((volume) => volume.free < NEARLY_NOTHING);
  const meant = full.length > 0 ? full : volumes;
  const named = meant.map(({ folder, mount, bytes, free: left }) => {
    const size = `${mib(left)} of ${mib(bytes)} free`;
    return folder === mount ? `${folder} (${size})` : `${folder} (mounted at ${mount}, ${size})`;
  });
  return new BackstayError('VOLUME_FULL', `no room is left on the volume of ${named.join(' or ')}: ${error.message}`, {
    cause: error,
    next: free,
    details: { volumes: meant },
  });
}

/** Of the nearest folder above that is there, where it is not there any more. */
async function volumeOf(folder: string): Promise<Volume> {
  let there = folder;
  let found = await stat(there).catch(() => undefined);
  while (found === undefined && dirname(there) !== there) {
    there = dirname(there);
    found = await stat(there).catch(() => undefined);
  }
  let mount = there;
  for (;;) {
    const above = dirname(mount);
    if (above === mount || (await stat(above).catch(() => undefined))?.dev !== found?.dev) break;
    mount = above;
  }
  const { bavail, blocks, bsize } = await statfs(there);
  return { folder, mount, bytes: blocks * bsize, free: bavail * bsize };
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
