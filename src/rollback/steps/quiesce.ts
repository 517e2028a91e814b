import { isBackstayError } from '../../errors/index.ts';
import { healthOf } from '../../health/index.ts';
import {
  asItWas,
  displayName,
  type Json,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type ObjectRef,
  type StepAction,
  suspendedBy,
} from '../../model/index.ts';
import { replicasOf } from '../../plan/index.ts';
import type { RunState } from '../../journal/index.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';
import { giveBack, holdEach } from './suspensions.ts';
import { unreadyInWords, untilReady } from './until-ready.ts';
import { untilNobodyIn, untilPodsGone } from './until-silent.ts';

type Quiesce = Extract<StepAction, { kind: 'quiesce-writers' }>;
type Resume = Extract<StepAction, { kind: 'resume-writers' }>;

/**
 * Stops what writes, and proves that it has stopped: no pod is left of it, and nobody is connected to the stores. What it
 * was is remembered on each object itself, so that whoever goes on can give it back.
 */
export const quiesceWriters: Executor<Quiesce> = async ({ workloads, stores }, context) => {
  const live = await readEach(workloads, context);
  const result = recordOf(live, context.state);
  try {
    const { held, others } = await holdEach(workloads, context);
    // A controller that has not seen it yet may be about to make one more pod.
    await untilReady(held, context);
    await untilPodsGone(live, context);
    await untilNobodyIn(stores, context);
    const said = [
      ...(live.length === 0 ? [] : [`stopped: ${live.map((object) => displayName(keyOf(object))).join(', ')}`]),
      ...(stores.length === 0 ? [] : [`nobody is connected to ${stores.join(', ')}`]),
      ...others,
    ];
    return { outcome: 'done', message: said.join('; '), result };
  } catch (error) {
    if (!isBackstayError(error, 'WRITERS_REMAIN')) throw error;
    return { outcome: 'failed', code: error.code, message: error.message, result };
  }
};

/**
 * Gives back what the run has stopped, each to what it was, or to what the target says where the target says it; and waits
 * until it is well again. On the way back only what was well before is waited for.
 */
export const resumeWriters: Executor<Resume> = async ({ workloads }, context) => {
  const { deps, state, step } = context;
  const { given, left } = await giveBack(workloads, context);
  const isWayBack = step.action.kind === 'quiesce-writers';
  const before = unreadyBefore(state);
  const changed = new Set(isWayBack ? [] : state.plan.changes.map(({ key }) => key));
  const there = (await readEach(workloads, context)).map((object) => ({
    apiVersion: object.apiVersion,
    ...refOf(object),
  }));
  const sick = there.filter((ref) => before.has(keyOf(ref)) && !changed.has(keyOf(ref)));
  const unready = await untilReady(
    there.filter((ref) => !sick.includes(ref)),
    context,
  );
  const stoppedMs = deps.clock.now() - Date.parse(stoppedAt(state));
  const said = [
    given.length === 0
      ? 'nothing was left to bring back'
      : `back: ${given.map((ref) => displayName(keyOf(ref))).join(', ')}`,
    ...left.map(({ ref, why }) => `${displayName(keyOf(ref))}: ${why}`),
    ...(sick.length === 0 ? [] : [`not well before either: ${sick.map((ref) => displayName(keyOf(ref))).join(', ')}`]),
    `stopped for ${(stoppedMs / 1_000).toFixed(1)} s`,
  ];
  const result: Json = {
    given: given.map(keyOf),
    left: left.map(({ ref, why }) => ({ object: keyOf(ref), why })),
    stoppedMs,
  };
  if (unready.length > 0) {
    const message = `${unreadyInWords(unready)} not well again; ${said.join('; ')}`;
    // What it was is what it is: that it does not come up is told, and nothing that a way back could mend.
    return isWayBack ? { outcome: 'warned', message, result } : { outcome: 'failed', code: 'TIMEOUT', message, result };
  }
  return { outcome: left.length + sick.length === 0 ? 'done' : 'warned', message: said.join('; '), result };
};

async function readEach(refs: readonly ObjectRef[], { deps }: StepContext): Promise<readonly KubeObject[]> {
  const found = await Promise.all(refs.map(async (ref) => await deps.cluster.get(ref)));
  return found.filter((object) => object !== undefined);
}

function refOf({ kind, metadata: { name, namespace } }: KubeObject): Omit<ObjectRef, 'apiVersion'> {
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

interface Recorded {
  /** As they were, also when an earlier attempt has brought them to zero already. */
  readonly replicas: Readonly<Record<ObjectKey, number>>;
  /** Not well before they were stopped. */
  readonly unready: readonly ObjectKey[];
}

function recordOf(live: readonly KubeObject[], state: RunState): StepResult['result'] & Json {
  const known = recordedIn(state);
  const replicas = live.flatMap((object) => {
    const number = replicasOf(asItWas(object));
    return number === undefined ? [] : [[keyOf(object), number] as const];
  });
  const unready = live.filter((object) => suspendedBy(object).length === 0 && healthOf(object).state !== 'ready');
  return {
    replicas: { ...Object.fromEntries(replicas), ...known?.replicas },
    unready: [...new Set([...(known?.unready ?? []), ...unready.map(keyOf)])],
  };
}

function recordedIn(state: RunState): Recorded | undefined {
  const results = [...state.steps.values()].filter(({ step }) => step.action.kind === 'quiesce-writers');
  return results.map(({ result }) => result as unknown as Recorded | undefined).find((one) => one !== undefined);
}

function unreadyBefore(state: RunState): ReadonlySet<ObjectKey> {
  return new Set(recordedIn(state)?.unready);
}

/** ISO 8601: from when on users may have missed what was stopped. */
function stoppedAt({ phases, lastAt }: RunState): string {
  return phases.findLast(({ phase }) => phase === 'quiesced')?.enteredAt ?? lastAt;
}
