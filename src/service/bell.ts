import type { Clock } from '../ports/index.ts';

/** Rung any number of times before anybody listens, it is heard once; by the signal for the last time. */
export class Bell {
  #isRung = false;
  #failure: { readonly error: unknown } | undefined;
  #hear: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.ring(), { once: true });
  }

  ring(): void {
    this.#isRung = true;
    this.#hear?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.ring();
  }

  /** Resolves when it was rung since the last time, or after so many milliseconds. @throws what `fail` was told */
  async rung(limitMs: number | undefined, clock: Pick<Clock, 'delay'>): Promise<void> {
    const timer = new AbortController();
    if (!this.#isRung) {
      const heard = Promise.withResolvers<void>();
      this.#hear = heard.resolve;
      if (limitMs !== undefined) void clock.delay(limitMs, timer.signal).then(heard.resolve, () => undefined);
      await heard.promise;
    }
    timer.abort();
    this.#isRung = false;
    this.#hear = undefined;
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
