import type { RunState } from '../../journal/index.ts';
import { type CheckResult, type Json, overall, type StepAction } from '../../model/index.ts';
import type { Executor, StepResult } from '../executor.ts';

type ChecksAction = Extract<StepAction, { kind: 'checks' }>;

/**
 * Measures. Before the run the answers are evidence: a broken stack is why we are here. After it they decide: only
 * passing counts, and unknown is not passing.
 */
export const checks: Executor<ChecksAction> = async ({ when, names }, { state, deps, report, signal }) => {
  const { options } = state.plan;
  if (when === 'after' && options.skipValidation) {
    return { outcome: 'skipped', touched: false, message: 'not validated: --skip-validation' };
  }
  const onResult = (result: CheckResult): void => report({ type: 'check.measured', result });
  const results = await deps.runChecks({ when, names, scope: state.plan.scope, onResult, signal });
  const outcome = when === 'after' ? judgeAfter(results) : judgeBefore(results, options);
  return { ...outcome, touched: false, result: { when, results: results as unknown as Json } };
};

function judgeAfter(results: readonly CheckResult[]): StepResult {
  if (results.length === 0) return { outcome: 'done', message: 'the stack has no checks that apply' };
  if (overall(results) === 'pass') return { outcome: 'done', message: `all ${results.length} checks pass` };
  return { outcome: 'failed', code: 'VALIDATION_FAILED', message: summary(results) };
}

function judgeBefore(
  results: readonly CheckResult[],
  options: { readonly validateBefore: boolean; readonly emergency: boolean },
): StepResult {
  const unknown = results.filter(({ verdict }) => verdict === 'unknown');
  if (options.validateBefore && !options.emergency && unknown.length > 0) {
    const message = `cannot be measured, so the result could not be compared either: ${summary(unknown)} (--emergency skips this check)`;
    return { outcome: 'failed', code: 'CONTEXT_UNCONFIRMED', message };
  }
  const passing = results.filter(({ verdict }) => verdict === 'pass').length;
  return { outcome: 'done', message: `${passing} of ${results.length} checks pass before the run` };
}

function summary(results: readonly CheckResult[]): string {
  const bad = results.filter(({ verdict }) => verdict !== 'pass');
  return bad
    .map(({ name, verdict, reason }) => `${name} ${verdict === 'fail' ? 'fails' : 'is unknown'}: ${reason}`)
    .join('; ');
}

/** What a checks step of this run measured, from its journal. */
export function measuredChecks(state: RunState, when: 'before' | 'after'): readonly CheckResult[] {
  for (const { step, result } of state.steps.values()) {
    if (step.action.kind !== 'checks' || step.action.when !== when) continue;
    return (result as { results?: readonly CheckResult[] } | undefined)?.results ?? [];
  }
  return [];
}
