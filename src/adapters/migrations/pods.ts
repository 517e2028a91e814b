import { BackstayError } from '../../errors/index.ts';
import type { JsonObject, KubeObject } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';

export interface PodWanted {
  /** `Deployment/intelgraph-server`. */
  readonly workload: string;
  readonly container?: string;
  readonly namespace: string;
}

export interface PodPlace {
  readonly pod: string;
  readonly container: string;
}

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'] as const;
const REVISION = 'deployment.kubernetes.io/revision';
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

interface Running {
  readonly object: KubeObject;
  readonly current: boolean;
  readonly ready: boolean;
}

/**
 * A pod of the workload in which something can be run: one of its newest revision before others, a ready one before one that
 * only runs (a failing version may never become ready), a young one before an old one.
 * @throws EXEC_UNAVAILABLE when there is none, telling what there is.
 */
export async function runningPod(cluster: Cluster, wanted: PodWanted): Promise<PodPlace> {
  const { workload, namespace } = wanted;
  const [kind, name = ''] = workload.split('/');
  if (!KINDS.some((one) => one === kind) || kind === undefined || name === '')
    throw unavailable(
      `${workload} is no workload: ${KINDS.join(', ')}, a slash, and its name.`,
      'Correct migrations.runs.workload.',
    );
  const object = await cluster.get({ apiVersion: 'apps/v1', kind, namespace, name });
  if (object === undefined)
    throw unavailable(
      `There is no ${workload} in ${namespace}.`,
      'Correct migrations.runs.workload in the stack file.',
    );
  const items = await selected(cluster, 'v1', 'Pod', object);
  const mark = await currentMark(cluster, object);
  const running = items
    .filter((pod) => isRunning(pod, containerOf(pod, wanted.container)))
    .map((pod): Running => ({ object: pod, current: mark === undefined || hasLabel(pod, mark), ready: isReady(pod) }));
  const [best] = running.toSorted(
    (a, b) =>
      Number(b.current) - Number(a.current) || Number(b.ready) - Number(a.ready) || born(b.object) - born(a.object),
  );
  if (best === undefined)
    throw unavailable(
      `No pod of ${workload} runs in ${namespace}: ${items.length === 0 ? 'there is none' : items.map(describe).join(', ')}.`,
      'Scale it up, or run the migrations on this machine (migrations.runs.folder) from a checkout of that version.',
    );
  return { pod: best.object.metadata.name, container: containerOf(best.object, wanted.container) };
}

function unavailable(message: string, next: string): BackstayError {
  return new BackstayError('EXEC_UNAVAILABLE', message, { next });
}

function selectorOf({ spec }: KubeObject): string {
  const { matchLabels = {}, matchExpressions = [] } = ((spec as JsonObject | undefined)?.['selector'] ?? {}) as {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly {
      readonly key: string;
      readonly operator: string;
      readonly values?: readonly string[];
    }[];
  };
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...expressions].join(',');
}

async function selected(
  cluster: Cluster,
  apiVersion: string,
  kind: string,
  workload: KubeObject,
): Promise<readonly KubeObject[]> {
  const served = await cluster.kindOf(apiVersion, kind);
  if (served === undefined) return [];
  const { namespace = '' } = workload.metadata;
  return (await cluster.list(served, { namespace, labelSelector: selectorOf(workload) })).items;
}

type Mark = readonly [label: string, value: string];

/** The label by which pods of the newest revision are told from those of earlier ones. */
async function currentMark(cluster: Cluster, workload: KubeObject): Promise<Mark | undefined> {
  const { uid } = workload.metadata;
  if (workload.kind === 'Deployment') {
    const revision = workload.metadata.annotations?.[REVISION];
    const items = await selected(cluster, 'apps/v1', 'ReplicaSet', workload);
    const newest = items.find(
      ({ metadata }) =>
        metadata.annotations?.[REVISION] === revision && metadata.ownerReferences?.some((owner) => owner.uid === uid),
    );
    const hash = newest?.metadata.labels?.['pod-template-hash'];
    return hash === undefined ? undefined : ['pod-template-hash', hash];
  }
  const update = (workload['status'] as { readonly updateRevision?: string } | undefined)?.updateRevision;
  return update === undefined ? undefined : ['controller-revision-hash', update];
}

interface PodStatus {
  readonly phase?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly containerStatuses?: readonly {
    readonly name: string;
    readonly state?: { readonly running?: object; readonly waiting?: { readonly reason?: string } };
  }[];
}

function statusOf(pod: KubeObject): PodStatus {
  return pod['status'] ?? {};
}

function containerOf(pod: KubeObject, wanted: string | undefined): string {
  const { containers = [] } = (pod['spec'] ?? {}) as { readonly containers?: readonly { readonly name: string }[] };
  return wanted ?? pod.metadata.annotations?.[DEFAULT_CONTAINER] ?? containers[0]?.name ?? '';
}

function isRunning(pod: KubeObject, container: string): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  return (statusOf(pod).containerStatuses ?? []).some(
    ({ name, state }) => name === container && state?.running !== undefined,
  );
}

function isReady(pod: KubeObject): boolean {
  return (statusOf(pod).conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
}

function hasLabel(pod: KubeObject, [label, value]: Mark): boolean {
  return pod.metadata.labels?.[label] === value;
}

function born(pod: KubeObject): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
}

function describe(pod: KubeObject): string {
  const { phase = 'Unknown', containerStatuses = [] } = statusOf(pod);
  const waits = containerStatuses.map(({ state }) => state?.waiting?.reason).find((reason) => reason !== undefined);
  const gone = pod.metadata.deletionTimestamp === undefined ? '' : ', being deleted';
  return `${pod.metadata.name} (${waits ?? phase}${gone})`;
}
