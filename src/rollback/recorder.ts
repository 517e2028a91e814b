import {
  advance,
  JOURNAL_FORMAT,
  JOURNAL_REVISION,
  type JournalEntry,
  type JournalFact,
  type RunState,
} from '../journal/index.ts';
import type { RunEvent, RunEventBody } from '../model/index.ts';
import type { Clock, JournalStore, Reporter } from '../ports/index.ts';

/**
 * Writes a run's journal and tells its events, one entry at a time and in order. The state is always the fold of what was
 * stored: nothing is decided on a fact that a crash could take back.
 */
export class Recorder {
  readonly #journal: JournalStore;
  readonly #clock: Clock;
  readonly #reporter: Reporter;
  readonly #run: string;
  readonly #stack: string;
  #state: RunState | undefined;
  #queue: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(options: {
    readonly journal: JournalStore;
    readonly clock: Clock;
    readonly reporter: Reporter;
    readonly run: string;
    readonly stack: string;
    readonly state?: RunState;
  }) {
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#reporter = options.reporter;
    this.#run = options.run;
    this.#stack = options.stack;
    this.#state = options.state;
  }

  get state(): RunState {
    if (this.#state === undefined) throw new TypeError('a recorder has no state before its first fact');
    return this.#state;
  }

  /** Resolves once the fact is durable. */
  async append(fact: JournalFact): Promise<void> {
    await this.#enqueue(async () => await this.#store(fact));
  }

  /** Tells an event in order; `settled` waits for it. A failing journal surfaces at the next fact. */
  emit(event: RunEventBody): void {
    this.#enqueue(async () => {
      const stamped = {
        ...event,
        run: this.#run,
        stack: this.#stack,
        sequence: (this.#state?.eventSequence ?? 0) + 1,
        time: this.#now(),
      } as RunEvent;
      await this.#store({ kind: 'event', event: stamped });
      this.#reporter.report(stamped);
    }).catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  async settled(): Promise<void> {
    await this.#queue;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #enqueue(act: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(async () => {
      if (this.#failure !== undefined) throw this.#failure.error;
      await act();
    });
    this.#queue = turn.catch(() => {});
    await turn;
  }

  async #store(fact: JournalFact): Promise<void> {
    const entry = {
      format: JOURNAL_FORMAT,
      ...(JOURNAL_REVISION > 0 ? { revision: JOURNAL_REVISION } : {}),
      ...(this.#state === undefined ? {} : { previous: this.#state.head }),
      run: this.#run,
      stack: this.#stack,
      sequence: (this.#state?.sequence ?? 0) + 1,
      time: this.#now(),
      ...fact,
    } as JournalEntry;
    // Folded first: an entry that the fold refuses must never be stored.
    const next = advance(this.#state, entry);
    await this.#journal.append(entry);
    this.#state = next;
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}
