import { isBackstayError } from '../../errors/index.ts';
import type { StepAction } from '../../model/index.ts';
import type { Executor } from '../executor.ts';
import { placeholderValues } from './placeholder-values.ts';

/** An imperative step of the stack. At least once: what it reaches tells repeats apart by the run's id. */
export const hook: Executor<Extract<StepAction, { kind: 'hook' }>> = async ({ hook: setting }, context) => {
  const { deps, run, attempt, signal, effect } = context;
  const values = placeholderValues(context);
  try {
    const { message, result } = await effect(async () => await deps.runHook(setting, { run, attempt, values, signal }));
    return { outcome: 'done', message, result };
  } catch (error) {
    if (setting.onError !== 'warn' || signal.aborted || isBackstayError(error, 'LEASE_LOST')) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { outcome: 'warned', message: reason, ...(isBackstayError(error) ? { code: error.code } : {}) };
  }
};
