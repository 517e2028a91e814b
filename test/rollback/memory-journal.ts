import { BackstayError } from '../../src/errors/index.ts';
import { followEntries, type JournalEntry, linkOf } from '../../src/journal/index.ts';
import type { JournalStore } from '../../src/ports/index.ts';

/**
 * A journal in memory, for tests of the machine. As the contract suite has it: appends only the next entry of a run,
 * keeps what JSON keeps. `begin` starts it with entries that are there already, as a cut journal.
 */
export function memoryJournal(
  begin: readonly JournalEntry[] = [],
): JournalStore & { readonly entries: JournalEntry[] } {
  const entries: JournalEntry[] = begin.map((entry) => structuredClone(entry));
  const listeners = new Set<() => void>();
  const of = (run: string): JournalEntry[] => entries.filter((entry) => entry.run === run);
  return {
    entries,
    append: async (entry) => {
      const last = of(entry.run).at(-1);
      const isNext = entry.sequence === (last?.sequence ?? 0) + 1;
      if (!isNext || (last !== undefined && entry.previous !== linkOf(last))) {
        throw new BackstayError('JOURNAL_BROKEN', `entry ${entry.sequence} is not the next one of run ${entry.run}`);
      }
      entries.push(JSON.parse(JSON.stringify(entry)) as JournalEntry);
      for (const tell of listeners) tell();
    },
    read: async (run) => of(run),
    follow: async function* (run, after, signal) {
      let told = Promise.withResolvers<void>();
      const tell = (): void => told.resolve();
      listeners.add(tell);
      signal.addEventListener('abort', tell);
      try {
        yield* followEntries(after, signal, {
          read: async (head) => {
            told = Promise.withResolvers<void>();
            return of(run).slice(head?.sequence ?? 0);
          },
          changed: async () => await told.promise,
        });
      } finally {
        listeners.delete(tell);
        signal.removeEventListener('abort', tell);
      }
    },
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
