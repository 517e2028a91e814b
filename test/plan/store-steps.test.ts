import { describe, expect, it } from 'vitest';
import { digestOf, type MergeReport } from '../../src/model/index.ts';
import {
  backingUpBeforeInPlace,
  exchanging,
  keepingNew,
  type PlannedRestore,
  restoringBeside,
  restoringInPlace,
} from '../../src/plan/store-steps.ts';

const newRows: MergeReport = {
  tables: [
    { table: 'public.a', backup: 5, live: 6, same: 3, fresh: 2, changed: 1, returning: 1, changedKeys: ['7'] },
    { table: 'public.b', backup: 1, live: 1, same: 1, fresh: 0, changed: 0, returning: 0, changedKeys: [] },
  ],
  refused: [],
  digest: digestOf('report'),
};
const plain: PlannedRestore = {
  store: 'main',
  backup: 'b1',
  digest: digestOf('b1'),
  takenAt: '2026-01-01T00:00:00.000Z',
  atBackup: { 'public.a': 5, 'public.b': 1 },
  now: { 'public.a': 6, 'public.b': 1 },
};

describe('new rows in a plan', () => {
  it('are a step of their own before the exchange, frozen by the digest of what was told', () => {
    expect(keepingNew([plain])).toEqual([]);
    expect(keepingNew([plain, { ...plain, newRows }])).toEqual([
      {
        id: 'db-keep-new:main',
        title: 'Take 2 new rows of main over into what was restored, and set 1 changed ones aside',
        action: { kind: 'db-keep-new', store: 'main', report: newRows.digest },
        reverse: { kind: 'db-drop-beside', store: 'main' },
        risk: 'medium',
        destructive: false,
      },
    ]);
  });

  it('are told row by row where otherwise counts are', () => {
    const [without] = exchanging([plain]);
    expect(without?.dataLoss).toContain('public.a: 6 now, 5 then');
    const [kept] = exchanging([{ ...plain, newRows }]);
    expect(kept?.dataLoss).toContain(
      'public.a: 2 new rows are kept, 1 changed ones set aside (7), 1 deleted ones come back',
    );
    expect(kept?.dataLoss).not.toContain('public.b');
    expect(kept?.dataLoss).toContain('only in the former database');
  });
});

describe('a restore in place in a plan', () => {
  const inPlace: PlannedRestore = { ...plain, inPlace: { wayBack: 'restored', stays: ['public.c'] } };

  it('has nothing beside and no exchange, but a backup of now that is proven', () => {
    expect([...restoringBeside([inPlace]), ...exchanging([inPlace])]).toEqual([]);
    expect(backingUpBeforeInPlace([plain, inPlace])).toMatchObject([
      { id: 'db-backup:main', action: { kind: 'db-backup', store: 'main', prove: 'restored' }, destructive: false },
    ]);
    expect(restoringInPlace([plain])).toEqual([]);
  });

  it('is destructive, and says what goes, what stays, and where the rest is', () => {
    const [step, ...others] = restoringInPlace([plain, inPlace]);
    expect(others).toEqual([]);
    expect(step).toMatchObject({
      id: 'db-restore-in-place:main',
      action: { kind: 'db-restore-in-place', store: 'main', backup: 'b1', digest: plain.digest, wayBack: 'restored' },
      reverse: { kind: 'db-unswap', store: 'main' },
      risk: 'high',
      destructive: true,
    });
    expect(step?.dataLoss?.split('; ')).toEqual([
      'public.a: 6 now, 5 then',
      'public.c is not in the backup, and stays as it is',
      'what was written since 2026-01-01T00:00:00.000Z is only in the backup that this run takes before',
      'nobody reads or writes while it is restored',
    ]);
  });
});
