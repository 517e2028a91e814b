import { isBackstayError } from '../../errors/index.ts';
import {
  displayName,
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

/** Marks workloads as held by this run, for people and for controllers that honour it. */
export const pauseRollouts: Executor<Pause> = async ({ workloads }, context) => {
  const { run } = context;
  return await annotate(workloads, context, 'held', (value) => (value === run ? undefined : run));
};

/** Takes the mark away where it is this run's own. */
export const resumeRollouts: Executor<Resume> = async ({ workloads }, context) => {
  const { run } = context;
  return await annotate(workloads, context, 'released', (value) => (value === run ? null : undefined));
};

/** `wanted` answers undefined where nothing is to be done. The end is `done` also then: a repeat must still be reversible. */
async function annotate(
  workloads: readonly ObjectKey[],
  context: StepContext,
  verb: string,
  wanted: (value: string | undefined) => string | null | undefined,
): Promise<StepResult> {
  const { deps, state, effect } = context;
  const changed: ObjectKey[] = [];
  for (const key of workloads) {
    const object = await deps.cluster.get(refFor(key, state.plan.changes));
    if (object === undefined) continue;
    const value = wanted(object.metadata.annotations?.[PAUSED_BY]);
    if (value === undefined) continue;
    await effect(async () => await patchAnnotation(object, value, context));
    changed.push(key);
  }
  const names = changed.map(displayName).join(', ');
  return {
    outcome: 'done',
    message: changed.length === 0 ? `nothing to be ${verb}` : `${verb}: ${names}`,
    result: { workloads: changed },
  };
}

async function patchAnnotation(object: KubeObject, value: string | null, { deps, signal }: StepContext): Promise<void> {
  const body = { metadata: { annotations: { [PAUSED_BY]: value } } };
  try {
    await deps.cluster.patch(refOf(object), { type: 'merge', body }, { signal });
  } catch (error) {
    // Gone since it was read: there is nothing left to mark.
    if (!isBackstayError(error, 'OBJECT_MOVED')) throw error;
  }
}

function refFor(key: ObjectKey, changes: readonly { readonly key: ObjectKey; readonly ref: ObjectRef }[]): ObjectRef {
  const named = changes.find((change) => change.key === key);
  if (named !== undefined) return named.ref;
  const { group, kind, namespace, name } = partsOf(key);
  const apiVersion = group === '' ? 'v1' : `${group}/v1`;
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
