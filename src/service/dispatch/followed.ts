import { isBackstayError } from '../../errors/index.ts';
import { advance, fold, type RunState } from '../../journal/index.ts';
import type { JournalStore } from '../../ports/index.ts';
import type { RunFeeds } from '../feeds.ts';

interface Deps {
  readonly journal: JournalStore;
  readonly feeds: RunFeeds;
}

interface Followed {
  state: RunState | undefined;
  readonly stop: AbortController;
}

/** The states of some runs, kept up with their journals. */
export class FollowedRuns {
  readonly #deps: Deps;
  readonly #signal: AbortSignal;
  readonly #tell: (error?: unknown) => void;
  readonly #runs = new Map<string, Followed>();

  /** `tell` is called when a run came further, and with what ends the following. */
  constructor(deps: Deps, signal: AbortSignal, tell: (error?: unknown) => void) {
    this.#deps = deps;
    this.#signal = signal;
    this.#tell = tell;
  }

  /**
   * From the first question on it is followed. Undefined: the journal has no such run, or what it has of it is damaged and
   * nobody can go on with it.
   */
  async stateOf(run: string): Promise<RunState | undefined> {
    const known = this.#runs.get(run);
    // One that had ended may have been resumed since; nobody follows it any more.
    if (known !== undefined && known.state?.ended === undefined) return known.state;
    this.readAgain(run);
    const followed = { state: await this.#read(run), stop: new AbortController() };
    this.#runs.set(run, followed);
    void this.#follow(run, followed);
    return followed.state;
  }

  /** After a fact of our own: the next question is answered with it. */
  readAgain(run: string): void {
    this.#runs.get(run)?.stop.abort();
    this.#runs.delete(run);
  }

  /** Those that are not named are followed no more. */
  keep(runs: ReadonlySet<string>): void {
    for (const run of this.#runs.keys()) if (!runs.has(run)) this.readAgain(run);
  }

  async #read(run: string): Promise<RunState | undefined> {
    try {
      const entries = await this.#deps.journal.read(run);
      return entries.length === 0 ? undefined : fold(entries);
    } catch (error) {
      if (isBackstayError(error, 'JOURNAL_BROKEN')) return undefined;
      throw error;
    }
  }

  async #follow(run: string, followed: Followed): Promise<void> {
    const signal = AbortSignal.any([this.#signal, followed.stop.signal]);
    try {
      for await (const entry of this.#deps.feeds.follow(run, followed.state?.sequence ?? 0, signal)) {
        followed.state = advance(followed.state, entry);
        // Events tell people what the facts around them say as well.
        if (entry.kind !== 'event') this.#tell();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isBackstayError(error, 'JOURNAL_BROKEN')) followed.state = undefined;
      else this.#tell(error);
    }
  }
}
