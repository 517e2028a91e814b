import type { JournalEntry } from '../journal/index.ts';
import type { JournalStore } from '../ports/index.ts';

/** Runs whose stack is remembered; it never changes. */
const REMEMBERED = 5_000;
/** Entries; a reader who is far behind takes no more at once. */
const LONGEST_ROUND = 100;

/**
 * The journals of runs, read once for all who watch: one `follow` a run, whose entries are kept as long as anybody watches.
 * Each reader has only a place in them, so that a slow one costs nothing but itself.
 */
export class RunFeeds {
  readonly #journal: JournalStore;
  readonly #feeds = new Map<string, Feed>();
  readonly #stacks = new Map<string, string>();

  constructor(journal: JournalStore) {
    this.#journal = journal;
  }

  /** Entries with a number above `after`, as `JournalStore.follow` has them. Throws what that throws. */
  async *follow(run: string, after: number, signal: AbortSignal): AsyncGenerator<JournalEntry, void, undefined> {
    for await (const round of this.rounds(run, after, signal)) yield* round;
  }

  /** The same, as many at a time as are there; a reader who is quick enough has the very rounds that others have. */
  async *rounds(
    run: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly JournalEntry[], void, undefined> {
    const feed = this.#feedOf(run);
    feed.readers += 1;
    try {
      for (let at = after; !signal.aborted; ) {
        const round = feed.entries.slice(at, at + LONGEST_ROUND);
        if (round.length > 0) {
          at += round.length;
          yield round;
        } else if (feed.ended !== undefined) {
          if ('error' in feed.ended) throw feed.ended.error;
          return;
        } else await changed(feed, signal);
      }
    } finally {
      feed.readers -= 1;
      if (feed.readers === 0) feed.stop.abort();
    }
  }

  /** Undefined for a run that the journal does not have. */
  async stackOf(run: string): Promise<string | undefined> {
    const known = this.#stacks.get(run) ?? this.#feeds.get(run)?.entries[0]?.stack;
    if (known !== undefined) return known;
    const runs = await this.#journal.runs();
    const found = runs.find((one) => one.run === run)?.stack;
    if (found !== undefined) this.#remember(run, found);
    return found;
  }

  #remember(run: string, stack: string): void {
    this.#stacks.set(run, stack);
    const [oldest] = this.#stacks.keys();
    if (this.#stacks.size > REMEMBERED && oldest !== undefined) this.#stacks.delete(oldest);
  }

  #feedOf(run: string): Feed {
    const there = this.#feeds.get(run);
    // One that is over may go on: a mixed run that is resumed.
    if (there !== undefined && there.ended === undefined && !there.stop.signal.aborted) return there;
    const feed: Feed = {
      entries: [],
      waiting: new Set(),
      isWaking: false,
      readers: 0,
      stop: new AbortController(),
      ended: undefined,
    };
    this.#feeds.set(run, feed);
    void this.#read(run, feed);
    return feed;
  }

  async #read(run: string, feed: Feed): Promise<void> {
    try {
      for await (const entry of this.#journal.follow(run, 0, feed.stop.signal)) {
        feed.entries.push(entry);
        if (entry.sequence === 1) this.#remember(run, entry.stack);
        wakeSoon(feed);
      }
      feed.ended = {};
    } catch (error) {
      feed.ended = { error };
    }
    if (this.#feeds.get(run) === feed) this.#feeds.delete(run);
    wake(feed);
  }
}

interface Feed {
  /** From the first one on: the number of an entry is its place and one. */
  readonly entries: JournalEntry[];
  readonly waiting: Set<() => void>;
  isWaking: boolean;
  readers: number;
  readonly stop: AbortController;
  ended: { readonly error?: unknown } | undefined;
}

/** Once for all that is read in one go. */
function wakeSoon(feed: Feed): void {
  if (feed.isWaking) return;
  feed.isWaking = true;
  setImmediate(() => {
    feed.isWaking = false;
    wake(feed);
  });
}

function wake({ waiting }: Feed): void {
  for (const go of waiting) go();
}

async function changed({ waiting }: Feed, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      waiting.delete(go);
      signal.removeEventListener('abort', go);
      resolve();
    };
    waiting.add(go);
    signal.addEventListener('abort', go, { once: true });
  });
}
