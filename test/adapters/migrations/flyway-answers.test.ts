import { describe, expect, it } from 'vitest';
import { doneOf, lookedOf } from '../../../src/adapters/migrations/flyway-answers.ts';

const ran = (json: unknown, exitCode = 0, stderr = '') => ({
  exitCode,
  stdout: typeof json === 'string' ? json : JSON.stringify(json),
  stderr,
  secrets: ['s3cret'],
});
const row = (version: string | null, state: string, more: object = {}) => ({
  category: version === null ? 'Repeatable' : 'Versioned',
  version,
  description: `to ${version}`,
  state,
  installedOnUTC: state === 'Pending' ? '' : '2026-11-21T13:08:33.385247Z',
  undoable: 'No',
  filepath: `/sql/V${version}.sql`,
  undoFilepath: '',
  ...more,
});
const look = (migrations: readonly object[], validation: object = { validationSuccessful: true }) => ({
  individualResults: [
    { operation: 'info', database: 'app', migrations },
    { operation: 'validate', database: 'app', ...validation },
  ],
});

describe('the answers of flyway', () => {
  it('tell what is applied, by number and not by letter, and leave out what is repeated', () => {
    const { migrations, unfit } = lookedOf(
      ran(
        look([
          row('10', 'Pending'),
          row('9.1', 'Success'),
          row(null, 'Success'),
          row('2', 'Out of Order'),
          row('11', 'Undone', { undoable: 'Yes', undoFilepath: '/sql/U11.sql' }),
        ]),
      ),
    );
    expect(migrations.map(({ version, applied, undoable }) => [version, applied, undoable])).toEqual([
      ['2', true, false],
      ['9.1', true, false],
      ['10', false, false],
      ['11', false, true],
    ]);
    expect(unfit).toBeUndefined();
  });

  it('say that nothing fits while the exit code says that all is well', () => {
    const answer = ran(
      look([], {
        validationSuccessful: false,
        allErrorMessages: 'Migration checksum mismatch for migration version 2\n-> Applied',
      }),
    );
    expect(lookedOf(answer).unfit).toBe('Migration checksum mismatch for migration version 2');
  });

  it('name an edition that has no undo', () => {
    const error = {
      errorCode: 'ERROR',
      message: 'Flyway Redgate Edition Required: undo is not supported by OSS Edition',
    };
    expect(() => doneOf(ran({ error }, 35), 'undo')).toThrow(
      expect.objectContaining({ code: 'MIGRATION_REFUSED', message: 'This edition of Flyway has no undo.' }) as Error,
    );
  });

  it.each([
    [
      'an error of its own',
      ran({ error: { errorCode: 'ERROR', message: 'refused for s3cret' } }, 1),
      'refused for [hidden]',
    ],
    ['an error with a good exit code', ran({ error: { message: 'no' } }), 'no'],
    ['no JSON at all', ran('Usage: flyway', 0, 'bad option'), 'bad option'],
    ['nothing', ran('', 1, 'Error: no java'), 'Error: no java'],
  ])('fail with %s', (_what, result, why) => {
    expect(() => lookedOf(result)).toThrow(
      expect.objectContaining({ code: 'MIGRATION_FAILED', message: expect.stringContaining(why) as string }) as Error,
    );
  });
});
