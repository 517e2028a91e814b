import { type Digest, heldVersion, isDigest, type ObjectKey, shortId } from '../../model/index.ts';
import type { RunState } from '../../journal/index.ts';
import type { Executor, StepContext } from '../executor.ts';
import { measuredChecks } from './checks.ts';
import { markHeld, namesOf } from './held-mark.ts';

/** Records where the stack arrived, with the verdict measured there, and holds the version that was rolled back from. */
export const recordAfter: Executor = async (_action, context) => {
  const { run, state, deps, signal, effect } = context;
  const { options, target } = state.plan;
  const note = `after run ${run} to ${target.said}`;
  const checks = measuredChecks(state, 'after');
  const captured = await effect(async () => await deps.capture({ reason: 'after-run', run, checks, note, signal }));
  const before = beforeId(state);
  // Going to where one is already would hold the very version that was chosen.
  const held =
    options.hold && before !== undefined && before !== captured.id && before !== target.id ? before : undefined;
  const unmarked = held === undefined ? [] : await hold(held, captured.id, context);
  const marked = unmarked.length === 0 ? '' : `, but ${namesOf(unmarked)} could not be annotated`;
  return {
    outcome: 'done',
    touched: false,
    message: `after snapshot ${shortId(captured.id)}${held === undefined ? '' : `; ${shortId(held)} is held${marked}`}${(captured.warnings ?? []).map((one) => `; ${one}`).join('')}`,
    result: { id: captured.id, verdict: captured.verdict, ...(held === undefined ? {} : { held }) },
  };
};

/** Holds the version by its snapshot, and so that it is known again. Gives the workloads that could not be told so. */
async function hold(held: Digest, reached: Digest, context: StepContext): Promise<readonly ObjectKey[]> {
  const { run, state, deps, effect } = context;
  const { options, target } = state.plan;
  const [failing, now] = await Promise.all(
    [held, reached].map(async (id) => {
      const { content, sighting } = await deps.store.get(state.stack, id);
      const { imageDigests } = sighting.record;
      return { content, ...(imageDigests === undefined ? {} : { digests: imageDigests }) };
    }),
  );
  const version = failing === undefined || now === undefined ? undefined : heldVersion(failing, now);
  const reason = options.reason ?? `rolled back to ${target.said}`;
  const why = { run, reason, ...(version === undefined ? {} : { version }) };
  await effect(async () => await deps.store.annotate(state.stack, held, { held: why }));
  return await markHeld(state.plan, held, context);
}

/** The snapshot that this run took before it touched anything. */
export function beforeId(state: RunState): Digest | undefined {
  const step = [...state.steps.values()].find((s) => s.step.action.kind === 'snapshot-before');
  const id = (step?.result as { id?: unknown } | undefined)?.id;
  return typeof id === 'string' && isDigest(id) ? id : undefined;
}
