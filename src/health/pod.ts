import { type KubeObject, PAUSED_BY } from '../model/index.ts';
import { conditionOf, failed, type Health, part, progressing, ready, saidBy, unknown } from './verdict.ts';

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: object;
    readonly terminated?: { readonly reason?: string; readonly exitCode: number; readonly message?: string };
  };
  readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode: number } };
}

interface PodStatus {
  readonly phase: string;
  readonly reason: string;
  readonly message: string;
  readonly containerStatuses: readonly ContainerStatus[];
  readonly initContainerStatuses: readonly ContainerStatus[];
}

/** Waiting reasons that another try may mend only when somebody changes something. */
const STUCK = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CrashLoopBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

export function podHealth(pod: KubeObject): Health {
  const status = part<PodStatus>(pod, 'status');
  const stuck = stuckReason(pod);
  if (pod.metadata.deletionTimestamp !== undefined) return progressing('is being deleted');
  if (status.phase === 'Succeeded') return ready('ended with success');
  if (status.phase === 'Failed') return failed(saidBy(status, firstExit(status) ?? 'ended with a failure'));
  if (stuck !== undefined) return failed(stuck);
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status === 'False') return progressing(saidBy(scheduled, 'is not scheduled yet'));
  const condition = conditionOf(pod, 'Ready');
  if (condition?.status === 'True') return ready('is ready');
  if (status.phase === 'Running')
    return progressing(notReady(status) ?? saidBy(condition, 'runs and is not ready yet'));
  if (status.phase === 'Pending') return progressing(notReady(status) ?? 'is starting');
  return unknown(status.phase === undefined ? 'has no status yet' : `is in phase ${status.phase}`);
}

/** `ImagePullBackOff: …` when a container waits for somebody to change something. */
export function stuckReason(pod: KubeObject): string | undefined {
  const status = part<PodStatus>(pod, 'status');
  for (const container of allContainers(status)) {
    const waiting = container.state?.waiting;
    if (waiting?.reason === undefined || !STUCK.has(waiting.reason)) continue;
    const last = container.lastState?.terminated;
    const exit =
      last === undefined ? '' : `, last exit ${last.exitCode}${last.reason === undefined ? '' : ` (${last.reason})`}`;
    return `container ${container.name}: ${saidBy(waiting, waiting.reason)}${exit}`;
  }
  return undefined;
}

export function isPodReady(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready')?.status === 'True';
}

/** Whether a run holds the rollout of a workload. */
export function heldBy(object: KubeObject): string | undefined {
  return object.metadata.annotations?.[PAUSED_BY];
}

const allContainers = (status: Partial<PodStatus>): readonly ContainerStatus[] => [
  ...(status.initContainerStatuses ?? []),
  ...(status.containerStatuses ?? []),
];

function notReady(status: Partial<PodStatus>): string | undefined {
  const waiting = allContainers(status).find(
    (container) => !container.ready && container.state?.terminated?.exitCode !== 0,
  );
  if (waiting === undefined) return undefined;
  const said = saidBy(waiting.state?.waiting, waiting.state?.running === undefined ? 'starting' : 'not ready');
  return `container ${waiting.name}: ${said}`;
}

function firstExit(status: Partial<PodStatus>): string | undefined {
  const ended = allContainers(status).find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  const exit = ended?.state?.terminated;
  return exit === undefined
    ? undefined
    : `container ${ended?.name} ended with ${exit.exitCode}: ${saidBy(exit, 'no reason given')}`;
}
