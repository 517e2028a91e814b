import { BackstayError } from '../../errors/index.ts';
import {
  capturedForm,
  carryOver,
  type Change,
  type Digest,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
  refOf,
  shortId,
} from '../../model/index.ts';
import { configDigestOf, hashOfPlan, withConfigDigest } from '../../plan/index.ts';
import type { Between, Moved } from '../deps.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';
import { apply } from './apply.ts';
import { describeMoved } from './moved.ts';
import { proveEqual, unequalOf } from './prove-equal.ts';
import { prune } from './prune.ts';
import { beforeId } from './record-after.ts';

/**
 * Takes `apply` and `prune` back together: one more transition within the run, from what is live now to the snapshot that
 * the run took before it touched anything. Planned anew each time, so that a repeat does what is left. What is neither as
 * this run made it nor as it was before was moved by somebody else: then nothing is written, and it is named.
 */
export const returnBefore: Executor = async (_action, context) => {
  const { state, deps, signal } = context;
  const other = [...state.reverses.values()].find(({ step, status }) => status === 'done' && returns(step));
  if (other !== undefined)
    return { outcome: 'skipped', touched: false, message: `taken back with "${other.step.title}"` };
  const before = beforeId(state);
  if (before === undefined) {
    throw new BackstayError('PLAN_REFUSED', 'this run has no snapshot of before: there is nothing to return to');
  }
  const between = await deps.compareWith(state.plan, before, signal);
  const { live } = await deps.observe(state.plan);
  const moved = await movedByOthers(between, live, context);
  if (moved.length > 0) {
    return {
      outcome: 'failed',
      code: 'OBJECT_MOVED',
      touched: false,
      message: `not returned to before, because somebody else moved what this run changed: ${describeMoved(moved)}`,
      result: { moved: moved.map(({ key, what }) => ({ key, what })) },
    };
  }
  const plan = planOfReturn(before, between, live, state.plan);
  if (plan.changes.length === 0) {
    return { outcome: 'done', message: `everything is as in ${shortId(before)}`, result: { id: before } };
  }
  return await carryOut(plan, before, { ...context, state: { ...state, plan } });
};

function returns({ action, reverse }: Plan['steps'][number]): boolean {
  return reverse?.kind === 'return-before' || action.kind === 'return-before';
}

/** The run's own machinery, on the plan of the return. Its permit is what bounds the engine, as on the way forward. */
async function carryOut(plan: Plan, before: Digest, context: StepContext): Promise<StepResult> {
  const { deps } = context;
  const brought = plan.changes.some(({ action }) => action !== 'delete') ? await bring(context) : undefined;
  if (brought?.outcome === 'failed') return brought;
  const deletions = plan.changes.filter(({ action }) => action === 'delete').map(({ key }) => key);
  if (deletions.length > 0) {
    // Through the engine first, so that its state forgets them; `bring` has done so where there was anything else.
    const left = brought ?? (await apply({ kind: 'apply' }, context));
    if (left.outcome === 'failed') return left;
    const pruned = await prune({ kind: 'prune', objects: deletions }, context);
    if (pruned.outcome === 'failed') return pruned;
  }
  const proof = await proveEqual({ kind: 'prove-equal' }, { ...context, deps });
  if (proof.outcome === 'failed') return { ...proof, touched: true };
  const wanting = brought?.outcome === 'warned' ? `; ${brought.message ?? ''}` : '';
  return {
    outcome: 'done',
    message: `back at ${shortId(before)}: ${plan.changes.length} objects changed, ${plan.desired.length} equal${wanting}`,
    result: { id: before, changed: plan.changes.map(({ key }) => key), warnings: plan.warnings },
  };
}

/**
 * What the stack was need never have been well, or nobody would have rolled it back: an object that does not become ready
 * keeps no other from being brought back, and equality decides in the end.
 */
