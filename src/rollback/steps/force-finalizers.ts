import { BackstayError, isBackstayError } from '../../errors/index.ts';
import {
  displayName,
  type JsonObject,
  type KubeObject,
  type ObjectKey,
  type ObjectRef,
  refOf,
  type StepAction,
} from '../../model/index.ts';
import type { Executor, StepContext } from '../executor.ts';
import { untilGone } from './until-gone.ts';

type ForceFinalizers = Extract<StepAction, { kind: 'force-finalizers' }>;

/** These keep what is in use: taking them off does not end the use, it only hides it. */
const NEVER = new Set(['kubernetes.io/pvc-protection', 'kubernetes.io/pv-protection']);
const ROUNDS = 8;

/**
 * Takes the finalizers off objects that are being deleted and do not go within the ready timeout, so that they go. An
 * object that nobody asked to go is never touched, and none of another life of the same name is.
 */
export const forceFinalizers: Executor<ForceFinalizers> = async ({ objects }, context) => {
  const forced: { object: ObjectKey; finalizers: readonly string[] }[] = [];
  for (const key of objects) {
    const ref = refFor(key, context);
    const finalizers = await force(key, ref, context);
    if (finalizers.length > 0) forced.push({ object: key, finalizers });
  }
  const named = forced.map(({ object, finalizers }) => `${displayName(object)} (${finalizers.join(', ')})`);
  return {
    outcome: 'done',
    touched: forced.length > 0,
    message: forced.length === 0 ? 'nothing hangs on finalizers' : `finalizers taken off: ${named.join(', ')}`,
    result: { forced },
  };
};

/** The finalizers that were taken off; none when it went by itself. */
async function force(key: ObjectKey, ref: ObjectRef, context: StepContext): Promise<readonly string[]> {
  const { deps, signal } = context;
  const first = await deps.cluster.get(ref);
  if (first?.metadata.deletionTimestamp === undefined) return [];
  const { uid } = first.metadata;
  // The step before may have waited already: what counts is since when it was asked to go.
  const waited = deps.clock.now() - Date.parse(first.metadata.deletionTimestamp);
  if (await goes(ref, uid, deps.stack.readyTimeoutMs - waited, context)) return [];
  const taken = await takeOff(key, ref, uid, context);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(deps.stack.readyTimeoutMs)]);
  await untilGone(deps.cluster, ref, uid, limit);
  return taken;
}

/** Whether it goes by itself within so many milliseconds. */
async function goes(
  ref: ObjectRef,
  uid: string | undefined,
  limitMs: number,
  { deps, signal }: StepContext,
): Promise<boolean> {
  if (limitMs <= 0) return false;
  try {
    await untilGone(deps.cluster, ref, uid, AbortSignal.any([signal, AbortSignal.timeout(limitMs)]));
    return true;
  } catch (error) {
    if (isBackstayError(error, 'TIMEOUT')) return false;
    throw error;
  }
}

async function takeOff(
  key: ObjectKey,
  ref: ObjectRef,
  uid: string | undefined,
  context: StepContext,
): Promise<readonly string[]> {
  const { deps, effect, signal, report } = context;
  for (let round = 1; ; round += 1) {
    const live = await deps.cluster.get(ref);
    if (live === undefined || live.metadata.uid !== uid) return [];
    const taken = forcible(live);
    report({ type: 'object.progress', object: key, state: 'deleting', message: `taking off ${taken.join(', ')}` });
    const kept = (live.metadata.finalizers ?? []).filter((name) => !taken.includes(name));
    const { resourceVersion = '' } = live.metadata;
    // Only this very object, as it was just read: a finalizer that is put on in between is somebody's word.
    const body: JsonObject = { metadata: { finalizers: kept, resourceVersion, uid: uid ?? '' } };
    try {
      await effect(async () => await deps.cluster.patch(refOf(live), { type: 'merge', body }, { signal }));
      return taken;
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED') || round >= ROUNDS) throw error;
    }
  }
}

/** @throws TIMEOUT when what holds it is not to be forced */
function forcible(live: KubeObject): readonly string[] {
  const finalizers = live.metadata.finalizers ?? [];
  const taken = finalizers.filter((name) => !NEVER.has(name));
  if (taken.length > 0) return taken;
  const why = finalizers.length === 0 ? 'it has no finalizers' : `${finalizers.join(', ')} keeps what is in use`;
  throw new BackstayError('TIMEOUT', `${live.kind.toLowerCase()}/${live.metadata.name} is still there, and ${why}`, {
    next: 'Find the pods that use it: --force-pods deletes those that hang.',
  });
}

function refFor(key: ObjectKey, { state }: StepContext): ObjectRef {
  const change = state.plan.changes.find((one) => one.key === key);
  if (change !== undefined) return change.ref;
  throw new BackstayError('PLAN_REFUSED', `${displayName(key)} is to be forced, but the plan does not name it`);
}
