import { shortId } from '../../model/index.ts';
import type { Executor } from '../executor.ts';
import { measuredChecks } from './checks.ts';

/**
 * Records the stack as it is, and proves that the record is a way back: read again, verified, its secrets decrypted.
 * Never skipped, not by --emergency either (rule 1).
 */
export const snapshotBefore: Executor = async (_action, { run, state, deps, signal, effect }) => {
  const { reason } = state.plan.options;
  const note = `before run ${run} to ${state.plan.target.said}${reason === undefined ? '' : `: ${reason}`}`;
  const checks = measuredChecks(state, 'before');
  const captured = await effect(async () => await deps.capture({ reason: 'before-run', run, checks, note, signal }));
  const snapshot = await deps.store.get(state.stack, captured.id);
  await deps.store.secrets(state.stack, snapshot);
  return {
    outcome: 'done',
    touched: false,
    message: [`before snapshot ${shortId(captured.id)}, read back`, ...(captured.warnings ?? [])].join('; '),
    result: { id: captured.id, verdict: captured.verdict },
  };
};