async function bring(context: StepContext): Promise<StepResult> {
  const first = await apply({ kind: 'apply' }, context);
  if (first.outcome !== 'failed' || first.code !== 'ENGINE_FAILED' || context.signal.aborted) return first;
  const { deps, attempt } = context;
  const patient = { ...deps, stack: { ...deps.stack, readyTimeoutMs: 0 } };
  const second = await apply({ kind: 'apply' }, { ...context, deps: patient, attempt: attempt + 1 });
  if (second.outcome === 'failed') return second;
  return { ...second, outcome: 'warned', message: `though the engine said: ${first.message ?? ''}` };
}

async function movedByOthers(
  { changes, foreign }: Between,
  live: ReadonlyMap<ObjectKey, KubeObject>,
  { state, deps, attempt }: StepContext,
): Promise<readonly Moved[]> {
  const own = new Map(state.plan.changes.map((change) => [change.key, change.action]));
  const reached = new Map(state.plan.desired.map((object) => [keyOf(object), object]));
  const touched = changes.flatMap(({ key }) => reached.get(key) ?? []);
  const unequal = new Map((await unequalOf(touched, { live, foreign }, deps)).map(({ key, what }) => [key, what]));
  return changes.flatMap(({ key }) => {
    const action = own.get(key);
    const now = live.get(key);
    if (action === undefined) return [{ key, what: 'this run did not touch it, and it is not as it was before' }];
    // A former attempt was cut off between deleting it and making it again, or while it was going.
    if (action === 'replace' && now === undefined) return [];
    if (attempt > 1 && now?.metadata.deletionTimestamp !== undefined) return [];
    if (action === 'delete') return now === undefined ? [] : [{ key, what: 'was made again' }];
    const what = unequal.get(key);
    return what === undefined ? [] : [{ key, what: `${what} from what this run made of it` }];
  });
}

/** Frozen as any plan is: the run's own, with the way to *before* in place of the way to the target. */
function planOfReturn(
  before: Digest,
  { changes, desired, live: seen, warnings, foreign }: Between,
  live: ReadonlyMap<ObjectKey, KubeObject>,
  { hash: _hash, ...forward }: Plan,
): Plan {
  const wanted = new Map(desired.map((object) => [keyOf(object), object]));
  const all = new Map(changes.map((change) => [change.key, change]));
  for (const change of forward.changes) {
    const restart = all.has(change.key) ? undefined : restartLeft(change, wanted, live, foreign);
    if (restart === undefined) continue;
    all.set(change.key, restart.change);
    wanted.set(change.key, restart.object);
  }
  const plan = {
    ...forward,
    target: { id: before, said: 'before', labels: [] },
    live: seen,
    foreign,
    changes: [...all.values()],
    desired: [...wanted.values()],
    warnings,
  };
  return { ...plan, hash: hashOfPlan(plan) };
}

/**
 * A restart shows in no field that counts. One that a killed attempt did not come to, after the configuration was back
 * already, is found by the digest of what the pods were started with.
 */
function restartLeft(
  { key, action, reason }: Change,
  wanted: ReadonlyMap<ObjectKey, KubeObject>,
  live: ReadonlyMap<ObjectKey, KubeObject>,
  foreign: Between['foreign'],
): { readonly change: Change; readonly object: KubeObject } | undefined {
  if (reason === undefined || (action !== 'restart' && action !== 'update')) return undefined;
  const now = live.get(key);
  const then = wanted.get(key);
  if (now === undefined || then === undefined) return undefined;
  const read = (one: ObjectKey): KubeObject | undefined => wanted.get(one) ?? live.get(one);
  const digested = withConfigDigest(then, read, undefined);
  if (configDigestOf(digested) === configDigestOf(now)) return undefined;
  const { uid } = now.metadata;
  return {
    change: {
      key,
      ref: refOf(now),
      action: 'restart',
      fields: [],
      takesOver: [],
      reason,
      live: capturedForm(now, foreign),
      ...(uid === undefined ? {} : { uid }),
    },
    object: carryOver(now, digested, { foreign }),
  };
}
