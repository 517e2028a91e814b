import { type Digest, isDigest, shortId } from '../../model/index.ts';
import type { RunState } from '../../journal/index.ts';
import type { Executor } from '../executor.ts';
import { measuredChecks } from './checks.ts';

/** Records where the stack arrived, with the verdict measured there, and holds the version that was rolled back from. */
export const recordAfter: Executor = async (_action, { run, state, deps, signal, effect }) => {
  const { options, target } = state.plan;
  const note = `after run ${run} to ${target.said}`;
  const checks = measuredChecks(state, 'after');
  const captured = await effect(async () => await deps.capture({ reason: 'after-run', run, checks, note, signal }));
  const before = beforeId(state);
  // Going to where one is already would hold the very version that was chosen.
  const held =
    options.hold && before !== undefined && before !== captured.id && before !== target.id ? before : undefined;
  if (held !== undefined) {
    const reason = options.reason ?? `rolled back to ${target.said}`;
    await deps.store.annotate(state.stack, held, { held: { run, reason } });
  }
  return {
    outcome: 'done',
    touched: false,
    message: `after snapshot ${shortId(captured.id)}${held === undefined ? '' : `; ${shortId(held)} is held`}`,
    result: { id: captured.id, verdict: captured.verdict, ...(held === undefined ? {} : { held }) },
  };
};

/** The snapshot that this run took before it touched anything. */
export function beforeId(state: RunState): Digest | undefined {
  const step = [...state.steps.values()].find((s) => s.step.action.kind === 'snapshot-before');
  const id = (step?.result as { id?: unknown } | undefined)?.id;
  return typeof id === 'string' && isDigest(id) ? id : undefined;
}
