import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeMerge,
  type Difference,
  differences,
  doesAddUp,
  insertionOrder,
  type KeyedRow,
  type MergedTable,
  totalsOf,
} from '../../src/model/index.ts';

async function* sorted(rows: ReadonlyMap<string, string>): AsyncGenerator<KeyedRow> {
  const keys = [...rows.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const key of keys) yield await Promise.resolve({ key: [key], digest: rows.get(key) ?? '' });
}

async function compared(live: ReadonlyMap<string, string>, backup: ReadonlyMap<string, string>): Promise<Difference[]> {
  return await Array.fromAsync(differences(sorted(live), sorted(backup)));
}

describe('two tables side by side', () => {
  it('tell of every row once, whatever its key', async () => {
    // Characters beyond the first plane: their bytes and their code units are in different orders.
    const keys = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 4 }),
      fc.constantFrom('\u{1F600}', '\uFFFD', '\uE000', ''),
    );
    const table = fc
      .dictionary(keys, fc.constantFrom('a', 'b'), { maxKeys: 12 })
      .map((one) => new Map(Object.entries(one)));
    await fc.assert(
      fc.asyncProperty(table, table, async (live, backup) => {
        const found = await compared(live, backup);
        const expected = [...new Set([...live.keys(), ...backup.keys()])].map((key): [string, string] => {
          if (!backup.has(key)) return [key, 'fresh'];
          if (!live.has(key)) return [key, 'returning'];
          return [key, live.get(key) === backup.get(key) ? 'same' : 'changed'];
        });
        const told = found.map(({ key, kind }): [string, string] => [key[0] ?? '', kind]);
        expect(new Map(told)).toEqual(new Map(expected));
        expect(told).toHaveLength(expected.length);
      }),
    );
  });
});

describe('the order in which tables take rows over', () => {
  it.each<[string, readonly string[], readonly [string, string][], unknown]>([
    ['nothing refers to anything', ['b', 'a'], [], { kind: 'ordered', tables: ['a', 'b'] }],
    [
      'a chain',
      ['a', 'b', 'c'],
      [
        ['a', 'b'],
        ['b', 'c'],
      ],
      { kind: 'ordered', tables: ['c', 'b', 'a'] },
    ],
    ['to itself', ['a'], [['a', 'a']], { kind: 'ordered', tables: ['a'] }],
    ['to a table that takes none', ['a'], [['a', 'x']], { kind: 'ordered', tables: ['a'] }],
    [
      'a circle',
      ['a', 'b', 'c'],
      [
        ['a', 'b'],
        ['b', 'a'],
        ['c', 'a'],
      ],
      { kind: 'circle', tables: ['a', 'b', 'c'] },
    ],
  ])('%s', (_what, tables, references, order) => {
    expect(
      insertionOrder(
        tables,
        references.map(([from, to]) => ({ from, to })),
      ),
    ).toEqual(order);
  });

  it('has every table after those that it refers to', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { minLength: 1 });
    fc.assert(
      fc.property(names, fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 12 }), (tables, pairs) => {
        // Only towards what stands earlier: no circle can be.
        const references = pairs.flatMap(([a, b]) => {
          const [from, to] = [tables[Math.max(a, b)], tables[Math.min(a, b)]];
          return from === undefined || to === undefined ? [] : [{ from, to }];
        });
        const order = insertionOrder(tables, references);
        expect(order.kind).toBe('ordered');
        expect([...order.tables].sort()).toEqual([...tables].sort());
        for (const { from, to } of references)
          if (from !== to) expect(order.tables.indexOf(to)).toBeLessThan(order.tables.indexOf(from));
      }),
    );
  });
});

describe('the sums of a table', () => {
  const table: MergedTable = {
    table: 'public.t',
    backup: 10,
    live: 12,
    same: 6,
    changed: 2,
    kept: 3,
    quarantined: 3,
    now: 13,
  };
  it('add up only when every row is accounted for', () => {
    expect(doesAddUp(table)).toBe(true);
    for (const name of ['backup', 'live', 'same', 'kept', 'quarantined', 'now'] as const)
      for (const change of [-1, 1]) expect(doesAddUp({ ...table, [name]: table[name] + change })).toBe(false);
  });
});

it('tells of each table what changed, and of the others nothing', () => {
  const same = { table: 'public.a', backup: 1, live: 1, same: 1, fresh: 0, changed: 0, returning: 0, changedKeys: [] };
  const other = { ...same, table: 'public.b', fresh: 2, changed: 2, returning: 1, changedKeys: ['7'] };
  expect(describeMerge({ tables: [same, other] })).toEqual([
    'public.b: 2 new rows are kept, 2 changed ones set aside (7, …), 1 deleted ones come back',
  ]);
  expect(totalsOf([same, other, other])).toEqual({ fresh: 4, changed: 4, returning: 2 });
});
