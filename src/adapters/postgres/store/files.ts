import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { BackstayError } from '../../../errors/index.ts';
import { type Backup, type BackupFile, type BackupManifest, type Digest, digestOf } from '../../../model/index.ts';

/** Read at once; with the digest's own state all that a file of any size needs. */
const CHUNK = 1 << 20;

export interface Measured {
  readonly bytes: number;
  readonly digest: Digest;
}

/** Reads a file once from its beginning to its end; `also` sees every chunk on the way, and holds the reading up. */
export async function measure(
  file: string,
  {
    signal,
    also,
  }: { readonly signal?: AbortSignal; readonly also?: (chunks: AsyncIterable<Buffer>) => Promise<void> } = {},
): Promise<Measured> {
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    const stream = createReadStream(file, { highWaterMark: CHUNK, ...(signal === undefined ? {} : { signal }) });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  await (also ?? drained)(counted());
  return { bytes, digest: `sha256:${hash.digest('hex')}` };
}

async function drained(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks);
}

/** Unpacks what it is given to nowhere: the sums within say whether it is whole. */
export async function unpacked(chunks: AsyncIterable<Buffer>): Promise<void> {
  const gunzip = createGunzip();
  const ended = new Promise<void>((resolve, reject) => gunzip.once('end', resolve).once('error', reject));
  gunzip.resume();
  const fed = (async () => {
    for await (const chunk of chunks) {
      if (gunzip.destroyed || gunzip.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          gunzip.off('drain', go).off('close', go);
          resolve();
        };
        gunzip.on('drain', go).on('close', go);
      });
    }
    if (!gunzip.destroyed) gunzip.end();
  })();
  // A source that fails would leave the other waiting for an end that never comes.
  await Promise.all([ended, fed.catch((error: unknown) => gunzip.destroy(error as Error))]);
}

/** Names of the files in a folder, sorted; nothing but files is expected there. */
export async function filesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).toSorted();
}

/** Of a folder: the sum, and the digest of the list. */
export function measuredList(files: readonly BackupFile[]): Measured {
  return { bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), digest: digestOf(files) };
}

/** Every file of a backup as its manifest has it, with absolute paths. */
export function filesOf({ manifest, folder }: Backup): readonly (BackupFile & { readonly path: string })[] {
  const { file, files } = manifest;
  if (files === undefined) return [{ ...file, path: join(folder, file.name) }];
  return files.map((one) => ({ ...one, path: join(folder, file.name, one.name) }));
}

/**
 * What can be told without reading the files: the list is the one that was written, each is there, of its size, and none
 * is beside them. @throws BACKUP_DAMAGED naming the file
 */
export async function assertThere(backup: Backup): Promise<void> {
  const { manifest, folder } = backup;
  const { file, files } = manifest;
  if (files !== undefined) {
    const whole = join(folder, file.name);
    const list = measuredList(files);
    if (list.digest !== file.digest || list.bytes !== file.bytes)
      throw damaged(manifest, whole, 'is not what was written: the list of its files differs');
    const strange = (await filesIn(whole).catch(() => [])).find((name) => files.every((one) => one.name !== name));
    if (strange !== undefined) throw damaged(manifest, join(whole, strange), 'is no part of it');
  }
  for (const { path, bytes } of filesOf(backup)) {
    const { size } = await lstat(path).catch((error: unknown) => {
      throw damaged(manifest, path, 'is not there', error);
    });
    if (size !== bytes) throw damaged(manifest, path, `has ${size} bytes; when it was written it had ${bytes}`);
  }
}

/** Reads every file to its end and compares its digest. @throws BACKUP_DAMAGED naming the file */
export async function assertDigests(backup: Backup, signal?: AbortSignal): Promise<void> {
  await assertThere(backup);
  for (const { path, digest } of filesOf(backup)) {
    const found = await measure(path, signal === undefined ? {} : { signal });
    if (found.digest !== digest)
      throw damaged(backup.manifest, path, 'is not the file that was written: its digest differs');
  }
}

export function damaged(manifest: BackupManifest, file: string, what: string, cause?: unknown): BackstayError {
  return new BackstayError('BACKUP_DAMAGED', `${file} ${what}`, {
    details: { backup: manifest.id, file },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** For its owner alone, whatever the umask was when a tool wrote it. */
export async function closeToOthers(path: string): Promise<void> {
  await chmod(path, 0o600);
}

export async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
