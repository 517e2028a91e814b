/** Keeps the last `limit` bytes of a stream of text, and says so when more went by. */
export class Tail {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #kept = 0;
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#kept += chunk.length;
    while (this.#kept > this.#limit) {
      const head = this.#chunks[0] as Buffer;
      const excess = Math.min(this.#kept - this.#limit, head.length);
      if (excess === head.length) this.#chunks.shift();
      else this.#chunks[0] = head.subarray(excess);
      this.#kept -= excess;
      this.#dropped += excess;
    }
  }

  text(): string {
    const kept = Buffer.concat(this.#chunks).toString('utf8');
    return this.#dropped === 0 ? kept : `[${this.#dropped} bytes left out]\n${kept}`;
  }
}
