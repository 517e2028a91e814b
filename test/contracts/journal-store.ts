import { describe, expect, test } from 'vitest';
import { JOURNAL_FORMAT, type JournalEntry, type JournalFact, linkOf } from '../../src/journal/index.ts';
import type { JournalStore } from '../../src/ports/index.ts';

/** The next entry after `last` (none: the first). Stores look at sequence and links, not at what a fact means. */
export function nextEntry(
  run: string,
  last?: JournalEntry,
  part: Partial<JournalEntry> | JournalFact = {},
): JournalEntry {
  const sequence = (last?.sequence ?? 0) + 1;
  return {
    format: JOURNAL_FORMAT,
    ...(last === undefined ? {} : { previous: linkOf(last) }),
    run,
    stack: 'medical-kg',
    sequence,
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, sequence)).toISOString(),
    kind: 'resumed',
    by: { user: 'ada', host: 'laptop' },
    ...part,
  } as JournalEntry;
}

/** The first `count` entries of a run. */
export function entriesOf(run: string, count: number): JournalEntry[] {
  const entries: JournalEntry[] = [];
  while (entries.length < count) entries.push(nextEntry(run, entries.at(-1)));
  return entries;
}

export async function appendAll(store: JournalStore, entries: readonly JournalEntry[]): Promise<void> {
  for (const entry of entries) await store.append(entry);
}

const END: JournalFact = { kind: 'run-ended', outcome: 'succeeded' };

