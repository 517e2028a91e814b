import { describe, expect, test } from 'vitest';
import { OUTCOMES } from '../../src/model/index.ts';
import { exitCodeOf } from '../../src/rollback/index.ts';

describe('the exit code of a run', () => {
  test.each([
    [{ outcome: 'succeeded' }, 0],
    [{ outcome: 'nothing-to-do' }, 0],
    [{ outcome: 'failed' }, 1],
    [{ outcome: 'failed', code: 'HOOK_FAILED' }, 1],
    [{ outcome: 'failed', code: 'ENGINE_FAILED' }, 1],
    [{ outcome: 'failed', code: 'LEASE_HELD' }, 5],
    [{ outcome: 'failed', code: 'PLAN_STALE' }, 7],
    [{ outcome: 'failed', code: 'CONTEXT_UNCONFIRMED' }, 7],
    [{ outcome: 'failed', code: 'SNAPSHOT_TAMPERED' }, 7],
    [{ outcome: 'failed', code: 'a code from the future' }, 1],
    [{ outcome: 'failed', code: 'toString' }, 1],
    [{ outcome: 'returned' }, 3],
    [{ outcome: 'mixed' }, 4],
    [{ outcome: 'mixed', code: 'PLAN_STALE' }, 4],
    [{ outcome: 'mixed', code: 'CANCELLED', signal: 'SIGINT' }, 4],
    [{ outcome: 'unvalidated' }, 8],
    [{ outcome: 'cancelled' }, 130],
    [{ outcome: 'cancelled', signal: 'SIGINT' }, 130],
    [{ outcome: 'cancelled', signal: 'SIGTERM' }, 143],
  ] as const)('is, for %o, %i', (result, exit) => {
    expect(exitCodeOf(result)).toBe(exit);
  });

  test('is known for every outcome there is', () => {
    for (const outcome of OUTCOMES) expect(exitCodeOf({ outcome })).toBeTypeOf('number');
  });
});
