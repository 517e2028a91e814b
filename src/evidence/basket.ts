import { type EvidenceFile, type EvidenceLimits, type EvidenceManifest, digestOfBytes } from '../model/index.ts';
import type { ArchivedFile, Clock } from '../ports/index.ts';
import type { Redactor } from './redact.ts';

/** One text on its way into a bundle, before redaction. */
export interface Piece {
  readonly path: string;
  readonly source: string;
  readonly text: string;
  /** Small numbers are kept first when there is no room for all. */
  readonly rank: number;
  /** Which end is kept when there is no room for the whole: the newest lines of a log are at its end. @default 'start' */
  readonly keep?: 'start' | 'end';
  readonly cut?: string;
  readonly note?: string;
}

interface Missing {
  readonly source: string;
  readonly why: string;
}

/** Gathers pieces until it is closed; what comes later is not taken. */
export class Basket {
  readonly #clock: Clock;
  readonly #pieces: (Piece & { readonly at: string })[] = [];
  readonly #missing: Missing[] = [];
  #closed = false;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Characters that were gathered so far, as a measure of memory. */
  get size(): number {
    return this.#bytes;
  }

  get closed(): boolean {
    return this.#closed;
  }

  put(piece: Piece): void {
    if (this.#closed) return;
    this.#bytes += piece.text.length;
    this.#pieces.push({ ...piece, at: new Date(this.#clock.now()).toISOString() });
  }

  miss(source: string, why: string): void {
    if (!this.#closed) this.#missing.push({ source, why });
  }

  close(): { readonly pieces: readonly (Piece & { readonly at: string })[]; readonly missing: readonly Missing[] } {
    this.#closed = true;
    const pieces = this.#pieces.toSorted((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1));
    return { pieces, missing: this.#missing };
  }
}

/** Less of a file than this helps nobody. */
const SMALLEST_BYTES = 4 * 1024;

export interface Packed {
  readonly files: readonly ArchivedFile[];
  readonly listed: readonly EvidenceFile[];
  readonly missing: readonly Missing[];
  readonly redacted: number;
}

/** Redacts, then cuts to size: a cut through a secret would leave its other half unknown. `late` ends it when time is up. */
export function settle(
  pieces: readonly (Piece & { readonly at: string })[],
  redact: Redactor,
  { bytes: limit }: Pick<EvidenceLimits, 'bytes'>,
  late: () => boolean,
): Packed {
  const files: ArchivedFile[] = [];
  const listed: EvidenceFile[] = [];
  const missing: Missing[] = [];
  const names = new Set<string>();
  let [left, redacted] = [limit, 0];
  for (const { path, source, text, keep = 'start', cut, note, at } of pieces) {
    if (late()) {
      missing.push({ source, why: 'read, but there was no time left to redact it' });
      continue;
    }
    if (left < Math.min(SMALLEST_BYTES, Buffer.byteLength(text))) {
      missing.push({ source, why: 'no room: the size limit was reached' });
      continue;
    }
    const clean = redact(text);
    const whole = Buffer.from(clean.text);
    const content = whole.length <= left ? whole : atLineEnd(whole, left, keep);
    const name = unused(path, names);
    redacted += clean.count;
    left -= content.length;
    const shortened =
      whole.length === content.length ? cut : `only ${content.length} of ${whole.length} bytes: the size limit`;
    files.push({ path: name, content });
    listed.push({
      path: name,
      sha256: digestOfBytes(content),
      bytes: content.length,
      source,
      at,
      ...(shortened === undefined ? {} : { cut: shortened }),
      ...(note === undefined ? {} : { note }),
    });
  }
  return { files, listed, missing, redacted };
}

/** Whole lines, where there are any. */
function atLineEnd(whole: Buffer, room: number, keep: 'start' | 'end'): Buffer {
  const feed = 0x0a;
  if (keep === 'end') {
    const part = whole.subarray(whole.length - room);
    return part.subarray(part.indexOf(feed) + 1);
  }
  const part = whole.subarray(0, room);
  const end = part.lastIndexOf(feed);
  return end < 0 ? part : part.subarray(0, end + 1);
}

function unused(path: string, names: Set<string>): string {
  const safe = path.replaceAll(/[^\w./-]/g, '_');
  let name = safe;
  for (let count = 2; names.has(name); count += 1) name = `${safe}-${count}`;
  names.add(name);
  return name;
}

export function manifestOf(about: Omit<EvidenceManifest, 'apiVersion' | 'kind' | 'format'>): {
  readonly manifest: EvidenceManifest;
  readonly content: Uint8Array;
} {
  const manifest: EvidenceManifest = { apiVersion: 'backstay.dev/v1', kind: 'Evidence', format: 1, ...about };
  return { manifest, content: Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`) };
}
