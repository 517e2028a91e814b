import { isBackstayError } from '../../errors/index.ts';
import { hangingPods, type HangingPod } from '../../health/index.ts';
import {
  displayName,
  groupOf,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
  refOf,
  type StepAction,
} from '../../model/index.ts';
import type { RunDeps } from '../deps.ts';
import type { Executor, StepContext } from '../executor.ts';
import { untilGone } from './until-gone.ts';

type ForcePods = Extract<StepAction, { kind: 'force-pods' }>;

/**
 * Deletes the pods of these workloads that hang, without grace: those that are being deleted for longer than their grace,
 * and those on a node that is gone. A pod that works is never touched, and none of another life of the same name is.
 */
export const forcePods: Executor<ForcePods> = async ({ workloads }, context) => {
  const hanging = await findHangingPods(workloads, context.deps);
  const left: string[] = [];
  for (const pod of hanging) if (!(await forced(pod, context))) left.push(held(pod.pod));
  const deleted = hanging.map(({ pod, why }) => ({ pod: keyOf(pod), why }));
  const named = hanging.map(({ pod, why }) => `${displayName(keyOf(pod))} (${why})`).join(', ');
  return {
    outcome: left.length === 0 ? 'done' : 'warned',
    touched: hanging.length > 0,
    message: [
      hanging.length === 0 ? 'no pod hangs' : `deleted without grace: ${named}`,
      ...left.map((what) => `still there: ${what}`),
    ].join('; '),
    result: { deleted },
  };
};

/** Names the pods that hang and the flag that helps, as the end of a sentence; empty when none does or none can be seen. */
export async function helpForPods(plan: Plan, deps: Pick<RunDeps, 'cluster' | 'clock' | 'stack'>): Promise<string> {
  const hanging = await findHangingPods(plan.desired.map(keyOf), deps).catch(() => []);
  if (hanging.length === 0) return '';
  const named = hanging.map(({ pod, why }) => `${pod.metadata.name} ${why}`).join(', ');
  return `; pods hang: ${named} (--force-pods deletes them)`;
}

/** Pods of the workloads that hang at this moment. */
async function findHangingPods(
  workloads: readonly ObjectKey[],
  { cluster, clock, stack }: Pick<RunDeps, 'cluster' | 'clock' | 'stack'>,
): Promise<readonly HangingPod[]> {
  const [pods, replicaSets, nodes] = await Promise.all([
    listed('', 'Pod', stack.namespaces, cluster),
    listed('apps', 'ReplicaSet', stack.namespaces, cluster),
    nodesOf(cluster),
  ]);
  return hangingPods({ workloads: new Set(workloads), pods, replicaSets, nodes, now: clock.now() });
}

async function listed(
  group: string,
  kind: string,
  namespaces: readonly string[],
  cluster: RunDeps['cluster'],
): Promise<readonly KubeObject[]> {
  const served = await cluster.kindOf(group === '' ? 'v1' : `${group}/v1`, kind);
  if (served === undefined) return [];
  const lists = await Promise.all(namespaces.map(async (namespace) => await cluster.list(served, { namespace })));
  return lists.flatMap(({ items }) => items);
}

/** Whoever may not see nodes cannot say that one is gone: then none is taken to be. */
async function nodesOf(cluster: RunDeps['cluster']): Promise<readonly KubeObject[] | undefined> {
  try {
    const kind = await cluster.kindOf('v1', 'Node');
    return kind === undefined ? undefined : (await cluster.list(kind)).items;
  } catch (error) {
    if (isBackstayError(error, 'CLUSTER_FORBIDDEN')) return undefined;
    throw error;
  }
}

/** False: asked to go and still there, which is what finalizers do. */
async function forced({ pod }: HangingPod, { deps, signal, effect, report }: StepContext): Promise<boolean> {
  const { uid } = pod.metadata;
  const key = keyOf(pod);
  report({ type: 'object.progress', object: key, state: 'deleting', message: 'without grace' });
  try {
    await effect(
      async () =>
        await deps.cluster.delete(refOf(pod), {
          gracePeriodSeconds: 0,
          propagation: 'Background',
          ...(uid === undefined ? {} : { uid }),
        }),
    );
    if ((pod.metadata.finalizers ?? []).length > 0) return false;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(deps.stack.readyTimeoutMs)]);
    await untilGone(deps.cluster, refOf(pod), uid, limit);
  } catch (error) {
    // Another of its name stands there by now: the one that hung is gone.
    if (isBackstayError(error, 'OBJECT_MOVED')) return true;
    if (isBackstayError(error, 'TIMEOUT')) return false;
    throw error;
  }
  report({ type: 'object.progress', object: key, state: 'done', message: 'gone' });
  return true;
}

function held({ apiVersion, kind, metadata }: KubeObject): string {
  const finalizers = metadata.finalizers ?? [];
  const name = `${groupOf(apiVersion) === '' ? '' : `${apiVersion} `}${kind.toLowerCase()}/${metadata.name}`;
  return finalizers.length === 0 ? name : `${name}, held by its finalizers ${finalizers.join(', ')}`;
}
