import type { KubeObject } from '../model/index.ts';
import { heldBy, isPodReady, podHealth } from './pod.ts';
import {
  conditionOf,
  failed,
  type Health,
  isObserved,
  part,
  progressing,
  ready,
  type Related,
  saidBy,
} from './verdict.ts';

interface ReplicaStatus {
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly currentRevision: string;
  readonly updateRevision: string;
}

const replicasOf = (object: KubeObject): number => part<{ replicas: number }>(object, 'spec').replicas ?? 1;

export function deploymentHealth(object: KubeObject, related: Related): Health {
  const unseen = notObserved(object);
  if (unseen !== undefined) return unseen;
  const spec = part<{ paused: boolean }>(object, 'spec');
  const wanted = replicasOf(object);
  const {
    replicas: total = 0,
    updatedReplicas: updated = 0,
    availableReplicas: available = 0,
  } = part<ReplicaStatus>(object, 'status');
  const pods = podsOf(object, related);
  const progress = conditionOf(object, 'Progressing');
  if (progress?.reason === 'ProgressDeadlineExceeded') {
    return failed(withPod(`${updated} of ${wanted} updated, the progress deadline passed`, pods));
  }
  if (spec.paused === true && (updated < wanted || total > updated)) {
    const run = heldBy(object);
    return progressing(
      `the rollout is paused${run === undefined ? '' : ` by run ${run}`}, ${updated} of ${wanted} updated`,
    );
  }
  const created = conditionOf(object, 'ReplicaFailure');
  if (created?.status === 'True') return failed(saidBy(created, 'pods cannot be created'));
  if (updated < wanted) return rolling(`${updated} of ${wanted} updated`, pods);
  if (total > updated) return rolling(`${total - updated} old ${plural(total - updated)} still there`, pods);
  if (available < updated) return rolling(`${available} of ${updated} updated ${plural(updated)} available`, pods);
  return ready(wanted === 0 ? 'scaled to zero' : `${available} of ${wanted} available`);
}

export function statefulSetHealth(object: KubeObject, related: Related): Health {
  const unseen = notObserved(object);
  if (unseen !== undefined) return unseen;
  const spec = part<{ updateStrategy: { type?: string; rollingUpdate?: { partition?: number } } }>(object, 'spec');
  const wanted = replicasOf(object);
  const status = part<ReplicaStatus>(object, 'status');
  const { replicas: total = 0, readyReplicas = 0, updatedReplicas: updated = 0 } = status;
  const pods = podsOf(object, related);
  if (spec.updateStrategy?.type === 'OnDelete') {
    return readyReplicas >= wanted
      ? ready(`${readyReplicas} of ${wanted} ready, updated when deleted`)
      : rolling(`${readyReplicas} of ${wanted} ready`, pods);
  }
  if (total > wanted) return rolling(`${total - wanted} ${plural(total - wanted)} too many`, pods);
  if (readyReplicas < wanted) return rolling(`${readyReplicas} of ${wanted} ready`, pods);
  const expected = Math.max(0, wanted - (spec.updateStrategy?.rollingUpdate?.partition ?? 0));
  const stale = status.currentRevision !== status.updateRevision && updated < expected;
  if (stale) return rolling(`${updated} of ${expected} updated`, pods);
  return ready(wanted === 0 ? 'scaled to zero' : `${readyReplicas} of ${wanted} ready`);
}

export function daemonSetHealth(object: KubeObject, related: Related): Health {
  const unseen = notObserved(object);
  if (unseen !== undefined) return unseen;
  const status = part<{ desiredNumberScheduled: number; updatedNumberScheduled: number; numberAvailable: number }>(
    object,
    'status',
  );
  const {
    desiredNumberScheduled: wanted = 0,
    updatedNumberScheduled: updated = 0,
    numberAvailable: available = 0,
  } = status;
  const onDelete = part<{ updateStrategy: { type?: string } }>(object, 'spec').updateStrategy?.type === 'OnDelete';
  const pods = podsOf(object, related);
  if (!onDelete && updated < wanted) return rolling(`${updated} of ${wanted} nodes updated`, pods);
  if (available < wanted) return rolling(`${available} of ${wanted} nodes available`, pods);
  return ready(`${available} of ${wanted} nodes available`);
}

/** Argo's Rollout says what it means in its phase; its observedGeneration is a text. */
export function rolloutHealth(object: KubeObject, related: Related): Health {
  const status = part<{ phase: string; message: string; updatedReplicas: number; availableReplicas: number }>(
    object,
    'status',
  );
  const pods = podsOf(object, related);
  if (!isObserved(object)) return progressing('Argo Rollouts has not seen the change yet');
  if (status.phase === 'Healthy') return ready(`${status.availableReplicas ?? 0} of ${replicasOf(object)} available`);
  if (status.phase === 'Degraded') return failed(withPod(status.message ?? 'Argo Rollouts calls it degraded', pods));
  const said =
    status.phase === undefined
      ? 'no phase yet'
      : `${status.phase}${status.message === undefined ? '' : `: ${status.message}`}`;
  return rolling(said, pods);
}

/** Pods of the workload, or of a ReplicaSet that it owns. */
export function podsOf(object: KubeObject, { pods = [], replicaSets = [] }: Related): readonly KubeObject[] {
  const owners = new Set(
    [object, ...replicaSets.filter((set) => isOwned(set, object))].map(({ metadata }) => metadata.uid ?? metadata.name),
  );
  return pods.filter((pod) => pod.metadata.ownerReferences?.some((owner) => owners.has(owner.uid)) === true);
}

const isOwned = (object: KubeObject, owner: KubeObject): boolean =>
  object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) === true;

function notObserved(object: KubeObject): Health | undefined {
  return isObserved(object) ? undefined : progressing('the controller has not seen the change yet');
}

function rolling(said: string, pods: readonly KubeObject[]): Health {
  return progressing(withPod(said, pods));
}

/** Names the pod that explains the wait: a stuck one before one that is merely not ready. */
function withPod(said: string, pods: readonly KubeObject[]): string {
  const waiting = pods.filter((pod) => !isPodReady(pod)).map((pod) => ({ pod, health: podHealth(pod) }));
  const blamed =
    waiting.find(({ health }) => health.state === 'failed') ??
    waiting.find(({ pod }) => pod.metadata.deletionTimestamp === undefined);
  return blamed === undefined ? said : `${said}, pod ${blamed.pod.metadata.name}: ${blamed.health.reason}`;
}

const plural = (count: number): string => (count === 1 ? 'pod' : 'pods');
