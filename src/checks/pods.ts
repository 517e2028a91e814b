import { podsOf } from '../health/index.ts';
import type { KubeObject } from '../model/index.ts';
import type { Cluster } from '../ports/index.ts';

/** Label by which a pod tells its template: hash of its ReplicaSet, or name of its ControllerRevision. */
const REPLICA_SET_HASH = 'pod-template-hash';
const REVISION_HASH = 'controller-revision-hash';
const REVISION = 'deployment.kubernetes.io/revision';

/** What stands behind a workload: its pods that are not done, and what made them. */
export interface Behind {
  readonly pods: readonly KubeObject[];
  readonly replicaSets: readonly KubeObject[];
  readonly revisions: readonly KubeObject[];
}

export async function behind(workload: KubeObject, cluster: Cluster): Promise<Behind> {
  const [pods, replicaSets, revisions] = await Promise.all([
    listBehind(workload, 'v1', 'Pod', cluster),
    workload.kind === 'Deployment' ? listBehind(workload, 'apps/v1', 'ReplicaSet', cluster) : [],
    workload.kind === 'DaemonSet' ? listBehind(workload, 'apps/v1', 'ControllerRevision', cluster) : [],
  ]);
  return { pods: podsOf(workload, { pods, replicaSets }).filter(isLive), replicaSets, revisions };
}

/** A pod on its way out still serves what it was made of, so it counts until it is gone. */
function isLive(pod: KubeObject): boolean {
  const phase = (pod['status'] as { phase?: string } | undefined)?.phase;
  return phase !== 'Succeeded' && phase !== 'Failed';
}

async function listBehind(
  workload: KubeObject,
  apiVersion: string,
  kind: string,
  cluster: Cluster,
): Promise<readonly KubeObject[]> {
  const served = await cluster.kindOf(apiVersion, kind);
  if (served === undefined) return [];
  const { namespace } = workload.metadata;
  const labelSelector = selectorOf(workload);
  return (await cluster.list(served, { labelSelector, ...(namespace === undefined ? {} : { namespace }) })).items;
}

export function templateHashOf(pod: KubeObject, kind: string): string | undefined {
  return pod.metadata.labels?.[kind === 'Deployment' ? REPLICA_SET_HASH : REVISION_HASH];
}

/** The hash that pods of the workload's present template carry; undefined when its controller has made none yet. */
export function newestTemplateHash(workload: KubeObject, { replicaSets, revisions }: Behind): string | undefined {
  if (workload.kind === 'StatefulSet')
    return (workload['status'] as { updateRevision?: string } | undefined)?.updateRevision;
  const isOwn = ({ metadata }: KubeObject): boolean =>
    metadata.ownerReferences?.some(({ uid }) => uid === workload.metadata.uid) === true;
  if (workload.kind === 'Deployment') {
    const current = workload.metadata.annotations?.[REVISION];
    const set = replicaSets.filter(isOwn).find((item) => item.metadata.annotations?.[REVISION] === current);
    return set?.metadata.labels?.[REPLICA_SET_HASH];
  }
  const revision = (item: KubeObject): number => Number(item['revision'] ?? 0);
  const newest = revisions.filter(isOwn).toSorted((a, b) => revision(b) - revision(a))[0];
  return newest?.metadata.labels?.[REVISION_HASH];
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** A workload's selector as the query of a list. */
export function selectorOf(workload: KubeObject): string {
  const { matchLabels = {}, matchExpressions = [] } =
    (workload['spec'] as { selector?: Selector } | undefined)?.selector ?? {};
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const sets = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...equal, ...sets].join(',');
}
