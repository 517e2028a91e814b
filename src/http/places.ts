import { BackstayError } from '../errors/index.ts';

/** Seconds. Whoever closes a stream is heard of at once, and one that nobody takes from is cut off after thirty. */
const RETRY_S = 10;

/** Who has how many streams open. In memory: each service counts those that it holds itself. */
export class StreamPlaces {
  readonly #open = new Map<string, number>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes one; what it returns gives it back, once however often it is called. @throws REQUESTS_TOO_MANY */
  take(who: string): () => void {
    const open = this.#open.get(who) ?? 0;
    if (open >= this.#most)
      throw new BackstayError('REQUESTS_TOO_MANY', `${open} streams of events are open already.`, {
        next: 'Close those that nobody reads, or wait as long as Retry-After says.',
        details: { retryAfterS: RETRY_S, streams: open },
      });
    this.#open.set(who, open + 1);
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      const left = (this.#open.get(who) ?? 1) - 1;
      if (left === 0) this.#open.delete(who);
      else this.#open.set(who, left);
    };
  }
}
