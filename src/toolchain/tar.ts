import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { BackstayError } from '../errors/index.ts';

const BLOCK = 512;

/** Writes one member of a gzipped tar (ustar, names under 256 characters) to a file. Error: TOOL_BUILD_FAILED when it is not in it. */
export async function extractMember(archive: string, member: string, target: string): Promise<void> {
  const reader = new BlockReader(createReadStream(archive).pipe(createGunzip()));
  for (;;) {
    const header = await reader.take(BLOCK);
    if (header === undefined || header.every((byte) => byte === 0)) break;
    const name = `${field(header, 345, 155)}/${field(header, 0, 100)}`.replace(/^\/(\.\/)?/, '');
    const size = Number.parseInt(field(header, 124, 12).trim() || '0', 8);
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    if (name === member) {
      await pipeline(Readable.from(reader.stream(size)), createWriteStream(target, { mode: 0o755 }));
      return;
    }
    for await (const _skipped of reader.stream(padded)) continue;
  }
  throw new BackstayError('TOOL_BUILD_FAILED', `${member} is not in the downloaded archive`);
}

function field(header: Buffer, offset: number, length: number): string {
  const end = header.indexOf(0, offset);
  return header.toString('utf8', offset, end === -1 ? offset + length : Math.min(end, offset + length));
}

/** Cuts a byte stream into pieces of the wanted size. */
class BlockReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #source: AsyncIterator<Buffer>;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for await (const part of this.stream(size)) parts.push(part);
    const whole = Buffer.concat(parts);
    return whole.length === size ? whole : undefined;
  }

  async *stream(size: number): AsyncGenerator<Buffer> {
    let left = size;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next();
        if (next.done === true) return;
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
}
