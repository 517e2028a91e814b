import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorKinds, kindOf } from '../../src/actions/observe/error-kinds.ts';

const asIs = { ignore: [], redact: (line: string) => line };
const kinds = (log: string, options: Partial<Parameters<typeof errorKinds>[1]> = {}): readonly string[] => [
  ...errorKinds(log, { ...asIs, ...options }).keys(),
];

describe('a line of a log', () => {
  test.each([
    ['ERROR cannot connect to db-7:5432', 'ERROR cannot connect to db-#:#'],
    ['2026-01-02T03:04:05.678Z ERROR cannot connect to db-7:5432', 'ERROR cannot connect to db-#:#'],
    ['[2026-01-02 03:04:05,678] ERROR in app: "abc" is no number', 'ERROR in app: # is no number'],
    ['{"level":"error","msg":"order 17 failed","trace":"a1b2c3d4e5"}', 'order # failed'],
    ['{"level":50,"msg":"order 17 failed","err":{"message":"no route"}}', 'order # failed: no route'],
    ['{"severity":"CRITICAL","message":"disk full"}', 'disk full'],
    ['{"error":"connection refused"}', 'connection refused'],
    ['level=error msg="order failed" id=17', 'level=error msg=# id=#'],
    ['java.lang.NullPointerException: at line 42', 'java.lang.NullPointerException: at line #'],
    ['TypeError: x is not a function', 'TypeError: x is not a function'],
    ['Exception in thread "main" at line 42', 'Exception in thread # at line #'],
    ['panic: runtime error: index out of range [3]', 'panic: runtime error: index out of range [#]'],
    ['request 0f8fad5b-d9cb-469f-a165-70867728950e: fatal', 'request #: fatal'],
  ])('%s', (line, kind) => {
    expect(kinds(line)).toEqual([kind]);
  });

  test.each([
    'INFO no errors found',
    'INFO recovered from error',
    'level=info msg="error budget 99%"',
    '{"level":"info","msg":"error page rendered"}',
    '{"level":30,"msg":"fatal attraction"}',
    'finished with 0 errors',
    '{"msg":"done","error":null}',
    'GET /errors 200 errors=0',
    'listening on 8080',
    '',
  ])('that tells of no error: %s', (line) => {
    expect(kinds(line)).toEqual([]);
  });
});

describe('kinds', () => {
  test('are the same whatever number, id or quoted name a line has', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uuid(), fc.stringMatching(/^[a-z ]{0,12}$/), (number, id, name) => {
        const line = (n: number | string, i: string, q: string): string => `ERROR ${n} of ${i}: "${q}" is not known`;
        expect(kindOf(line(number, id, name))).toBe(kindOf(line(7, '0f8fad5b-d9cb-469f-a165-70867728950e', 'x')));
      }),
    );
  });

  test('are told once, by their first line, in the order in which they came', () => {
    const found = errorKinds('ERROR a 1\nERROR b\nERROR a 2\n', asIs);
    expect([...found]).toEqual([
      ['ERROR a #', 'ERROR a 1'],
      ['ERROR b', 'ERROR b'],
    ]);
  });

  test('leave out what is no news, and keep nothing that is secret', () => {
    const redact = (line: string): string => line.replaceAll('hunter2', '[redacted:db.password]');
    const log = 'ERROR login hunter2 refused\nERROR probe failed\n';
    expect([...errorKinds(log, { ignore: [/probe/u], redact }).values()]).toEqual([
      'ERROR login [redacted:db.password] refused',
    ]);
  });

  test('are bounded, however long a line is', () => {
    const [kind = ''] = kinds(`ERROR ${'x '.repeat(10_000)}`);
    expect(kind.length).toBeLessThanOrEqual(200);
  });
});
