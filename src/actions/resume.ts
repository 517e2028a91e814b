import { resumeRun, type RunResult, stateOfRun } from '../rollback/index.ts';
import { requireJournalOutside } from './journal-outside.ts';
import { endOf, given, type RollbackDeps, type RunEnded } from './rollback.ts';
import { runDepsOf, withLockOf } from './run-deps.ts';
import { afterWaiting } from './wait-for-approval.ts';

export interface ResumeOptions {
  readonly run: string;
  /** As `rollback` does: stay until it is approved. @default false */
  readonly wait?: boolean;
  readonly signal?: AbortSignal;
  readonly abort?: AbortSignal;
}

/**
 * Goes on with a run that was cut off or that halted. One that is over stays as it ended.
 * @throws RUN_UNKNOWN, LEASE_HELD (the run may be at work elsewhere), JOURNAL_BROKEN, PLAN_REFUSED.
 */
export async function resume({ run, wait, signal, abort }: ResumeOptions, wired: RollbackDeps): Promise<RunEnded> {
  const { plan } = await stateOfRun(run, wired);
  const deps = await withLockOf(plan, wired);
  await requireJournalOutside(plan, deps);
  const asked = { run, deps: runDepsOf(deps), ...given(signal, abort) };
  const result = await resumeRun(asked);
  await giveBack(result, deps);
  return await endOf(wait === true ? await afterWaiting(result, asked) : result, deps);
}

/** Killed between its last entry and the release of its lease, a run that is over would still keep others away. */
async function giveBack({ run, outcome, state }: RunResult, { lock, journalName, by }: RollbackDeps): Promise<void> {
  if (outcome === 'mixed' || state.ended === undefined) return;
  try {
    if ((await lock.look(state.stack)).holder?.run !== run) return;
    const held = await lock.acquire(state.stack, { run, journal: journalName, ...by });
    await held.release();
  } catch {
    // Whoever it is that holds it still works, or the lease runs out by itself: the run is over all the same.
  }
}