/** What every journal store keeps. `open` gives an empty one of its own. */
export function journalStoreContract(name: string, open: () => Promise<JournalStore>): void {
  describe(`journal store contract: ${name}`, () => {
    test(`${name} gives back what was appended, in order and whole`, async () => {
      const store = await open();
      const entries = entriesOf('r1', 2);
      const text = 'ü \u0000 \ud800 "quoted" \\ 日本 😀 \u2028';
      entries.push(
        nextEntry('r1', entries[1], { kind: 'noted', by: { user: 'ada', host: '-' }, topic: 'impact', text }),
      );
      await appendAll(store, entries);
      expect(await store.read('r1')).toEqual(entries);
      await store.close();
    });

    test(`${name} refuses a sequence that is not the next one, and stores nothing of it`, async () => {
      const store = await open();
      const [first, second] = entriesOf('r1', 2);
      await store.append(first!);
      for (const sequence of [1, 3, 7]) {
        await expect(store.append({ ...second!, sequence })).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      }
      await expect(store.append({ ...second!, run: 'r2' })).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      expect(await store.read('r1')).toHaveLength(1);
      expect(await store.read('r2')).toEqual([]);
      await store.close();
    });

    test(`${name} refuses an entry that does not follow from the last one, and stores nothing of it`, async () => {
      const store = await open();
      const [first, second] = entriesOf('r1', 2);
      await store.append(first!);
      const elsewhere = nextEntry('r1', { ...first!, time: '2026-01-01T00:00:09.000Z' });
      await expect(store.append(elsewhere)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      const { previous: _previous, ...unlinked } = second!;
      await expect(store.append(unlinked as JournalEntry)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      await store.append(second!);
      expect(await store.read('r1')).toHaveLength(2);
      await store.close();
    });

    test(`${name} lets only one of two writers of an entry succeed`, async () => {
      const store = await open();
      const [first] = entriesOf('r1', 1);
      const attempts = await Promise.allSettled([
        store.append({ ...first!, time: '2026-01-01T00:00:01.000Z' }),
        store.append({ ...first!, time: '2026-01-01T00:00:02.000Z' }),
      ]);
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const [stored] = await store.read('r1');
      const more = await Promise.allSettled(
        [3, 4, 5].map(
          async (second) => await store.append(nextEntry('r1', stored, { time: `2026-01-01T00:00:0${second}.000Z` })),
        ),
      );
      expect(more.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await store.read('r1')).toHaveLength(2);
      await store.close();
    });

    test(`${name} lists runs newest first, of one stack or of all`, async () => {
      const store = await open();
      const old = nextEntry('old', undefined, { time: '2026-01-01T00:00:00.000Z' });
      await store.append(old);
      await store.append(nextEntry('new', undefined, { time: '2026-01-03T00:00:00.000Z', stack: 'keiko' }));
      await store.append(nextEntry('mid', undefined, { time: '2026-01-02T00:00:00.000Z' }));
      await store.append(nextEntry('old', old, { time: '2026-01-09T00:00:00.000Z' }));
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

    test(`${name} goes on with a run that was begun in format 1, without links`, async () => {
      const store = await open();
      const old = nextEntry('r1', undefined, { format: 1 });
      await appendAll(store, [old, nextEntry('r1', old)]);
      expect((await store.read('r1')).map(({ format }) => format)).toEqual([1, JOURNAL_FORMAT]);
      await store.close();
    });

    followContract(name, open);
  });
}

function followContract(name: string, open: () => Promise<JournalStore>): void {
  const after = async (store: JournalStore, from: number): Promise<number[]> => {
    const seen: number[] = [];
    for await (const { sequence } of store.follow('r1', from, AbortSignal.timeout(20_000))) seen.push(sequence);
    return seen;
  };

  test(`${name} follows a run: what is stored, then each new entry, to its end`, async () => {
    const store = await open();
    const entries = entriesOf('r1', 3);
    await appendAll(store, entries.slice(0, 2));
    const stream = store.follow('r1', 1, AbortSignal.timeout(20_000))[Symbol.asyncIterator]();
    expect(await stream.next()).toMatchObject({ value: { sequence: 2 } });
    const next = stream.next();
    // Others' entries are not told.
    await store.append(nextEntry('r2'));
    await store.append(entries[2]!);
    expect(await next).toMatchObject({ value: { sequence: 3 } });
    const last = stream.next();
    await store.append(nextEntry('r1', entries[2], END));
    expect(await last).toMatchObject({ value: { sequence: 4, kind: 'run-ended' } });
    expect(await stream.next()).toMatchObject({ done: true });
    await store.close();
  });

  test(`${name} follows a run that is over to what was said after its end, and stops`, async () => {
    const store = await open();
    const entries = entriesOf('r1', 1);
    entries.push(nextEntry('r1', entries[0], END));
    entries.push(nextEntry('r1', entries[1], { kind: 'undone', byRun: 'r2', by: { user: 'ada', host: '-' } }));
    await appendAll(store, entries);
    expect(await after(store, 0)).toEqual([1, 2, 3]);
    expect(await after(store, 3)).toEqual([]);
    await store.close();
  });

  test(`${name} goes on following a run that ended mixed and was resumed`, async () => {
    const store = await open();
    const [first] = entriesOf('r1', 1);
    const mixed = nextEntry('r1', first, { kind: 'run-ended', outcome: 'mixed' });
    const resumed = nextEntry('r1', mixed);
    await appendAll(store, [first!, mixed, resumed]);
    const seen = after(store, 0);
    await store.append(nextEntry('r1', resumed, END));
    expect(await seen).toEqual([1, 2, 3, 4]);
    await store.close();
  });

  test(`${name} loses none of many entries that are written while they are followed`, async () => {
    const store = await open();
    const entries = entriesOf('r1', 60);
    entries.push(nextEntry('r1', entries.at(-1), END));
    const seen = after(store, 0);
    await appendAll(store, entries);
    expect(await seen).toEqual(entries.map(({ sequence }) => sequence));
    await store.close();
  });

  test(`${name} stops following when it is told to`, async () => {
    const store = await open();
    await store.append(nextEntry('r1'));
    const stop = new AbortController();
    const stream = store.follow('r1', 0, stop.signal)[Symbol.asyncIterator]();
    expect(await stream.next()).toMatchObject({ value: { sequence: 1 } });
    const next = stream.next();
    stop.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    await store.close();
  });
}

/** A store whose file or tables can be written past it, as by a person with the database's own tool. */
export interface Tampering {
  readonly store: JournalStore;
  /** As messages name it. */
  readonly where: string;
  setText(run: string, sequence: number, text: (stored: string) => string): Promise<void>;
  remove(run: string, sequence: number): Promise<void>;
  removeHead(run: string): Promise<void>;
  /** An entry that no head speaks of. */
  insert(entry: JournalEntry): Promise<void>;
}

type Case = [what: string, tamper: (it: Tampering) => Promise<void>, message: RegExp, entry?: number];

/** What stores that others can write to find out when they are read. */
export function tamperingContract(name: string, open: () => Promise<Tampering>): void {
  const cases: readonly Case[] = [
    ['an entry that is missing at the end', async (it) => await it.remove('r1', 5), /entry 5 of it is missing/, 5],
    ['an entry that is missing in between', async (it) => await it.remove('r1', 3), /entry 3 of it is missing/, 3],
    [
      'an entry that is missing at the beginning',
      async (it) => await it.remove('r1', 1),
      /entry 1 of it is missing/,
      1,
    ],
    [
      'every entry missing',
      async (it) => {
        for (const sequence of [1, 2, 3, 4, 5]) await it.remove('r1', sequence);
      },
      /entry 1 of it is missing/,
      1,
    ],
    ['a head that is missing', async (it) => await it.removeHead('r1'), /its head is missing/],
    ...[1, 2, 3, 4, 5].map(
      (entry): Case => [
        `a byte changed in entry ${entry}`,
        async (it) => await it.setText('r1', entry, (text) => text.replace('"ada"', '"adb"')),
        new RegExp(`entry ${entry} of it was changed`),
        entry,
      ],
    ),
    [
      'a byte that JSON would forgive',
      async (it) => await it.setText('r1', 2, (text) => text.replace('{"format"', '{ "format"')),
      /entry 2 of it was changed/,
      2,
    ],
    [
      'a changed link',
      async (it) => await it.setText('r1', 4, (text) => text.replace(/"previous":"sha256:../, '"previous":"sha256:zz')),
      /entry 4 of it was changed/,
      4,
    ],
    [
      'a last entry whose link was changed',
      async (it) => await it.setText('r1', 5, (text) => text.replace(/"previous":"sha256:../, '"previous":"sha256:zz')),
      /entry 5 of it was changed/,
      5,
    ],
    [
      'an entry of another run in its place',
      async (it) => await it.setText('r1', 5, (text) => text.replace('"run":"r1"', '"run":"r2"')),
      /entry 5 of it was changed/,
      5,
    ],
    [
      'an entry that nobody wrote',
      async (it) => await it.insert(nextEntry('r1', entriesOf('r1', 5).at(-1))),
      /entry 6 of it was not written by Backstay/,
      6,
    ],
  ];

  describe(`a journal that was tampered with: ${name}`, () => {
    test.each(cases)('finds %s, and names it', async (_what, tamper, message, entry) => {
      const it = await open();
      await appendAll(it.store, [...entriesOf('r1', 5), ...entriesOf('r2', 2)]);
      await tamper(it);
      await expect(it.store.read('r1')).rejects.toMatchObject({
        code: 'JOURNAL_BROKEN',
        message: expect.stringMatching(message),
        details: { run: 'r1', where: it.where, ...(entry === undefined ? {} : { entry }) },
      });
      // The others can still be read, and the damaged one is not hidden.
      expect(await it.store.read('r2')).toHaveLength(2);
      expect((await it.store.runs()).map(({ run }) => run).toSorted()).toEqual(['r1', 'r2']);
      await it.store.close();
    });

    test('does not go on with it', async () => {
      const it = await open();
      const entries = entriesOf('r1', 3);
      await appendAll(it.store, entries);
      await it.remove('r1', 3);
      await expect(it.store.append(nextEntry('r1', entries[1]))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      await it.store.close();
    });
  });
}
