import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { JournalFact } from '../journal/index.ts';
import type { Phase } from '../model/index.ts';
import type { HeldLock, UnfinishedRun } from '../ports/index.ts';
import type { RunDeps } from './deps.ts';
import type { Recorder } from './recorder.ts';
import { type Abandon, admit } from './unfinished.ts';

interface SessionOptions {
  readonly run: string;
  readonly deps: Pick<RunDeps, 'lock' | 'journal' | 'journalName' | 'by' | 'clock'>;
  readonly abort?: AbortSignal;
  readonly abandon?: Abandon;
  /** Where the run is. */
  readonly phase?: Phase;
}

/** The lease and the ways to be told to stop, for as long as this process works on the run. */
export class Session {
  readonly #options: SessionOptions;
  readonly #broken = new AbortController();
  readonly signal: AbortSignal;
  #held: HeldLock | undefined;
  #lost: string | undefined;
  #phase: Phase | undefined;
  #recorder: Recorder | undefined;
  /** The lease is ours, and the journal does not say so yet. */
  #untold: Extract<JournalFact, { kind: 'lease-taken' }> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#phase = options.phase;
    this.signal = AbortSignal.any([this.#broken.signal, ...(options.abort === undefined ? [] : [options.abort])]);
  }

  get leaseLost(): string | undefined {
    return this.#lost;
  }

  /** What the lease step sees: acquiring what this session holds already gives the same lease. */
  get lock(): RunDeps['lock'] {
    return { acquire: async (stack) => await this.acquire(stack) };
  }

  /** From here on every lease is journaled as it is taken, and one that was taken before is now. */
  async journalTo(recorder: Recorder): Promise<void> {
    this.#recorder = recorder;
    await this.#tell();
  }

  /** @throws LEASE_HELD, STACK_UNFINISHED */
  async acquire(stack: string): Promise<HeldLock> {
    if (this.#held !== undefined) return this.#held;
    const { deps, run, abandon } = this.#options;
    const phase = this.#phase === undefined ? {} : { phase: this.#phase };
    let abandoned: UnfinishedRun | undefined;
    const held = await deps.lock.acquire(
      stack,
      { run, journal: deps.journalName, ...deps.by, ...phase },
      async (left) => {
        abandoned = await admit(left, { stack, run, by: deps.by, ...(abandon === undefined ? {} : { abandon }) }, deps);
      },
    );
    this.#held = held;
    this.#untold = {
      kind: 'lease-taken',
      token: held.token,
      ...held.takeover,
      ...(abandoned === undefined ? {} : { abandoned }),
    };
    const lost = (): void => this.loseLease('the lease was taken by another run, or could not be renewed in time');
    if (held.lost.aborted) lost();
    else held.lost.addEventListener('abort', lost, { once: true });
    await this.#tell();
    return held;
  }

  /** Tells others where the run is; never waits. */
  enter(phase: Phase): void {
    this.#phase = phase;
    this.#held?.enter(phase);
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

  /** A journal in which somebody else goes on is not damaged: the run is theirs now. */
  async explain(error: unknown): Promise<unknown> {
    if (!isBackstayError(error, 'JOURNAL_BROKEN') || this.#held === undefined) return error;
    const { run } = this.#options;
    try {
      await this.#held.assertHeld();
      return error;
    } catch (why) {
      if (!isBackstayError(why, 'LEASE_LOST')) return error;
      this.loseLease(why.message);
      return new BackstayError('LEASE_LOST', `Another process goes on with run ${run}; this one stopped.`, {
        next: 'Run `backstay history` to see how it goes.',
        cause: error,
        details: { run },
      });
    }
  }

  /** `unfinished` leaves word on the lease that this run has something left to do. */
  async release(unfinished: boolean): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || this.#lost !== undefined) return;
    // A lease that cannot be given back runs out by itself; the run's outcome is stored and stands.
    await held.release(unfinished).catch(() => {});
  }

  async #tell(): Promise<void> {
    const [recorder, fact] = [this.#recorder, this.#untold];
    if (recorder === undefined || fact === undefined) return;
    this.#untold = undefined;
    await recorder.append(fact);
    const { from, reason, abandoned } = fact;
    if (abandoned !== undefined) {
      const message = `gave up run ${abandoned.run} of ${abandoned.user} on ${abandoned.host}`;
      recorder.emit({ type: 'run.message', level: 'warn', message });
    } else if (from !== undefined && from.run !== recorder.state.run && reason !== 'released') {
      const message = `took the stack over from run ${from.run} of ${from.user} on ${from.host}: ${reason ?? ''}`;
      recorder.emit({ type: 'run.message', level: 'warn', message });
    }
  }
}
