import type { JournalEntry } from '../journal/entry.ts';

/**
 * Append-only, durable before `append` returns, except for events: an embedded store may flush those with the next other
 * entry, and until then they are safe from a kill but not from a power cut. Texts are kept byte for byte.
 * Errors: JOURNAL_BROKEN (run, entry and place named), and where the store is a server JOURNAL_UNREACHABLE, or JOURNAL_LOST
 * when it was a run's next entry that could not be stored.
 */
export interface JournalStore {
  /**
   * Fails when `sequence` is not the next one of its run, or `previous` is not the link of the last one: two writers of one
   * run never both succeed.
   */
  append(entry: JournalEntry): Promise<void>;
  /** All entries of a run, proven against their chain and the store's own head; none for a run that is not known. */
  read(run: string): Promise<readonly JournalEntry[]>;
  /**
   * Entries with a number above `after` (0: all): those that are stored, then each new one as it is committed, by whatever
   * process or machine. Ends when the run is over, and when the signal fires.
   */
  follow(run: string, after: number, signal: AbortSignal): AsyncIterable<JournalEntry>;
  /** Run ids, newest first, optionally of one stack. Also those that are damaged. */
  runs(
    stack?: string,
  ): Promise<readonly { readonly run: string; readonly stack: string; readonly startedAt: string }[]>;
  close(): Promise<void>;
}
