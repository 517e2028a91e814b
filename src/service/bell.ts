import type { Clock } from '../ports/index.ts';

/** Timers of Node that are longer than 24.8 days fire at once; whoever waits looks again after a day. */
const LONGEST_MS = 86_400_000;

/** Lets one loop wait until something happens or a time has come. Rung any number of times before that, it is heard once. */
export class Bell {
  readonly #clock: Pick<Clock, 'now' | 'delay'>;
  #isRung = false;
  #failure: { readonly error: unknown } | undefined;
  #hear: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'now' | 'delay'>) {
    this.#clock = clock;
  }

  ring(): void {
    this.#isRung = true;
    this.#hear?.();
  }

  /** With each of the changes, until the signal fires; they fail it when they fail. Never throws. */
  async ringOn(changes: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
    try {
      for await (const _change of changes) this.ring();
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  /** Whoever listens, now or later, is thrown it. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.ring();
  }

  /**
   * Resolves when it was rung since the last time, at `until` (milliseconds since the epoch; a time that is far away: after a
   * day), or with the signal. @throws what `fail` was told
   */
  async rung(until: number | undefined, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const heard = Promise.withResolvers<void>();
    this.#hear = heard.resolve;
    signal.addEventListener('abort', () => heard.resolve(), { once: true, signal: over.signal });
    if (this.#isRung || this.#failure !== undefined || signal.aborted) heard.resolve();
    else if (until !== undefined) {
      const ms = Math.min(LONGEST_MS, Math.max(0, until - this.#clock.now()));
      void this.#clock.delay(ms, over.signal).then(heard.resolve, () => undefined);
    }
    await heard.promise;
    over.abort();
    this.#isRung = false;
    this.#hear = undefined;
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
