import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/model/index.ts';
import type { JournalStore, ServiceRecord, ServiceStore } from '../../src/ports/index.ts';
import { nextEntry } from './journal-store.ts';

/** Where one store's records are: several can be opened on them, as by several processes or machines. */
export interface RecordsPlace {
  open(): Promise<ServiceStore>;
  journal(): Promise<JournalStore>;
}

/** What every store of records keeps. `newPlace` gives an empty one of its own. */
export function serviceStoreContract(name: string, newPlace: () => Promise<RecordsPlace>): void {
  /** With one store, which is closed afterwards. */
  const withStore = async (work: (store: ServiceStore, place: RecordsPlace) => Promise<void>): Promise<void> => {
    const place = await newPlace();
    const store = await place.open();
    try {
      await work(store, place);
    } finally {
      await store.close();
    }
  };

  describe(`service store contract: ${name}`, () => {
    test(`${name} makes a record once, and gives back what was written`, async () =>
      await withStore(async (store) => {
        const value: Json = { text: 'ü \u0000 "quoted" 日本 😀', list: [1, 1.5, -0.25, null, true], empty: {} };
        const made = await store.put('plan', 'a/b c', 0, value);
        expect(made).toEqual({ kind: 'plan', key: 'a/b c', version: 1, value, at: expect.any(String) });
        expect(made?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(Math.abs(Date.now() - Date.parse(made?.at ?? ''))).toBeLessThan(60_000);
        expect(await store.get('plan', 'a/b c')).toEqual(made);
        expect(await store.put('plan', 'a/b c', 0, 'other')).toBeUndefined();
        expect(await store.get('plan', 'a/b c')).toEqual(made);
        expect(await store.get('alert', 'a/b c')).toBeUndefined();
      }));

    test(`${name} changes a record only for whoever saw its last version`, async () =>
      await withStore(async (store) => {
        expect(await store.put('claim', 'r1', 1, 'x')).toBeUndefined();
        await store.put('claim', 'r1', 0, 'one');
        expect(await store.put('claim', 'r1', 1, 'two')).toMatchObject({ version: 2, value: 'two' });
        expect(await store.put('claim', 'r1', 1, 'three')).toBeUndefined();
        expect(await store.put('claim', 'r1', 3, 'three')).toBeUndefined();
        expect(await store.get('claim', 'r1')).toMatchObject({ version: 2, value: 'two' });
      }));

    test(`${name} removes a record only in the version that is given, and says whether it was there`, async () =>
      await withStore(async (store) => {
        await store.put('claim', 'r1', 0, 1);
        await store.put('claim', 'r1', 1, 2);
        expect(await store.remove('claim', 'r1', 1)).toBe(false);
        expect(await store.remove('claim', 'r1', 2)).toBe(true);
        expect(await store.remove('claim', 'r1', 0)).toBe(false);
        expect(await store.get('claim', 'r1')).toBeUndefined();
        expect(await store.list('claim')).toEqual([]);
        expect(await store.put('claim', 'r1', 2, 3)).toBeUndefined();
        await store.put('claim', 'r2', 0, 1);
        expect(await store.remove('claim', 'r2', 0)).toBe(true);
      }));

    test(`${name} does not let a record that was made again be taken for the one before it`, async () =>
      await withStore(async (store) => {
        const seen = await store.put('claim', 'r1', 0, 'mine');
        await store.remove('claim', 'r1', 0);
        const theirs = await store.put('claim', 'r1', 0, 'theirs');
        expect(theirs?.version).toBeGreaterThan(seen?.version ?? 0);
        expect(await store.put('claim', 'r1', seen?.version ?? 0, 'mine again')).toBeUndefined();
        expect(await store.remove('claim', 'r1', seen?.version ?? 0)).toBe(false);
        expect(await store.get('claim', 'r1')).toEqual(theirs);
      }));

    test(`${name} lets exactly one of two writers win, each time`, async () =>
      await withStore(async (one, place) => {
        const two = await place.open();
        let version = 0;
        for (let round = 0; round < 20; round++) {
          const writes = await Promise.all(
            [one, two, one, two].map(
              async (store, writer) => await store.put('claim', 'r1', version, { round, writer }),
            ),
          );
          const won = writes.filter((written) => written !== undefined);
          expect(won).toHaveLength(1);
          expect(await one.get('claim', 'r1')).toEqual(won[0]);
          expect(await two.get('claim', 'r1')).toEqual(won[0]);
          version = won[0]?.version ?? 0;
        }
        expect(version).toBe(20);
        const removals = await Promise.all(
          [one, two, one].map(async (store) => await store.remove('claim', 'r1', version)),
        );
        expect(removals.filter(Boolean)).toHaveLength(1);
        await two.close();
      }));

    test(`${name} lists by key as bytes sort, in pages, from either end`, async () =>
      await withStore(async (store) => {
        const keys = ['a', 'A', 'a/1', 'a/10', 'a/2', 'a0', 'b', 'ä', 'é/1', '😀', 'z', '_', '%', 'a%', 'a_'];
        for (const key of keys) await store.put('delivery', key, 0, key);
        await store.put('alert', 'a/3', 0, 'of another kind');
        const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        const keysOf = (records: readonly ServiceRecord[]): readonly string[] => records.map(({ key }) => key);
        expect(keysOf(await store.list('delivery'))).toEqual(sorted);
        expect(keysOf(await store.list('delivery', { newestFirst: true }))).toEqual(sorted.toReversed());
        expect(keysOf(await store.list('delivery', { prefix: 'a/' }))).toEqual(['a/1', 'a/10', 'a/2']);
        expect(keysOf(await store.list('delivery', { prefix: 'a%' }))).toEqual(['a%']);
        expect(keysOf(await store.list('delivery', { prefix: 'a/', newestFirst: true, limit: 2 }))).toEqual([
          'a/2',
          'a/10',
        ]);
        for (const newestFirst of [false, true]) {
          const pages: string[] = [];
          for (let after: string | undefined; ; ) {
            const page = keysOf(
              await store.list('delivery', { limit: 4, newestFirst, ...(after === undefined ? {} : { after }) }),
            );
            expect(page.length).toBeLessThanOrEqual(4);
            if (page.length === 0) break;
            pages.push(...page);
            after = page.at(-1);
          }
          expect(pages).toEqual(newestFirst ? sorted.toReversed() : sorted);
        }
        expect(await store.list('delivery', { limit: 0 })).toEqual([]);
        expect(await store.list('delivery', { after: '😀' })).toEqual([]);
      }));

    test(`${name} refuses a key of more than a thousand bytes`, async () =>
      await withStore(async (store) => {
        await expect(store.put('alert', 'é'.repeat(501), 0, 1)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
        expect(await store.list('alert')).toEqual([]);
      }));

    test(
      `${name} agrees with a map, whatever is asked of it`,
      async () => await withStore(async (store) => expect(await agreesWithMap(store)).toBeGreaterThan(20)),
      60_000,
    );

    test(`${name} keeps records over a close`, async () => {
      const place = await newPlace();
      const first = await place.open();
      const made = await first.put('token', 't', 0, { hash: 'h' });
      await first.close();
      const again = await place.open();
      expect(await again.get('token', 't')).toEqual(made);
      await again.close();
    });

    followContract(name, withStore);
    changesContract(name, withStore);
  });
}

type WithStore = (work: (store: ServiceStore, place: RecordsPlace) => Promise<void>) => Promise<void>;

/** Random writes and removals of two keys, each with the version that a map says, or with another; how many they were. */
async function agreesWithMap(store: ServiceStore): Promise<number> {
  let asked = 0;
  const step = fc.record({
    key: fc.constantFrom('x', 'y'),
    off: fc.constantFrom(0, 0, 0, 1, -1),
    value: fc.integer(),
    does: fc.constantFrom('put', 'put', 'remove', 'remove-any'),
  });
  const model = new Map<string, { version: number; value: Json }>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      asked += steps.length;
      for (const { key, off, value, does } of steps) {
        const there = model.get(key);
        const expected = Math.max(0, (there?.version ?? 0) + off);
        if (does === 'put') {
          const written = await store.put('schedule', key, expected, value);
          expect(written !== undefined).toBe(expected === (there?.version ?? 0));
          if (written === undefined) continue;
          if (there !== undefined) expect(written.version).toBe(there.version + 1);
          model.set(key, { version: written.version, value });
        } else {
          const any = does === 'remove-any';
          const removed = await store.remove('schedule', key, any ? 0 : expected);
          expect(removed).toBe(there !== undefined && (any || expected === 0 || expected === there.version));
          if (removed) model.delete(key);
        }
      }
      const listed = (await store.list('schedule')).map(
        ({ key, version, value }) => [key, { version, value }] as const,
      );
      expect(new Map(listed)).toEqual(model);
    }),
    { numRuns: 20 },
  );
  return asked;
}

