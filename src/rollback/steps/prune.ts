import { BackstayError, isBackstayError } from '../../errors/index.ts';
import {
  capturedForm,
  type Change,
  displayName,
  type KubeObject,
  type ObjectKey,
  type Plan,
  type StepAction,
} from '../../model/index.ts';
import type { Executor, StepContext } from '../executor.ts';
import { diffObjects } from '../../plan/index.ts';
import type { Moved } from '../deps.ts';
import { describeMoved } from './moved.ts';
import { untilGone } from './until-gone.ts';

type Prune = Extract<StepAction, { kind: 'prune' }>;

/**
 * Deletes what the plan names and the engine did not: objects that never stood in its state. Each delete carries uid and
 * resourceVersion, so that nothing else of the same name is hit, and is over when the object is really gone. Reads those
 * objects alone: the whole stack was compared before, and is again afterwards.
 */
export const prune: Executor<Prune> = async ({ objects }, context) => {
  const named = objects.map((key) => changeOf(key, context));
  const read = await Promise.all(
    named.map(async (change) => ({ change, live: await context.deps.cluster.get(change.ref) })),
  );
  const left = read.flatMap(({ change, live }) => (live === undefined ? [] : [{ change, live }]));
  const moved = left.flatMap((one) => movedSince(one, context));
  if (moved.length > 0) {
    const message = `not deleted, because it moved: ${describeMoved(moved)}`;
    return { outcome: 'failed', code: 'OBJECT_MOVED', message };
  }
  const hanging: ObjectKey[] = [];
  for (const { change, live } of left) if (!(await removed(change, live, context))) hanging.push(change.key);
  const deleted = left.map(({ change }) => change.key).filter((key) => !hanging.includes(key));
  const said = [
    ...(deleted.length === 0 ? [] : [`deleted: ${deleted.map(displayName).join(', ')}`]),
    ...(hanging.length === 0 ? [] : [`asked to go, and hanging: ${hanging.map(displayName).join(', ')}`]),
  ];
  const message = left.length === 0 ? 'nothing was left to delete' : said.join('; ');
  return { outcome: 'done', message, touched: left.length > 0, result: { deleted, hanging } };
};

/** One that is on its way out has a finalizer more than the plan saw: a former attempt asked for it. */
function movedSince({ change, live }: Left, { state, deps }: StepContext): readonly Moved[] {
  const { key, uid } = change;
  if (uid !== undefined && live.metadata.uid !== uid) return [{ key, what: 'is another object of the same name' }];
  if (live.metadata.deletionTimestamp !== undefined || change.live === undefined) return [];
  const [hidden = live] = deps.hasher.hide([live]).objects;
  const fields = diffObjects(change.live, capturedForm(hidden, state.plan.foreign ?? deps.stack.foreign));
  return fields.length === 0 ? [] : [{ key, what: `${fields.map(({ path }) => path).join(', ')} changed` }];
}

interface Left {
  readonly change: Change;
  readonly live: KubeObject;
}

/** Only objects that the plan names are deleted, whatever the step says. */
function changeOf(key: ObjectKey, { state }: StepContext): Change {
  const change = state.plan.changes.find((c) => c.key === key && c.action === 'delete');
  if (change === undefined) {
    throw new BackstayError('PLAN_REFUSED', `${displayName(key)} is to be pruned, but the plan does not delete it`);
  }
  return change;
}

/** False: it hangs, and a later step of this plan forces it. */
async function removed(change: Change, live: KubeObject, context: StepContext): Promise<boolean> {
  try {
    await remove(change, live, context);
    return true;
  } catch (error) {
    if (isBackstayError(error, 'TIMEOUT') && isForced(change.key, context.state.plan)) return false;
    throw error;
  }
}

/** Whether a later step takes the finalizers off what this plan deletes. */
export function isForced(key: ObjectKey, { steps }: Pick<Plan, 'steps'>): boolean {
  return steps.some(({ action }) => action.kind === 'force-finalizers' && action.objects.includes(key));
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
