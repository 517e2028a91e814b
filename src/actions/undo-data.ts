import { digestOf, type Plan, type PlanOptions } from '../model/index.ts';
import { makePlan } from '../plan/index.ts';
import type { ClusterIdentity } from '../ports/index.ts';
import { type PlanDeps, requireClusterOfStack } from './plan.ts';

export interface UndoDataRequest {
  readonly undoes: string;
  /** Data stores that the run exchanged. */
  readonly exchanged: readonly string[];
  readonly options: PlanOptions;
  readonly onInvalid?: 'halt' | 'return';
}

/**
 * The plan that takes back a run which changed data and left the cluster unasked: there is no snapshot of before to go to, and
 * no object to change. @throws CLUSTER_MISMATCH
 */
export async function planUndoData(
  { undoes, exchanged, options, onInvalid }: UndoDataRequest,
  { stack, cluster, clock }: PlanDeps,
): Promise<{ readonly plan: Plan; readonly identity: ClusterIdentity }> {
  const identity = await cluster.identity();
  requireClusterOfStack(identity, stack, options);
  const none = digestOf([]);
  const plan = makePlan({
    stack,
    clusterUid: identity.uid,
    createdAt: new Date(clock.now()).toISOString(),
    scope: { kind: 'database' },
    target: { id: none, said: `the data before ${undoes}`, labels: [] },
    live: none,
    foreign: stack.foreign,
    changes: [],
    desired: [],
    warnings: [],
    rollingOut: new Set(),
    exchanged,
    undoes,
    options: { ...options, hold: false },
    ...(onInvalid === undefined ? {} : { onInvalid }),
  });
  return { plan, identity };
}
