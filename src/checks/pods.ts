import type { KubeObject } from '../model/index.ts';
import type { ApiKind, Cluster } from '../ports/index.ts';

const POD: ApiKind = { group: '', version: 'v1', kind: 'Pod', resource: 'pods', namespaced: true, verbs: ['list'] };

/** Label by which a pod tells its template: hash of its ReplicaSet, or name of its ControllerRevision. */
const HASH_LABEL = { Deployment: 'pod-template-hash', other: 'controller-revision-hash' } as const;
const REVISION = 'deployment.kubernetes.io/revision';

/** The pods that a workload's selector takes and that are not on their way out or done. */
export async function podsOf(workload: KubeObject, cluster: Cluster): Promise<readonly KubeObject[]> {
  const labelSelector = selectorOf(workload);
  const { namespace } = workload.metadata;
  const { items } = await cluster.list(POD, { labelSelector, ...(namespace === undefined ? {} : { namespace }) });
  return items.filter((pod) => {
    const phase = (pod['status'] as { phase?: string } | undefined)?.phase;
    return phase !== 'Succeeded' && phase !== 'Failed';
  });
}

export function templateHashOf(pod: KubeObject, kind: string): string | undefined {
  return pod.metadata.labels?.[kind === 'Deployment' ? HASH_LABEL.Deployment : HASH_LABEL.other];
}

/** The hash that pods of the workload's present template carry; undefined when its controller has made none yet. */
export async function newestTemplateHash(workload: KubeObject, cluster: Cluster): Promise<string | undefined> {
  if (workload.kind === 'StatefulSet') {
    return (workload['status'] as { updateRevision?: string } | undefined)?.updateRevision;
  }
  const kind = workload.kind === 'Deployment' ? 'ReplicaSet' : 'ControllerRevision';
  const served = await cluster.kindOf('apps/v1', kind);
  if (served === undefined) return undefined;
  const { namespace } = workload.metadata;
  const { items } = await cluster.list(served, {
    labelSelector: selectorOf(workload),
    ...(namespace === undefined ? {} : { namespace }),
  });
  const own = items.filter((item) => item.metadata.ownerReferences?.some(({ uid }) => uid === workload.metadata.uid));
  if (workload.kind === 'Deployment') {
    const current = workload.metadata.annotations?.[REVISION];
    const set = own.find((item) => item.metadata.annotations?.[REVISION] === current);
    return set?.metadata.labels?.[HASH_LABEL.Deployment];
  }
  const revision = (item: KubeObject): number => Number(item['revision'] ?? 0);
  const newest = own.reduce<KubeObject | undefined>((best, item) => (best && revision(best) > revision(item) ? best : item), undefined);
  return newest?.metadata.labels?.[HASH_LABEL.other];
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
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
