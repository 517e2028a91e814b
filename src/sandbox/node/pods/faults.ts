import { join } from 'node:path';
import type { Pod } from './pod-types.ts';

/** Where the faults of a workload stand: `<dir>/faults/<namespace>/<workload>.json`. Written by `backstay sandbox fault`. */
export function faultsFile(dir: string, namespace: string, workload: string): string {
  return join(dir, 'faults', namespace, `${workload}.json`);
}

/** The workload a pod belongs to: the Deployment behind its ReplicaSet, else its controller, else itself. */
export function workloadOf(pod: Pod): string {
  const owner = pod.metadata.ownerReferences?.find((candidate) => candidate.controller === true);
  if (owner === undefined) return pod.metadata.name;
  const hash = pod.metadata.labels?.['pod-template-hash'];
  return hash !== undefined && owner.name.endsWith(`-${hash}`) ? owner.name.slice(0, -hash.length - 1) : owner.name;
}

export function faultsFileOf(dir: string, pod: Pod): string {
  return faultsFile(dir, pod.metadata.namespace ?? 'default', workloadOf(pod));
}
