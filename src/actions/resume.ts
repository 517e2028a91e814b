import { resumeRun } from '../rollback/index.ts';
import { endOf, given, type RollbackDeps, type RunEnded } from './rollback.ts';
import { runDepsOf } from './run-deps.ts';

export interface ResumeOptions {
  readonly run: string;
  readonly signal?: AbortSignal;
  readonly abort?: AbortSignal;
}

/**
 * Goes on with a run that was cut off or that halted. One that is over stays as it ended.
 * @throws RUN_UNKNOWN, LEASE_HELD (the run may be at work elsewhere), JOURNAL_BROKEN, PLAN_REFUSED.
 */
export async function resume({ run, signal, abort }: ResumeOptions, deps: RollbackDeps): Promise<RunEnded> {
  return await endOf(await resumeRun({ run, deps: runDepsOf(deps), ...given(signal, abort) }), deps);
}
