import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { type Digest, digestOfBytes } from '../../model/index.ts';
import { flushFolder, sweep, writeAtomically, type WriteFile } from './atomic-write.ts';

/** Files named by the SHA-256 of their bytes. What is read has been checked against its name. */
export interface Blobs {
  write(bytes: string | Uint8Array): Promise<Digest>;
  /** Throws SNAPSHOT_TAMPERED (path, expected and actual digest) when the bytes are not those of the name, or are gone. */
  read(digest: Digest): Promise<Buffer>;
  /** Bytes of a file; undefined when it is not there. */
  size(digest: Digest): Promise<number | undefined>;
  /** Takes a file away, durably. One that is not there is none of its business. */
  remove(digest: Digest): Promise<void>;
  list(): Promise<readonly Digest[]>;
  path(digest: Digest): string;
  /** How a file gets into its place, for what stands beside the blobs. */
  readonly writeFile: WriteFile;
  sweep(now: number): Promise<void>;
}

export function createBlobs(folder: string, write: WriteFile = writeAtomically): Blobs {
  const path = (digest: Digest): string => join(folder, digest.slice('sha256:'.length));
  const read = async (digest: Digest): Promise<Buffer> => {
    const bytes = await readFile(path(digest)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') throw tampered(path(digest), 'is missing', { expected: digest });
      throw tampered(path(digest), `cannot be read (${cause.code ?? cause.message})`, { expected: digest });
    });
    const actual = digestOfBytes(bytes);
    if (actual !== digest) {
      throw tampered(
        path(digest),
        `does not match its digest: expected ${digest}, found ${actual} (${bytes.length} bytes)`,
        {
          expected: digest,
          actual,
          bytes: bytes.length,
        },
      );
    }
    return bytes;
  };
  return {
    path,
    read,
    writeFile: write,
    async write(bytes) {
      const digest = digestOfBytes(bytes);
      // A damaged file under this name is replaced by the right bytes; a sound one is left alone.
      if (!(await isSound(read(digest)))) await write(path(digest), bytes);
      return digest;
    },
    size: async (digest) =>
      await stat(path(digest)).then(
        ({ size }) => size,
        () => undefined,
      ),
    async remove(digest) {
      await rm(path(digest), { force: true });
      await flushFolder(folder);
    },
    async list() {
      const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw tampered(folder, `cannot be read (${error.code ?? error.message})`, {});
      });
      return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name): Digest => `sha256:${name}`);
    },
    sweep: (now) => sweep(folder, now),
  };
}

/** SNAPSHOT_TAMPERED about one file. */
export function tampered(path: string, what: string, details: Readonly<Record<string, unknown>>): BackstayError {
  return new BackstayError('SNAPSHOT_TAMPERED', `${path} ${what}.`, {
    at: { file: path },
    details: { path, ...details },
  });
}

async function isSound(reading: Promise<Buffer>): Promise<boolean> {
  try {
    await reading;
    return true;
  } catch (error) {
    if (isBackstayError(error, 'SNAPSHOT_TAMPERED')) return false;
    throw error;
  }
}
