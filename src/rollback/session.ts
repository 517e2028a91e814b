import { BackstayError } from '../errors/index.ts';
import type { HeldLock } from '../ports/index.ts';
import type { RunDeps } from './deps.ts';

interface SessionOptions {
  readonly run: string;
  readonly deps: Pick<RunDeps, 'lock' | 'journalName' | 'by'>;
  readonly abort?: AbortSignal;
}

/** The lease and the ways to be told to stop, for as long as this process works on the run. */
export class Session {
  readonly #options: SessionOptions;
  readonly #broken = new AbortController();
  readonly signal: AbortSignal;
  #held: HeldLock | undefined;
  #lost: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.signal = AbortSignal.any([this.#broken.signal, ...(options.abort === undefined ? [] : [options.abort])]);
  }

  get leaseLost(): string | undefined {
    return this.#lost;
  }

  /** What the lease step sees: acquiring what this session holds already gives the same lease. */
  get lock(): RunDeps['lock'] {
    return { acquire: async (stack) => await this.acquire(stack) };
  }

  async acquire(stack: string): Promise<HeldLock> {
    if (this.#held !== undefined) return this.#held;
    const { deps, run } = this.#options;
    const held = await deps.lock.acquire(stack, { run, journal: deps.journalName, ...deps.by });
    this.#held = held;
    const lost = (): void => this.loseLease('the lease was taken by another run, or could not be renewed in time');
    if (held.lost.aborted) lost();
    else held.lost.addEventListener('abort', lost, { once: true });
    return held;
  }

  loseLease(reason: string): void {
    this.#lost ??= reason;
    this.#broken.abort(new BackstayError('LEASE_LOST', this.#lost));
  }

  /** Before every effect (rule 4). @throws LEASE_LOST */
  async assertHeld(): Promise<void> {
    if (this.#lost !== undefined) throw new BackstayError('LEASE_LOST', this.#lost);
    if (this.#held === undefined)
      throw new BackstayError('LEASE_LOST', 'there is no lease: the run has not taken it yet');
    await this.#held.assertHeld();
  }

  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || this.#lost !== undefined) return;
    // A lease that cannot be given back runs out by itself; the run's outcome is stored and stands.
    await held.release().catch(() => {});
  }
}
