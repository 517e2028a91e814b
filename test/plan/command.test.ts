import { describe, expect, it } from 'vitest';
import { commandOf } from '../../src/plan/index.ts';
import { aPlan, OPTIONS } from '../rollback/builders.ts';

describe('the command that says the same with other choices', () => {
  it.each([
    [
      aPlan({ scope: { kind: 'full' } }),
      { acceptLoss: ['0123456789ab'] },
      `backstay rollback medical-kg --to v1.2.2 --scope full --accept-data-loss 0123456789ab --incident INC-7 --reason 'docling is slow'`,
    ],
    [
      aPlan({
        scope: { kind: 'workloads', names: ['a', 'b'] },
        options: { ...OPTIONS, reason: "it's down", emergency: true },
      }),
      { scenario: { main: 'C' as const }, restore: { main: '20260101-120000-3f9a2c' } },
      `backstay rollback medical-kg --to v1.2.2 --scope a,b --scenario main=C --restore main=20260101-120000-3f9a2c --emergency --incident INC-7 --reason 'it'\\''s down'`,
    ],
    [
      aPlan({ undoes: 'r1', options: { ...OPTIONS, hold: false, data: { scenario: 'B', skipBackup: true } } }),
      {},
      `backstay undo r1 --scenario B --skip-database-backup --incident INC-7 --reason 'docling is slow'`,
    ],
  ])('%#', (plan, data, expected) => {
    expect(commandOf(plan, data)).toBe(expected);
  });
});
