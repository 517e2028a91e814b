import type { PodFacts } from '../../../src/sandbox/node/env/field-ref.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../../src/sandbox/node/pods/pod-types.ts';

/** A pod with sensible identity, for tables. */
export function podOf(
  spec: Partial<PodSpec> & { readonly containers: readonly Container[] },
  metadata: Partial<Pod['metadata']> = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-1',
      namespace: 'shop',
      uid: 'uid-1',
      labels: { app: 'web' },
      annotations: { note: 'x' },
      ...metadata,
    },
    spec: { nodeName: 'node-1', ...spec },
  };
}

export function factsOf(container: Container): PodFacts {
  return {
    pod: podOf({ containers: [container] }),
    podIP: '10.244.3.7',
    hostIP: '127.0.0.1',
    allocatable: { cpu: '4', memory: '8Gi' },
  };
}

export const TIMES = { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:01:00Z' };

/** A container status in one of the shapes that matter. */
export function statusOf(
  name: string,
  shape: 'waiting' | 'running' | 'ready' | 'crashed' | 'crash-loop' | 'completed',
): ContainerStatus {
  const terminated = {
    exitCode: shape === 'completed' ? 0 : 1,
    reason: shape === 'completed' ? 'Completed' : 'Error',
    ...TIMES,
  };
  const states = {
    waiting: { waiting: { reason: 'ContainerCreating' } },
    running: { running: { startedAt: TIMES.startedAt } },
    ready: { running: { startedAt: TIMES.startedAt } },
    crashed: { terminated },
    'crash-loop': { waiting: { reason: 'CrashLoopBackOff' } },
    completed: { terminated },
  };
  return {
    name,
    image: 'x:1',
    imageID: '',
    ready: shape === 'ready',
    started: shape === 'ready',
    restartCount: 0,
    state: states[shape],
    lastState: shape === 'crash-loop' ? { terminated } : {},
  };
}
