import { healthOf, podsOf } from '../../health/index.ts';
import { displayName, type KubeObject, keyOf } from '../../model/index.ts';

/** What was read of a namespace. */
export interface Neighbourhood {
  /** Deployments, StatefulSets and DaemonSets. */
  readonly workloads: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
  readonly replicaSets: readonly KubeObject[];
}

/**
 * Workloads that serve less than they should, and did not before `since` (ISO 8601), each with its reason. A rollout of their
 * own that keeps its availability is none of it. Pure.
 */
export function disturbedSince(since: string, { workloads, pods, replicaSets }: Neighbourhood): readonly string[] {
  return workloads.flatMap((workload) => {
    if (!servesLess(workload)) return [];
    const related = { pods, replicaSets };
    const at = lessSince(workload, podsOf(workload, related));
    if (at !== undefined && Date.parse(at) < Date.parse(since)) return [];
    const { reason } = healthOf(workload, related);
    return [`${displayName(keyOf(workload))}: ${reason}`];
  });
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

interface Status {
  readonly replicas?: number;
  readonly readyReplicas?: number;
  readonly currentRevision?: string;
  readonly updateRevision?: string;
  readonly desiredNumberScheduled?: number;
  readonly updatedNumberScheduled?: number;
  readonly numberAvailable?: number;
  readonly conditions?: readonly Condition[];
}

function servesLess(workload: KubeObject): boolean {
  const status = statusOf(workload);
  const { replicas: wanted = 1 } = (workload['spec'] ?? {}) as { readonly replicas?: number };
  switch (workload.kind) {
    case 'Deployment':
      return conditionIn(workload, 'Available')?.status === 'False';
    case 'StatefulSet':
      return status.currentRevision === status.updateRevision && (status.readyReplicas ?? 0) < wanted;
    case 'DaemonSet': {
      const { desiredNumberScheduled: desired = 0, updatedNumberScheduled: updated = 0, numberAvailable = 0 } = status;
      return updated >= desired && numberAvailable < desired;
    }
    default:
      return false;
  }
}

/** By the workload's own condition, else by the pod that has been unready for longest; undefined: nobody knows. */
function lessSince(workload: KubeObject, pods: readonly KubeObject[]): string | undefined {
  const available = conditionIn(workload, 'Available');
  if (available !== undefined) return available.lastTransitionTime;
  const since = pods.flatMap((pod) => {
    const { status, lastTransitionTime } = conditionIn(pod, 'Ready') ?? {};
    return status === 'True' || lastTransitionTime === undefined ? [] : [lastTransitionTime];
  });
  return since.toSorted()[0];
}

function conditionIn(object: KubeObject, type: string): Condition | undefined {
  return statusOf(object).conditions?.find((condition) => condition.type === type);
}

function statusOf(object: KubeObject): Status {
  return object['status'] ?? {};
}
