import { podHealth } from '../health/index.ts';
import { type KubeObject, type ObjectKey } from '../model/index.ts';

export interface ContainerSeen {
  readonly name: string;
  readonly restarts: number;
  /** It has written something, or may have. */
  readonly hasRun: boolean;
  readonly hasPrevious: boolean;
}

interface Status {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: { readonly running?: object; readonly terminated?: object };
  readonly lastState?: { readonly terminated?: object };
}

interface Statuses {
  readonly initContainerStatuses?: readonly Status[];
  readonly containerStatuses?: readonly Status[];
  readonly ephemeralContainerStatuses?: readonly Status[];
}

export function containersOf(pod: KubeObject): readonly ContainerSeen[] {
  const status = (pod['status'] ?? {}) as Statuses;
  const all = [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ];
  return all.map(({ name, restartCount = 0, state, lastState }) => ({
    name,
    restarts: restartCount,
    hasRun: state?.running !== undefined || state?.terminated !== undefined || restartCount > 0,
    hasPrevious: restartCount > 0 || lastState?.terminated !== undefined,
  }));
}

/** Pods in the order in which somebody would look: failed, not ready, restarted, changed by the plan, the rest. */
export function worstFirst(
  pods: ReadonlyMap<ObjectKey, readonly KubeObject[]>,
  changed: ReadonlySet<ObjectKey>,
): readonly { readonly pod: KubeObject; readonly rank: number }[] {
  const ranked = [...pods].flatMap(([workload, own]) =>
    own.map((pod) => ({ pod, rank: rankOf(pod, changed.has(workload)) })),
  );
  return ranked.sort((a, b) => a.rank - b.rank || (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1));
}

function rankOf(pod: KubeObject, isChanged: boolean): number {
  const { state } = podHealth(pod);
  if (state === 'failed') return 0;
  if (state !== 'ready') return 1;
  if (containersOf(pod).some(({ restarts }) => restarts > 0)) return 2;
  return isChanged ? 3 : 4;
}
