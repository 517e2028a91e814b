import type { JsonObject } from '../../../model/index.ts';
import type { ContainerStatus, Pod, PodCondition, PodPhase } from '../pods/pod-types.ts';
import { rfc3339 } from './time.ts';

export interface PodStatusInput {
  readonly pod: Pod;
  readonly podIP: string | undefined;
  readonly hostIP: string;
  readonly startTime: string;
  readonly containers: readonly ContainerStatus[];
  readonly initContainers: readonly ContainerStatus[];
  /** Set when the node itself ended the pod (deadline passed, no address left). */
  readonly failed?: { readonly reason: string; readonly message: string };
  /** No container will be started again: the pod is being deleted or has come to its end. */
  readonly ending: boolean;
  /** Conditions as they were last written, for their transition times. */
  readonly before: readonly PodCondition[];
  /** Milliseconds. */
  readonly now: number;
}

/**
 * The part of a pod's status that a kubelet writes, for a strategic merge patch: conditions are merged by type, so those
 * of the scheduler and of controllers stay. Fields that must go are null.
 */
export function buildPodStatus(
  input: PodStatusInput,
): JsonObject & { readonly conditions: readonly PodCondition[] & JsonObject[] } {
  const { pod, podIP, hostIP, startTime } = input;
  const phase = podPhase(input);
  const conditions = podConditions(input, phase);
  const status = {
    phase,
    reason: input.failed?.reason ?? null,
    message: input.failed?.message ?? null,
    startTime,
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP === undefined
      ? {}
      : {
          podIP, // An address from the node's earlier life would otherwise be merged with the new one.
          podIPs: [{ ip: podIP }, { $patch: 'replace' }],
        }),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    conditions,
    containerStatuses: input.containers,
    ...(input.initContainers.length === 0 ? {} : { initContainerStatuses: input.initContainers }),
  };
  return status as unknown as ReturnType<typeof buildPodStatus>;
}

/** Phase by a kubelet's rules. A container that waits for its next start counts as stopped, so a crash loop is Running. */
export function podPhase(
  input: Pick<PodStatusInput, 'pod' | 'containers' | 'initContainers' | 'failed' | 'ending'>,
): PodPhase {
  if (input.failed !== undefined) return 'Failed';
  const policy = input.pod.spec.restartPolicy ?? 'Always';
  const init = initProgress(input);
  if (init === 'failed') return 'Failed';
  const kinds = input.containers.map(containerKind);
  const count = (kind: ReturnType<typeof containerKind>): number =>
    kinds.filter((candidate) => candidate === kind).length;
  const [waiting, running, succeeded, failed] = [
    count('waiting'),
    count('running'),
    count('succeeded'),
    count('failed'),
  ];
  if (input.ending && running === 0) return waiting + failed > 0 ? 'Failed' : 'Succeeded';
  if (init === 'pending' || waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (policy === 'Always') return 'Running';
  if (failed === 0 && succeeded > 0) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function containerKind(status: ContainerStatus): 'waiting' | 'running' | 'succeeded' | 'failed' {
  if (status.state.running !== undefined) return 'running';
  const ended = status.state.terminated ?? status.lastState.terminated;
  if (ended === undefined) return 'waiting';
  return ended.exitCode === 0 ? 'succeeded' : 'failed';
}

function initProgress({
  pod,
  initContainers,
}: Pick<PodStatusInput, 'pod' | 'initContainers'>): 'done' | 'pending' | 'failed' {
  for (const [index, status] of initContainers.entries()) {
    if (initDone(pod, index, status)) continue;
    const ended = status.state.terminated;
    return ended !== undefined && ended.exitCode !== 0 && pod.spec.restartPolicy === 'Never' ? 'failed' : 'pending';
  }
  return 'done';
}

function initDone(pod: Pod, index: number, status: ContainerStatus): boolean {
  const sidecar = pod.spec.initContainers?.[index]?.restartPolicy === 'Always';
  return sidecar ? status.started || status.state.terminated !== undefined : status.state.terminated?.exitCode === 0;
}

function podConditions(input: PodStatusInput, phase: PodPhase): PodCondition[] {
  const { pod, containers, initContainers } = input;
  const uninitialised = initContainers
    .filter((status, index) => !initDone(pod, index, status))
    .map((status) => status.name);
  const sidecars = initContainers.filter(
    (_status, index) => pod.spec.initContainers?.[index]?.restartPolicy === 'Always',
  );
  const unready = [...sidecars, ...containers].filter((status) => !status.ready).map((status) => status.name);
  const over: Verdict | undefined =
    phase === 'Succeeded' ? ['False', 'PodCompleted'] : phase === 'Failed' ? ['False', 'PodFailed'] : undefined;
  const containersReady: Verdict =
    over ??
    (unready.length === 0
      ? ['True']
      : ['False', 'ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`]);
  const verdicts: Record<string, Verdict> = {
    PodReadyToStartContainers: input.podIP === undefined || over !== undefined ? ['False'] : ['True'],
    Initialized:
      uninitialised.length === 0
        ? over === undefined || phase === 'Failed'
          ? ['True']
          : ['True', 'PodCompleted']
        : ['False', 'ContainersNotInitialized', `containers with incomplete status: [${uninitialised.join(' ')}]`],
    Ready: readyVerdict(pod, containersReady),
    ContainersReady: containersReady,
  };
  return Object.entries(verdicts).map(([type, [status, reason, message]]) => {
    const before = input.before.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : undefined;
    return {
      type,
      status,
      reason: reason ?? null,
      message: message ?? null,
      lastProbeTime: null,
      lastTransitionTime: lastTransitionTime ?? rfc3339(input.now),
    } as PodCondition;
  });
}

type Verdict = readonly [status: 'True' | 'False', reason?: string, message?: string];

function readyVerdict(pod: Pod, containersReady: Verdict): Verdict {
  if (containersReady[0] === 'False') return containersReady;
  const missing = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status !== 'True',
  );
  if (missing.length === 0) return ['True'];
  const gates = missing.map(
    ({ conditionType }) => `corresponding condition of pod readiness gate "${conditionType}" does not exist.`,
  );
  return ['False', 'ReadinessGatesNotReady', gates.join(', ')];
}
