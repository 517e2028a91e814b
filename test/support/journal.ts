import { JOURNAL_FORMAT, type JournalEntry, type JournalFact, linkOf } from '../../src/journal/index.ts';

/** A run's entries as a recorder would have written them: numbered, one second apart, each linked to the one before. */
export function journalOf(facts: readonly JournalFact[], run = 'r1'): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const [i, fact] of facts.entries()) {
    const last = entries.at(-1);
    entries.push({
      format: JOURNAL_FORMAT,
      ...(last === undefined ? {} : { previous: linkOf(last) }),
      run,
      stack: 'medical-kg',
      sequence: i + 1,
      time: new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString(),
      ...fact,
    });
  }
  return entries;
}
