import { describe, expect, test } from 'vitest';
import { JOURNAL_FORMAT, type JournalEntry } from '../../src/journal/index.ts';
import type { JournalStore } from '../../src/ports/index.ts';

export function resumedEntry(run: string, sequence: number, part: Partial<JournalEntry> = {}): JournalEntry {
  return {
    format: JOURNAL_FORMAT,
    run,
    stack: 'medical-kg',
    sequence,
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, sequence)).toISOString(),
    kind: 'resumed',
    by: { user: 'ada', host: 'laptop' },
    ...part,
  } as JournalEntry;
}

/** What every journal store keeps. `open` gives an empty one of its own. */
export function journalStoreContract(name: string, open: () => Promise<JournalStore>): void {
  describe(`journal store contract: ${name}`, () => {
    test(`${name} gives back what was appended, in order and whole`, async () => {
      const store = await open();
      const entries = [1, 2, 3].map((sequence) => resumedEntry('r1', sequence));
      for (const entry of entries) await store.append(entry);
      expect(await store.read('r1')).toEqual(entries);
      await store.close();
    });

    test(`${name} refuses a sequence that is not the next one, and stores nothing of it`, async () => {
      const store = await open();
      await store.append(resumedEntry('r1', 1));
      for (const wrong of [1, 3, 7]) {
        await expect(store.append(resumedEntry('r1', wrong))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      }
      await expect(store.append(resumedEntry('r2', 2))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      expect(await store.read('r1')).toHaveLength(1);
      expect(await store.read('r2')).toEqual([]);
      await store.close();
    });

    test(`${name} lets only one of two writers of an entry succeed`, async () => {
      const store = await open();
      const attempts = await Promise.allSettled([
        store.append(resumedEntry('r1', 1, { time: '2026-01-01T00:00:01.000Z' })),
        store.append(resumedEntry('r1', 1, { time: '2026-01-01T00:00:02.000Z' })),
      ]);
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await store.read('r1')).toHaveLength(1);
      await store.close();
    });

    test(`${name} lists runs newest first, of one stack or of all`, async () => {
      const store = await open();
      await store.append(resumedEntry('old', 1, { time: '2026-01-01T00:00:00.000Z' }));
      await store.append(resumedEntry('new', 1, { time: '2026-01-03T00:00:00.000Z', stack: 'keiko' }));
      await store.append(resumedEntry('mid', 1, { time: '2026-01-02T00:00:00.000Z' }));
      await store.append(resumedEntry('old', 2, { time: '2026-01-09T00:00:00.000Z' }));
      expect((await store.runs()).map(({ run }) => run)).toEqual(['new', 'mid', 'old']);
      expect(await store.runs('medical-kg')).toEqual([
        { run: 'mid', stack: 'medical-kg', startedAt: '2026-01-02T00:00:00.000Z' },
        { run: 'old', stack: 'medical-kg', startedAt: '2026-01-01T00:00:00.000Z' },
      ]);
      await store.close();
    });

    test(`${name} has nothing to say about a run that it does not know`, async () => {
      const store = await open();
      expect(await store.read('nobody')).toEqual([]);
      expect(await store.runs()).toEqual([]);
      await store.close();
    });
  });
}
