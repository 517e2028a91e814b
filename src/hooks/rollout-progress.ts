import type { KubeObject } from '../model/index.ts';

interface WorkloadShape {
  readonly spec?: { readonly replicas?: number; readonly paused?: boolean; readonly updateStrategy?: { readonly type?: string } };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
  };
}

/** What a Deployment, StatefulSet or DaemonSet still lacks until all its pods are of its template; undefined: nothing. */
export function rolloutProgress(object: KubeObject): string | undefined {
  const { spec = {}, status = {} } = object as WorkloadShape;
  if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0)) return 'its controller has not seen the change yet';
  if (spec.paused === true) return 'it is paused (spec.paused)';
  const daemon = object.kind === 'DaemonSet';
  const wanted = daemon ? (status.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);
  const updated = (daemon ? status.updatedNumberScheduled : status.updatedReplicas) ?? 0;
  const available = (daemon ? status.numberAvailable : status.availableReplicas) ?? 0;
  const all = daemon ? wanted : (status.replicas ?? 0);
  if (updated < wanted) return `${updated} of ${wanted} pods are updated`;
  if (all > updated) return `${all - updated} old pods are still there`;
  if (available < wanted) return `${available} of ${wanted} pods are available`;
  return undefined;
}
