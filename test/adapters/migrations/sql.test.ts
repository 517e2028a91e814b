import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { statementsOf, transactionControl, withinOneTransaction } from '../../../src/adapters/migrations/sql.ts';

describe('the statements of a script', () => {
  it.each([
    ['plain ones', 'SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
    ['none', ' -- nothing\n /* here */ ;;', []],
    ['a string with a semicolon', `SELECT 'a;b'; SELECT 2;`, [`SELECT 'a;b'`, 'SELECT 2']],
    ['a doubled quote', `SELECT 'it''s; so'; X`, [`SELECT 'it''s; so'`, 'X']],
    ['a backslash that escapes', String.raw`SELECT E'it\'s; so'; X`, [String.raw`SELECT E'it\'s; so'`, 'X']],
    ['a backslash that does not', String.raw`SELECT 'a\'; X`, [String.raw`SELECT 'a\'`, 'X']],
    ['a quoted name', `DROP TABLE "a;b"; X`, [`DROP TABLE "a;b"`, 'X']],
    ['a dollar quote', 'DO $x$ BEGIN a; $y$; END $x$; X', ['DO $x$ BEGIN a; $y$; END $x$', 'X']],
    ['a parameter that looks like one', 'SELECT $1; SELECT a$b$; X', ['SELECT $1', 'SELECT a$b$', 'X']],
    ['a comment in front', '-- a; b\nSELECT 1', ['SELECT 1']],
    ['comments that nest', '/* a /* b; */ c; */ SELECT 1; X', ['SELECT 1', 'X']],
    [
      'a body in SQL',
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; X',
      ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END', 'X'],
    ],
  ])('%s', (_what, script, statements) => {
    expect(statementsOf(script)).toEqual(statements);
  });

  it('are found again however they are put together', () => {
    const statement = fc.constantFrom(
      `SELECT ';'`,
      'DO $$ ; $$',
      'DROP TABLE "a;"',
      'UPDATE t SET x = 1',
      `SELECT E'\\';'`,
    );
    const between = fc.constantFrom(';', ' ; ', ';\n-- ;\n', ';/* ; */ ');
    fc.assert(
      fc.property(fc.array(fc.tuple(statement, between), { minLength: 1, maxLength: 8 }), (parts) => {
        expect(statementsOf(parts.flat().join(''))).toEqual(parts.map(([text]) => text));
      }),
    );
  });

  it('end with the script, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(statementsOf(text).join('').length).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});

describe('a script as one transaction', () => {
  it.each([
    ['as it is', 'DROP TABLE a; DROP TABLE b;', 'DROP TABLE a; DROP TABLE b;'],
    ['without its own BEGIN and COMMIT', 'BEGIN; DROP TABLE a; COMMIT;', 'DROP TABLE a;'],
    ['however they are spelled', '-- why\nstart transaction; DROP TABLE a; end', 'DROP TABLE a;'],
    ['with a function that has a BEGIN', 'DO $$ BEGIN NULL; END $$', 'DO $$ BEGIN NULL; END $$'],
    ['with a word that only begins so', 'ENDPOINT; COMMITTEE', 'ENDPOINT; COMMITTEE'],
  ])('%s', (_what, script, wanted) => {
    expect(withinOneTransaction(script)).toBe(wanted);
  });

  it.each([
    'DROP TABLE a; COMMIT; DROP TABLE b;',
    'BEGIN; DROP TABLE a; COMMIT; DROP TABLE b;',
    'BEGIN; DROP TABLE a;',
    'BEGIN ISOLATION LEVEL SERIALIZABLE; DROP TABLE a; COMMIT;',
    'BEGIN; DROP TABLE a; ROLLBACK;',
    'SAVEPOINT x; DROP TABLE a;',
    'DROP TABLE a; /* */ cOmMiT',
  ])('is not %s', (script) => {
    expect(withinOneTransaction(script)).toBeUndefined();
    expect(transactionControl(script).length).toBeGreaterThan(0);
  });
});
