import { linkOf } from './chain.ts';
import type { JournalEntry } from './entry.ts';
import type { Head } from './stored.ts';

export interface FollowSource {
  /** Entries behind the head that is given, proven; from the first one when none is. */
  readonly read: (after: Head | undefined) => Promise<readonly JournalEntry[]>;
  /** Resolves when something may have been stored since the last `read` began, or when the signal fired. */
  readonly changed: () => Promise<void>;
}

/**
 * Entries with a number above `after`: those that are stored, then each new one, until the run is over or the signal fires.
 * A store listens before this first reads, so that nothing falls between the two.
 */
export async function* followEntries(
  after: number,
  signal: AbortSignal,
  { read, changed }: FollowSource,
): AsyncGenerator<JournalEntry, void, undefined> {
  let head: Head | undefined;
  let isOver = false;
  while (!signal.aborted) {
    const entries = await read(head);
    for (const entry of entries) {
      isOver = isEnd(entry, isOver);
      if (signal.aborted) return;
      if (entry.sequence > after) yield entry;
    }
    const last = entries.at(-1);
    if (last !== undefined) head = { sequence: last.sequence, link: linkOf(last) };
    if (isOver) return;
    await changed();
  }
}

/** A mixed run that is resumed goes on, and so does who follows it. */
function isEnd({ kind }: JournalEntry, isOver: boolean): boolean {
  if (kind === 'run-ended' || kind === 'abandoned') return true;
  return kind === 'resumed' ? false : isOver;
}
