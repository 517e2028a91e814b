import { resumeRun } from '../rollback/index.ts';
import { endOf, given, type RollbackDeps, type RunEnded } from './rollback.ts';
import { runDepsOf } from './run-deps.ts';
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
export async function resume({ run, wait, signal, abort }: ResumeOptions, deps: RollbackDeps): Promise<RunEnded> {
  const asked = { run, deps: runDepsOf(deps), ...given(signal, abort) };
  const result = await resumeRun(asked);
  return await endOf(wait === true ? await afterWaiting(result, asked) : result, deps);
}