interface Seen {
  readonly key: string;
  readonly value?: Json;
}

/** Collects what a store tells until it has told `last`. */
async function until(
  told: AsyncIterable<{ readonly key: string; readonly record?: ServiceRecord }>,
  last: string,
): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  for await (const { key, record } of told) {
    seen.push({ key, ...(record === undefined ? {} : { value: record.value }) });
    if (key === last) return seen;
  }
  return seen;
}

const limit = (): AbortSignal => AbortSignal.timeout(60_000);

function followContract(name: string, withStore: WithStore): void {
  test(
    `${name} tells of every record as another writes it, and of nothing that was there`,
    async () =>
      await withStore(async (store, place) => {
        const other = await place.open();
        await other.put('proposal', 'old', 0, 'old');
        const told = until(store.follow('proposal', limit()), 'last');
        // Of what others write, a store follows what comes after its own first look: that one is over with this answer.
        await store.get('proposal', 'old');
        await other.put('proposal', 'new', 0, 1);
        await other.put('alert', 'unasked', 0, 1);
        await other.put('proposal', 'old', 1, 'changed');
        await other.put('proposal', 'last', 0, 1);
        expect(await told).toEqual([
          { key: 'new', value: 1 },
          { key: 'old', value: 'changed' },
          { key: 'last', value: 1 },
        ]);
        await other.close();
      }),
    90_000,
  );

  test(
    `${name} tells of its own writes, from the moment it is asked, and of removals`,
    async () =>
      await withStore(async (store) => {
        await store.put('proposal', 'gone', 0, 1);
        await store.put('proposal', 'long-gone', 0, 1);
        await store.remove('proposal', 'long-gone', 0);
        const following = store.follow('proposal', limit());
        // Nobody has asked for the first one yet.
        await store.remove('proposal', 'gone', 0);
        await store.put('proposal', 'last', 0, 2);
        expect(await until(following, 'last')).toEqual([{ key: 'gone' }, { key: 'last', value: 2 }]);
      }),
    90_000,
  );

  test(
    `${name} loses none of many writes of two writers`,
    async () =>
      await withStore(async (store, place) => {
        const writers = [await place.open(), await place.open()];
        const stop = new AbortController();
        const seen = new Map<string, Json | undefined>();
        const following = (async () => {
          for await (const { key, record } of store.follow('delivery', AbortSignal.any([stop.signal, limit()]))) {
            seen.set(key, record?.value);
            if (seen.size === 80 && [...seen.values()].every((value) => value === 'done')) return;
          }
        })();
        // Its first look is over.
        await store.get('delivery', '0/0');
        await Promise.all(
          writers.map(async (writer, who) => {
            for (let i = 0; i < 40; i++) {
              const key = `${who}/${i}`;
              await writer.put('delivery', key, 0, 'owed');
              await writer.put('delivery', key, 1, 'done');
              // So that the reader has its turn in between, where a store does its work without waiting.
              await setImmediate();
            }
          }),
        );
        await following;
        expect([...seen.values()]).toEqual(Array.from({ length: 80 }, () => 'done'));
        await Promise.all(writers.map(async (writer) => await writer.close()));
      }),
    90_000,
  );

  test(
    `${name} tells a long key, and one with blanks, as they are`,
    async () =>
      await withStore(async (store) => {
        const keys = ['a b c', 'x'.repeat(1_000), '日'.repeat(333)];
        const told = until(store.follow('alert', limit()), 'last');
        for (const key of keys) await store.put('alert', key, 0, 1);
        await store.put('alert', 'last', 0, 1);
        expect((await told).map(({ key }) => key)).toEqual([...keys, 'last']);
      }),
    90_000,
  );

  test(
    `${name} stops following at the signal, and when it is closed`,
    async () =>
      await withStore(async (store) => {
        const stop = new AbortController();
        const stopped = until(store.follow('alert', stop.signal), 'last');
        const closed = until(store.follow('alert', limit()), 'last');
        const ticks = (async () => {
          for await (const { run } of store.changes(limit())) expect(run).toBeUndefined();
        })();
        await store.put('alert', 'a', 0, 1);
        stop.abort();
        await stopped;
        await store.close();
        await Promise.all([closed, ticks]);
      }),
    90_000,
  );
}

function changesContract(name: string, withStore: WithStore): void {
  test(
    `${name} ticks at once, and for every run to which an entry was added`,
    async () =>
      await withStore(async (store, place) => {
        const journal = await place.journal();
        const first = nextEntry('r1');
        await journal.append(first);
        const ticks = store.changes(limit())[Symbol.asyncIterator]();
        expect(await ticks.next()).toEqual({ done: false, value: {} });
        const untilRun = async (run: string): Promise<void> => {
          for (;;) {
            const { done, value } = await ticks.next();
            expect(done).toBe(false);
            if (value?.run === run) return;
          }
        };
        await journal.append(nextEntry('r2'));
        await untilRun('r2');
        await journal.append(nextEntry('r1', first));
        await untilRun('r1');
        await ticks.return?.(undefined);
        await journal.close();
      }),
    90_000,
  );
}
