import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../model/index.ts';
import { completeIndex, createBlobs, type SnapshotFiles, tampered, withEntry } from '../../snapshots/index.ts';
import { flushFolder, sweep, writeAtomically, type WriteFile } from './atomic-write.ts';
import { readIndex, writeIndex } from './snapshot-index.ts';

/** The files of one stack in `<folder>/blobs/sha256`, and their index beside them in `index.json`. */
export function createFolder(folder: string, stack: string, write: WriteFile = writeAtomically): SnapshotFiles {
  const blobs = join(folder, 'blobs', 'sha256');
  const index = join(folder, 'index.json');
  const path = (digest: Digest): string => join(blobs, digest.slice('sha256:'.length));
  const files: SnapshotFiles = {
    path,
    read: async (digest) =>
      await readFile(path(digest)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT') return undefined;
        throw tampered(path(digest), `cannot be read (${cause.code ?? cause.message})`, { expected: digest });
      }),
    write: async (digest, bytes) => await write(path(digest), bytes),
    size: async (digest) =>
      await stat(path(digest)).then(
        ({ size }) => size,
        () => undefined,
      ),
    remove: async (digest) => {
      await rm(path(digest), { force: true });
      await flushFolder(blobs);
    },
    list: async () => {
      const names = await readdir(blobs).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw tampered(blobs, `cannot be read (${error.code ?? error.message})`, {});
      });
      return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name): Digest => `sha256:${name}`);
    },
    index: async () => await readIndex(index),
    enter: async (entry) => {
      const whole = await completeIndex(await readIndex(index), stack, createBlobs(files));
      await writeIndex(index, stack, withEntry(whole, entry), write);
    },
    sweep: async (now) => await sweep(blobs, now),
  };
  return files;
}
