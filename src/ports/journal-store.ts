import type { JournalEntry } from '../journal/entry.ts';

/**
 * Append-only, durable before `append` returns (fsync), except for events: those are with the next other entry, and until
 * then safe from a kill but not from a power cut. Errors: JOURNAL_BROKEN.
 */
export interface JournalStore {
  /** Fails when `sequence` is not the next one of its run: two writers of one run never both succeed. */
  append(entry: JournalEntry): Promise<void>;
  read(run: string): Promise<readonly JournalEntry[]>;
  /** Run ids, newest first, optionally of one stack. */
  runs(
    stack?: string,
  ): Promise<readonly { readonly run: string; readonly stack: string; readonly startedAt: string }[]>;
  close(): Promise<void>;
}
