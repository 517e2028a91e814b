import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { Pack } from 'tar-stream';
import { BackstayError } from '../../errors/index.ts';
import type { Archive, ArchivedFile } from '../../ports/index.ts';

const squeeze = promisify(gzip);
const open = promisify(gunzip);

/** Fast rather than small: a run waits for it. */
const LEVEL = constants.Z_BEST_SPEED;
/** A bundle is bounded; what opens to more than this was not made by us. */
const MOST_BYTES = 2 * 1024 ** 3;

/** gzipped tar, as every tool reads it. In memory: a bundle has a bounded size. */
export function createArchive(): Archive {
  return {
    pack: async (files) => {
      const { pack } = await import('tar-stream');
      const tar = pack();
      const whole = collected(tar);
      for (const { path, content } of files) {
        // No owner and no times of this machine: the same files give the same bytes.
        tar.entry({ name: path, mode: 0o600, mtime: new Date(0), type: 'file' }, Buffer.from(content));
      }
      tar.finalize();
      return await squeeze(await whole, { level: LEVEL });
    },
    unpack: async (bytes) => {
      try {
        return await entriesOf(await open(bytes, { maxOutputLength: MOST_BYTES }));
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new BackstayError('EVIDENCE_TAMPERED', `The archive cannot be read: ${why}.`, { cause });
      }
    },
  };
}

async function collected(tar: Pack): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function entriesOf(tar: Buffer): Promise<readonly ArchivedFile[]> {
  const { extract } = await import('tar-stream');
  const reader = extract();
  const files: ArchivedFile[] = [];
  const end = (async () => {
    for await (const entry of reader) {
      const parts: Buffer[] = [];
      for await (const part of entry) parts.push(part as Buffer);
      files.push({ path: entry.header.name, content: Buffer.concat(parts) });
    }
  })();
  reader.end(tar);
  await end;
  return files;
}
