import type { Clock } from '../../ports/index.ts';

/** Timers of Node that are longer than 24.8 days fire at once; whoever waits looks again after a day. */
const LONGEST_MS = 86_400_000;

/** Lets one loop sleep until something happens or a time has come. What happens while it is awake is not lost. */
export class Waker {
  readonly #clock: Clock;
  #isTold = false;
  #tell: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#isTold = true;
    this.#tell?.();
  }

  /** Returns when `wake` was called since the last return, at `until` (milliseconds since the epoch), or with the signal. */
  async sleep(until: number | undefined, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const told = new Promise<void>((resolve) => {
      this.#tell = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true, signal: over.signal });
    });
    try {
      if (this.#isTold || signal.aborted) return;
      const ms = until === undefined ? undefined : Math.min(LONGEST_MS, Math.max(0, until - this.#clock.now()));
      await (ms === undefined ? told : Promise.race([told, this.#clock.delay(ms, over.signal).catch(() => undefined)]));
    } finally {
      this.#isTold = false;
      this.#tell = undefined;
      over.abort();
    }
  }
}
