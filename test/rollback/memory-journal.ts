import { BackstayError } from '../../src/errors/index.ts';
import type { JournalEntry } from '../../src/journal/index.ts';
import type { JournalStore } from '../../src/ports/index.ts';

/**
 * A journal in memory, for tests of the machine. As the contract suite has it: appends only the next entry of a run,
 * keeps what JSON keeps. `begin` starts it with entries that are there already, as a cut journal.
 */
export function memoryJournal(
  begin: readonly JournalEntry[] = [],
): JournalStore & { readonly entries: JournalEntry[] } {
  const entries: JournalEntry[] = begin.map((entry) => structuredClone(entry));
  const of = (run: string): JournalEntry[] => entries.filter((entry) => entry.run === run);
  return {
    entries,
    append: async (entry) => {
      if (entry.sequence !== of(entry.run).length + 1) {
        throw new BackstayError('JOURNAL_BROKEN', `entry ${entry.sequence} is not the next one of run ${entry.run}`);
      }
      entries.push(JSON.parse(JSON.stringify(entry)) as JournalEntry);
    },
    read: async (run) => of(run),
    runs: async (stack) =>
      entries
        .filter((entry) => entry.sequence === 1 && (stack === undefined || entry.stack === stack))
        .map(({ run, stack: name, time }) => ({ run, stack: name, startedAt: time }))
        .sort((a, b) =>
          a.startedAt === b.startedAt ? b.run.localeCompare(a.run) : b.startedAt.localeCompare(a.startedAt),
        ),
    close: async () => {},
  };
}
