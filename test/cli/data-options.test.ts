import { describe, expect, it } from 'vitest';
import { requireReasonForData } from '../../src/actions/require-said.ts';
import { dataOptionsOf } from '../../src/cli/data-options.ts';
import { OPTIONS } from '../rollback/builders.ts';

describe('what is said of data stores on the command line', () => {
  it.each<[Readonly<Record<string, unknown>>, object]>([
    [{}, {}],
    [{ scenario: 'b' }, { data: { scenario: 'B' } }],
    [{ scenario: 'main=A, audit=c' }, { data: { scenario: { main: 'A', audit: 'C' } } }],
    [{ restore: 'main=latest' }, { data: { restore: { main: 'latest' } } }],
    [{ restore: 'a=1,b=2' }, { data: { restore: { a: '1', b: '2' } } }],
    [{ skipDatabaseBackup: true }, { data: { skipBackup: true } }],
    [
      { acceptDataLoss: 'sha256:0123456789ab, 0123456789ABCDEF' },
      { data: { acceptLoss: ['sha256:0123456789ab', '0123456789ABCDEF'] } },
    ],
  ])('%j', (given, expected) => {
    expect(dataOptionsOf(given)).toEqual(expected);
  });

  it.each<[Readonly<Record<string, unknown>>, string]>([
    [{ scenario: 'D' }, '--scenario D is not one of A, B, C.'],
    [{ scenario: 'main=' }, '--scenario "main=" is not of the form'],
    [{ scenario: 'main=A,main=B' }, '--scenario names a store twice.'],
    [{ restore: 'latest' }, '--restore "latest" is not of the form STORE=BACKUP.'],
    [{ acceptDataLoss: 'yes' }, '--accept-data-loss "yes" is not the digest of a report'],
    [{ acceptDataLoss: '0123456789a' }, '12 hexadecimal digits or more'],
  ])('refuses %j', (given, message) => {
    expect(() => dataOptionsOf(given)).toThrow(message);
  });

  it('asks why a guard is taken away, and not why data is restored or a loss accepted', () => {
    const { reason: _, ...silent } = OPTIONS;
    expect(() => requireReasonForData({ ...silent, data: { scenario: 'A' } })).toThrow('--scenario needs --reason');
    expect(() => requireReasonForData({ ...silent, reason: ' ', data: { skipBackup: true } })).toThrow(
      '--skip-database-backup needs',
    );
    expect(() => requireReasonForData({ ...OPTIONS, data: { scenario: 'A', skipBackup: true } })).not.toThrow();
    expect(() => requireReasonForData({ ...silent, data: { restore: { a: 'b' }, acceptLoss: [] } })).not.toThrow();
    expect(() => requireReasonForData(silent)).not.toThrow();
  });
});
