import { BackstayError } from '../../errors/index.ts';
import { type Change, displayName, type KubeObject, type ObjectKey, type StepAction } from '../../model/index.ts';
import type { Executor, StepContext } from '../executor.ts';
import { describeMoved } from './moved.ts';
import { untilGone } from './until-gone.ts';

type Prune = Extract<StepAction, { kind: 'prune' }>;

/**
 * Deletes what the plan names and the engine did not: objects that never stood in its state. Each delete carries uid and
 * resourceVersion, so that nothing else of the same name is hit, and is over when the object is really gone.
 */
export const prune: Executor<Prune> = async ({ objects }, context) => {
  const { state, deps } = context;
  const named = objects.map((key) => changeOf(key, context));
  const { live, moved } = await deps.observe(state.plan);
  const left = named.filter(({ key }) => live.has(key));
  const isLeaving = (key: ObjectKey): boolean => live.get(key)?.metadata.deletionTimestamp !== undefined;
  const strange = moved.filter(({ key }) => left.some((change) => change.key === key) && !isLeaving(key));
  if (strange.length > 0) {
    return {
      outcome: 'failed',
      code: 'OBJECT_MOVED',
      message: `not deleted, because it moved: ${describeMoved(strange)}`,
    };
  }
  for (const change of left) await remove(change, live.get(change.key) as KubeObject, context);
  const message =
    left.length === 0 ? 'nothing was left to delete' : `deleted: ${left.map(({ key }) => displayName(key)).join(', ')}`;
  return { outcome: 'done', message, touched: left.length > 0, result: { deleted: left.map(({ key }) => key) } };
};

/** Only objects that the plan names are deleted, whatever the step says. */
function changeOf(key: ObjectKey, { state }: StepContext): Change {
  const change = state.plan.changes.find((c) => c.key === key && c.action === 'delete');
  if (change === undefined) {
    throw new BackstayError('PLAN_REFUSED', `${displayName(key)} is to be pruned, but the plan does not delete it`);
  }
  return change;
}

async function remove(change: Change, live: KubeObject, context: StepContext): Promise<void> {
  const { deps, signal, effect, report } = context;
  report({ type: 'object.progress', object: change.key, state: 'deleting', message: 'not in the target' });
  // A former attempt may have asked already: then it is on its way, with a finalizer more than the plan saw.
  if (live.metadata.deletionTimestamp === undefined) {
    const { resourceVersion } = live.metadata;
    await effect(
      async () =>
        await deps.cluster.delete(change.ref, {
          propagation: 'Foreground',
          ...(change.uid === undefined ? {} : { uid: change.uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        }),
    );
  }
  await untilGone(
    deps.cluster,
    change.ref,
    change.uid,
    AbortSignal.any([signal, AbortSignal.timeout(deps.stack.readyTimeoutMs)]),
  );
  report({ type: 'object.progress', object: change.key, state: 'done', message: 'gone' });
}
