import {
  displayName,
  type JsonObject,
  type KubeObject,
  type ObjectKey,
  type ObjectRef,
  PAUSED_BY,
  partsOf,
  refOf,
  type StepAction,
} from '../../model/index.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';

type Pause = Extract<StepAction, { kind: 'pause-rollouts' }>;
type Resume = Extract<StepAction, { kind: 'resume-rollouts' }>;

/** Kinds whose controller can be told to wait, by `spec.paused`. */
const PAUSABLE = new Set(['Deployment', 'Rollout']);

/**
 * Holds the rollouts of workloads, so that nothing is half exchanged while the way back is made. What somebody else has
 * paused stays theirs, and is not set going afterwards.
 */
export const pauseRollouts: Executor<Pause> = async ({ workloads }, context) => {
  const held = await patchEach(workloads, context, (object) => {
    const by = object.metadata.annotations?.[PAUSED_BY];
    if (by === context.run || isPaused(object)) return undefined;
    return { metadata: { annotations: { [PAUSED_BY]: context.run } }, spec: { paused: true } };
  });
  return describe(held, 'held');
};

/** Lets go of what this run holds. */
export const resumeRollouts: Executor<Resume> = async ({ workloads }, context) =>
  describe(await releaseRollouts(workloads, context), 'released');

/** The workloads that were let go. Those that this run does not hold are left alone. */
export async function releaseRollouts(
  workloads: readonly ObjectKey[],
  context: StepContext,
): Promise<readonly ObjectKey[]> {
  return await patchEach(workloads, context, (object) => {
    if (object.metadata.annotations?.[PAUSED_BY] !== context.run) return undefined;
    return { metadata: { annotations: { [PAUSED_BY]: null } }, spec: { paused: null } };
  });
}

async function patchEach(
  workloads: readonly ObjectKey[],
  context: StepContext,
  patchFor: (object: KubeObject) => JsonObject | undefined,
): Promise<readonly ObjectKey[]> {
  const { deps, state, signal, effect } = context;
  const changed: ObjectKey[] = [];
  for (const key of workloads.filter((one) => PAUSABLE.has(partsOf(one).kind))) {
    const object = await deps.cluster.get(refFor(key, state.plan.changes));
    const body = object === undefined ? undefined : patchFor(object);
    if (object === undefined || body === undefined) continue;
    await effect(async () => await deps.cluster.patch(refOf(object), { type: 'merge', body }, { signal }));
    changed.push(key);
  }
  return changed;
}

function isPaused(object: KubeObject): boolean {
  return (object['spec'] as { paused?: boolean } | undefined)?.paused === true;
}

/** `done` also when nothing was left to do: a repeat must still be taken back. */
function describe(changed: readonly ObjectKey[], verb: string): StepResult {
  const message = changed.length === 0 ? `nothing to be ${verb}` : `${verb}: ${changed.map(displayName).join(', ')}`;
  return { outcome: 'done', message, result: { workloads: changed } };
}

function refFor(key: ObjectKey, changes: readonly { readonly key: ObjectKey; readonly ref: ObjectRef }[]): ObjectRef {
  const named = changes.find((change) => change.key === key);
  if (named !== undefined) return named.ref;
  const { group, kind, namespace, name } = partsOf(key);
  const apiVersion = group === '' ? 'v1' : `${group}/v1`;
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
