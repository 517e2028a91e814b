import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, isLossless, type StoreShape } from '../../src/model/index.ts';
import { isAccepted, lossBetween, lossInWords } from '../../src/plan/index.ts';

type Table = StoreShape['tables'][string];

function table(rows: number, columns: Readonly<Record<string, number | readonly [number, string]>>): Table {
  return {
    rows,
    columns: Object.fromEntries(
      Object.entries(columns).map(([name, given]) => {
        const [filled, type] = typeof given === 'number' ? [given, 'text'] : given;
        return [name, { type, nullable: true, filled }];
      }),
    ),
  };
}

const shape = (tables: Readonly<Record<string, Table>>): StoreShape => ({
  tables,
  schema: digestOf(Object.keys(tables)),
});
const between = (before: Readonly<Record<string, Table>>, after: Readonly<Record<string, Table>>, ownTable?: string) =>
  lossBetween({
    store: 'main',
    way: digestOf('way'),
    before: shape(before),
    after: shape(after),
    ...(ownTable === undefined ? {} : { ownTable }),
  });

const PAGES = table(10, { id: 10, notes: 4, draft: 0 });

describe('what a migration takes away', () => {
  it.each<[string, Readonly<Record<string, Table>>, string | undefined]>([
    ['nothing', { pages: PAGES }, undefined],
    ['an empty column', { pages: table(10, { id: 10, notes: 4 }) }, undefined],
    ['a column that came', { pages: table(10, { id: 10, notes: 4, draft: 0, more: 10 }) }, undefined],
    ['a column with values', { pages: table(10, { id: 10, draft: 0 }) }, 'pages.notes (4 values)'],
    ['a table', {}, 'pages (10 rows)'],
    [
      'another type',
      { pages: table(10, { id: 10, notes: [4, 'integer'], draft: 0 }) },
      'pages.notes (4 values, text → integer)',
    ],
    ['values set to nothing', { pages: table(10, { id: 10, notes: 1, draft: 0 }) }, 'pages.notes (3 values, emptied)'],
    ['rows', { pages: table(7, { id: 7, notes: 4, draft: 0 }) }, 'pages (10 rows before, 7 after)'],
  ])('%s', (_what, after, said) => {
    expect(lossInWords(between({ pages: PAGES }, after))).toBe(said);
    expect(isLossless(between({ pages: PAGES }, after))).toBe(said === undefined);
  });

  it('is no loss in a table that was empty, nor in the own table of the tool', () => {
    expect(isLossless(between({ empty: table(0, { id: 0 }) }, {}))).toBe(true);
    const versions = { 'public.alembic_version': table(1, { version_num: 1 }) };
    expect(isLossless(between(versions, {}, 'alembic_version'))).toBe(true);
    expect(isLossless(between(versions, {}))).toBe(false);
  });

  it('has one digest whatever the counts, and another for each thing that goes', () => {
    const one = between({ pages: PAGES }, { pages: table(10, { id: 10 }) });
    const later = between({ pages: table(11, { id: 11, notes: 6 }) }, { pages: table(11, { id: 11 }) });
    expect(later.digest).toBe(one.digest);
    expect(between({ pages: table(9, { id: 9, notes: 4, draft: 1 }) }, { pages: table(9, { id: 9 }) }).digest).not.toBe(
      one.digest,
    );
    expect(between({ pages: PAGES }, {}).digest).not.toBe(one.digest);
    const other = lossBetween({
      store: 'main',
      way: digestOf('other'),
      before: shape({ pages: PAGES }),
      after: shape({ pages: table(10, { id: 10 }) }),
    });
    expect(other.digest).not.toBe(one.digest);
  });

  it('is nothing between a shape and itself, and never less than what is missing', () => {
    const tables = fc.dictionary(
      fc.constantFrom('a', 'b', 'c'),
      fc
        .nat({ max: 5 })
        .chain((rows) =>
          fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.nat({ max: rows })).map((columns) => table(rows, columns)),
        ),
    );
    fc.assert(
      fc.property(tables, tables, (before, after) => {
        expect(isLossless(between(before, before))).toBe(true);
        const { lost } = between(before, after);
        for (const [name, { rows, columns }] of Object.entries(before)) {
          const left = after[name];
          if (left === undefined && rows > 0) expect(lost).toContainEqual({ table: name, filled: rows });
          if (left === undefined) continue;
          for (const [column, { filled }] of Object.entries(columns))
            if (filled > 0 && left.columns[column] === undefined)
              expect(lost).toContainEqual({ table: name, column, filled });
        }
      }),
    );
  });
});

describe('agreeing to a loss', () => {
  const { digest } = between({ pages: PAGES }, {});
  const hex = digest.slice('sha256:'.length);

  it.each([
    [[digest], true],
    [[hex.slice(0, 12)], true],
    [[`sha256:${hex.slice(0, 20)}`], true],
    [[hex.slice(0, 12).toUpperCase()], true],
    [['0'.repeat(64), hex], true],
    [[hex.slice(0, 11)], false],
    [[''], false],
    [['0'.repeat(64)], false],
    [[], false],
  ])('%j: %s', (accepted, expected) => {
    expect(isAccepted(digest, accepted)).toBe(expected);
  });
});
