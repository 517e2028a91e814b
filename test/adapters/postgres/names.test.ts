import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { besideName, previousName, TRIAL, trialRun, undoneName } from '../../../src/adapters/postgres/store/names.ts';

const database = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 63 }).filter((name) => !name.includes('\0'));
const run = fc.stringMatching(/^20\d{6}-\d{6}-[0-9a-f]{6}$/);

describe('the names of databases that stand beside', () => {
  it('fit into what the server keeps of a name, and differ by database, run and purpose', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(database, { minLength: 2, maxLength: 2 }),
        fc.uniqueArray(run, { minLength: 2, maxLength: 2 }),
        (databases, runs) => {
          const names = databases.flatMap((one) =>
            runs.flatMap((id) => [
              besideName(one, id),
              previousName(one, id),
              undoneName(one, id),
              besideName(one, trialRun(id)),
            ]),
          );
          expect(new Set(names).size).toBe(names.length);
          for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
        },
      ),
    );
  });

  it('tell a trial by its name alone, however long that of the database is', () => {
    fc.assert(
      fc.property(database, run, (one, id) => {
        expect(besideName(one, trialRun(id))).toContain(TRIAL);
        for (const name of [besideName(one, id), previousName(one, id), undoneName(one, id)])
          expect(name.slice(one.length)).not.toContain(TRIAL);
      }),
    );
  });
});
