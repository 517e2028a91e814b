import { EventEmitter } from 'node:events';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** A file is renamed to `.1` at this size, and the older one dropped: at most twice as much a container instance. */
const ROTATE_BYTES = 10 * 1024 * 1024;

/** A line without an end is written out at this length. */
const LINE_LIMIT = 16 * 1024;

export interface LogLine {
  /** RFC 3339 with nanoseconds. */
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  /** Without its line feed. */
  readonly text: string;
}

/**
 * The log of one run of one container, in the file format of container runtimes (`TIME STREAM F TEXT`). Writes are
 * synchronous: a chunk is one small append to the page cache, and a reader in this process never misses or doubles a line.
 */
export class ContainerLog {
  readonly file: string;
  /** Emits `line` with a LogLine, and `end` once. */
  readonly emitter = new EventEmitter<{ line: [LogLine]; end: [] }>();
  #descriptor: number | undefined;
  #size = 0;
  readonly #partial: Record<LogLine['stream'], string> = { stdout: '', stderr: '' };
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  constructor(file: string) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#open();
    this.emitter.setMaxListeners(0);
  }

  get ended(): boolean {
    return this.#descriptor === undefined;
  }

  write(stream: LogLine['stream'], chunk: Buffer): void {
    if (this.#descriptor === undefined) return;
    const text = this.#partial[stream] + this.#decoders[stream].decode(chunk, { stream: true });
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    this.#append(stream, lines);
    if (rest.length >= LINE_LIMIT) this.#append(stream, [rest]);
    this.#partial[stream] = rest.length >= LINE_LIMIT ? '' : rest;
  }

  end(): void {
    if (this.#descriptor === undefined) return;
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#partial[stream] !== '') this.#append(stream, [this.#partial[stream]]);
    }
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.emitter.emit('end');
  }

  /** Everything that is still kept, oldest first. */
  lines(): LogLine[] {
    return [`${this.file}.1`, this.file].flatMap((file) =>
      existsSync(file) ? parseLog(readFileSync(file, 'utf8')) : [],
    );
  }

  #open(): void {
    this.#descriptor = openSync(this.file, 'a', 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  #append(stream: LogLine['stream'], lines: readonly string[]): void {
    if (lines.length === 0 || this.#descriptor === undefined) return;
    const at = nanoTime();
    const bytes = Buffer.from(lines.map((line) => `${at} ${stream} F ${line}\n`).join(''));
    if (this.#size > 0 && this.#size + bytes.length > ROTATE_BYTES) {
      closeSync(this.#descriptor);
      renameSync(this.file, `${this.file}.1`);
      this.#open();
    }
    writeSync(this.#descriptor, bytes);
    this.#size += bytes.length;
    for (const text of lines) this.emitter.emit('line', { at, stream, text });
  }
}

export function parseLog(text: string): LogLine[] {
  const lines: LogLine[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\S+) (stdout|stderr) F (.*)$/s.exec(line);
    if (match !== null) lines.push({ at: match[1] ?? '', stream: match[2] as LogLine['stream'], text: match[3] ?? '' });
  }
  return lines;
}

function nanoTime(): string {
  const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
  const seconds = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1);
  return `${seconds}${String(micros % 1000).padStart(3, '0')}000Z`;
}
