import { askRunbook } from '../../checks/index.ts';
import type { CheckResult } from '../../model/index.ts';
import type { Executor } from '../executor.ts';

const OVERRIDE = '--emergency skips this check';

/** Refuses a run whose runbook does not apply; the override is in the plan's options and so in the journal. */
export const confirmContext: Executor = async (_action, { state, deps, signal, report }) => {
  if (state.plan.options.emergency) {
    return { outcome: 'skipped', touched: false, message: 'not asked: --emergency' };
  }
  const onResult = (result: CheckResult): void => report({ type: 'check.measured', result });
  const answer = await askRunbook({
    stack: deps.stack,
    now: deps.clock.now(),
    signal,
    ask: deps.ask,
    runNamed: async (names) => await deps.runChecks({ when: 'named', names, onResult, signal }),
  });
  if (!answer.applies) {
    const { message, firing } = answer;
    return {
      outcome: 'failed',
      code: 'CONTEXT_UNCONFIRMED',
      touched: false,
      message: `${message} (${OVERRIDE})`,
      ...(firing === undefined ? {} : { result: { firing } }),
    };
  }
  const { message, alerts, dependencies } = answer;
  return {
    outcome: 'done',
    touched: false,
    message,
    result: { alerts: alerts.map(({ name, startsAt }) => ({ name, startsAt })), dependencies },
  };
};
