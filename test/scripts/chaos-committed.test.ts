import { describe, expect, it } from 'vitest';
import { committedEffects } from '../../scripts/chaos/committed.ts';

const names = { data: 'books', journal: 'journal' };
const aside = 'ALTER DATABASE "books" RENAME TO "books__bs_1_prev"';
const live = 'ALTER DATABASE "books__bs_1" RENAME TO "books"';
const statement = (session: string, sql: string): string => `${session} postgres LOG:  statement: ${sql}`;
const entry = (database: string, kind: string): string =>
  [
    `1.a ${database} LOG:  execute <unnamed>: `,
    '\t  WITH head AS (UPDATE backstay.runs SET link = $7)',
    '\t  INSERT INTO backstay.entries (run, kind) SELECT $1, $5 FROM head',
    `1.a ${database} DETAIL:  parameters: $1 = 'r', $2 = '1', $3 = 's', $4 = 't', $5 = '${kind}', $6 = '{}'`,
  ].join('\n');
const counted = (...lines: readonly string[]): object =>
  Object.fromEntries(committedEffects(`${lines.join('\n')}\n`, names));

describe('what a server committed, by its log', () => {
  it('counts an exchange once its session went on to COMMIT', () => {
    const exchange = ['BEGIN', aside, live].map((sql) => statement('1.a', sql));
    expect(counted(...exchange, statement('1.a', 'COMMIT'))).toEqual({
      'exchange: live set aside': 1,
      'exchange: restored made live': 1,
    });
    expect(counted(...exchange)).toEqual({});
    expect(counted(...exchange, statement('1.a', 'ROLLBACK'))).toEqual({});
    expect(counted(...exchange, '1.a postgres ERROR:  canceling statement', statement('1.a', 'COMMIT'))).toEqual({});
    expect(counted(...exchange, statement('2.b', 'COMMIT'))).toEqual({});
  });

  it('counts one outside of a transaction unless an error follows it', () => {
    expect(counted(statement('1.a', aside))).toEqual({ 'exchange: live set aside': 1 });
    expect(counted(statement('1.a', aside), '1.a postgres ERROR:  database is being accessed')).toEqual({});
    expect(counted(statement('1.a', aside), '2.b postgres ERROR:  of somebody else')).toEqual({
      'exchange: live set aside': 1,
    });
  });

  it('leaves other databases and journals out', () => {
    expect(counted(statement('1.a', 'ALTER DATABASE "other" RENAME TO "other_prev"'))).toEqual({});
    expect(counted(entry('journal', 'run-created'), entry('journal', 'step-end'), entry('other', 'run-ended'))).toEqual(
      {
        'journal: run-created': 1,
      },
    );
    expect(counted(entry('journal', 'run-ended'), entry('journal', 'run-ended'))).toEqual({ 'journal: run-ended': 2 });
  });
});
