import { BackstayError, isBackstayError } from '../errors/index.ts';
import { type Digest, digestOfBytes } from '../model/index.ts';
import type { SnapshotFiles } from './files.ts';

/** Files named by the SHA-256 of their bytes. What is read has been checked against its name. */
export interface Blobs extends Pick<SnapshotFiles, 'path' | 'size' | 'remove' | 'list'> {
  write(bytes: string | Uint8Array): Promise<Digest>;
  /** Throws SNAPSHOT_TAMPERED (path, expected and actual digest) when the bytes are not those of the name, or are gone. */
  read(digest: Digest): Promise<Buffer>;
}

export function createBlobs(files: SnapshotFiles): Blobs {
  const path = (digest: Digest): string => files.path(digest);
  const read = async (digest: Digest): Promise<Buffer> => {
    const bytes = await files.read(digest);
    if (bytes === undefined) throw tampered(path(digest), 'is missing', { expected: digest });
    const actual = digestOfBytes(bytes);
    if (actual === digest) return bytes;
    throw tampered(
      path(digest),
      `does not match its digest: expected ${digest}, found ${actual} (${bytes.length} bytes)`,
      { expected: digest, actual, bytes: bytes.length },
    );
  };
  return {
    path,
    read,
    async write(bytes) {
      const digest = digestOfBytes(bytes);
      // A damaged file under this name is replaced by the right bytes; a sound one is left alone.
      if (!(await isSound(read(digest)))) await files.write(digest, bytes);
      return digest;
    },
    size: async (digest) => await files.size(digest),
    remove: async (digest) => await files.remove(digest),
    list: async () => await files.list(),
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
