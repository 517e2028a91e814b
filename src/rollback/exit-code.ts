import { CODES, type ErrorCode } from '../errors/index.ts';
import type { Outcome } from '../model/index.ts';

/** Process exit codes of a run; docs/errors.md tells them to people. */
const BY_OUTCOME: Readonly<Record<Outcome, number>> = {
  succeeded: 0,
  'nothing-to-do': 0,
  failed: 1,
  returned: 3,
  mixed: 4,
  unvalidated: 8,
  cancelled: 130,
  abandoned: 1,
};

const SIGTERM_EXIT = 143;

/**
 * A run that failed before it changed anything exits as the reason says: 5 for a held lease, 6 for an approval that
 * was denied or ran out, 7 for a refusal. Whatever the
 * reason, a mixed run exits 4: a person is needed.
 */
export function exitCodeOf(result: {
  readonly outcome: Outcome | 'waiting';
  readonly code?: string;
  readonly signal?: string;
}): number {
  if (result.outcome === 'waiting' && result.signal === undefined) return CODES.APPROVAL_NEEDED.exit;
  if (result.outcome === 'cancelled' || result.outcome === 'waiting')
    return result.signal === 'SIGTERM' ? SIGTERM_EXIT : BY_OUTCOME.cancelled;
  if (result.outcome !== 'failed' || result.code === undefined) return BY_OUTCOME[result.outcome];
  const exit = isCode(result.code) ? CODES[result.code].exit : BY_OUTCOME.failed;
  return exit === 5 || exit === 6 || exit === 7 ? exit : BY_OUTCOME.failed;
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(CODES, code);
}
