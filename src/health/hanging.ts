import { type KubeObject, keyOf, type ObjectKey } from '../model/index.ts';
import { conditionOf } from './verdict.ts';

/** Milliseconds that a node may need beside the grace to say that a pod is gone. */
const SLACK_MS = 5_000;

export interface HangingPod {
  readonly pod: KubeObject;
  readonly workload: ObjectKey;
  /** For people: `is being deleted for 12 s longer than its grace`. */
  readonly why: string;
}

export interface HangingQuestion {
  readonly workloads: ReadonlySet<ObjectKey>;
  readonly pods: readonly KubeObject[];
  readonly replicaSets: readonly KubeObject[];
  /** Absent: they cannot be seen, and none is taken to be gone. */
  readonly nodes: readonly KubeObject[] | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Pods of these workloads that hang: being deleted for longer than their grace, or bound to a node that is gone or does not
 * answer. A pod that is over (Succeeded, Failed) does not hang unless it is being deleted.
 */
export function hangingPods(question: HangingQuestion): readonly HangingPod[] {
  const { workloads, pods, replicaSets, now } = question;
  const sets = new Map(replicaSets.map((set) => [keyOf(set), set]));
  const nodes = question.nodes && new Map(question.nodes.map((node) => [node.metadata.name, node]));
  return pods.flatMap((pod) => {
    const workload = workloadOf(pod, sets);
    if (workload === undefined || !workloads.has(workload)) return [];
    const why = overdue(pod, now) ?? lost(pod, nodes);
    return why === undefined ? [] : [{ pod, workload, why }];
  });
}

/** Which flag helps an object that does not go because of these finalizers, as the end of a sentence; empty: none. */
export function helpFor(finalizers: readonly string[]): string {
  // The API server puts this one on: what waits is what the object owns.
  if (finalizers.length === 1 && finalizers[0] === 'foregroundDeletion')
    return ' (what it owns has not gone yet: --force-pods deletes pods that hang)';
  return finalizers.length === 0 ? '' : ' (--force-finalizers takes them off)';
}

/** The server sets `deletionTimestamp` to when the grace is over. */
function overdue({ metadata }: KubeObject, now: number): string | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined;
  const late = now - Date.parse(metadata.deletionTimestamp);
  if (late < SLACK_MS) return undefined;
  return `is being deleted for ${Math.round(late / 1000)} s longer than its grace`;
}

function lost(pod: KubeObject, nodes: ReadonlyMap<string, KubeObject> | undefined): string | undefined {
  const { nodeName } = (pod['spec'] ?? {}) as { readonly nodeName?: string };
  const { phase } = (pod['status'] ?? {}) as { readonly phase?: string };
  if (nodes === undefined || nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') return undefined;
  const node = nodes.get(nodeName);
  if (node === undefined) return `its node ${nodeName} is gone`;
  // `Unknown` is what the control plane writes when the node stopped answering; `False` the node says itself.
  return conditionOf(node, 'Ready')?.status === 'Unknown' ? `its node ${nodeName} does not answer` : undefined;
}

/** The workload that a pod belongs to, through its ReplicaSet where there is one. */
function workloadOf(pod: KubeObject, sets: ReadonlyMap<ObjectKey, KubeObject>): ObjectKey | undefined {
  const owner = ownerOf(pod);
  if (owner === undefined) return undefined;
  const set = sets.get(owner);
  return (set === undefined ? undefined : ownerOf(set)) ?? owner;
}

function ownerOf({ metadata }: KubeObject): ObjectKey | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return undefined;
  const { apiVersion, kind, name } = owner;
  const { namespace } = metadata;
  return keyOf({ apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) });
}
