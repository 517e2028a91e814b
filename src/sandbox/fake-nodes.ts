import type { Cluster } from '../ports/index.ts';
import { connectCluster } from '../adapters/kubernetes/index.ts';
import { startProcess } from './processes.ts';
import type { Watchdog } from './watchdog.ts';

export interface FakeNodes {
  stop(): Promise<void>;
}

/** Pods reach a fake node by tolerating this taint; nothing else lands there. */
export const FAKE_NODE_TAINT = 'kwok.x-k8s.io/node';

/** kwok and `count` nodes whose pods are ready at once: for measuring roll-outs, never for rehearsing. */
export async function startFakeNodes(options: {
  readonly dir: string;
  readonly kwok: string;
  readonly kubeconfig: string;
  readonly count: number;
  readonly watchdog: Watchdog;
}): Promise<FakeNodes> {
  const kwok = startProcess({
    name: 'kwok',
    command: options.kwok,
    args: [
      `--kubeconfig=${options.kubeconfig}`,
      `--manage-nodes-with-annotation-selector=${FAKE_NODE_TAINT}=fake`,
      '--server-address=127.0.0.1:0',
      // Without leases a fake node turns NotReady after a minute, and every pod with it.
      '--node-lease-duration-seconds=40',
    ],
    dir: options.dir,
    watchdog: options.watchdog,
  });
  const cluster = await connectCluster({ kubeconfig: options.kubeconfig });
  try {
    for (let index = 0; index < options.count; index += 1) await createFakeNode(cluster, `fake-${index}`);
  } finally {
    await cluster.close();
  }
  return { stop: () => kwok.stop(500) };
}

async function createFakeNode(cluster: Cluster, name: string): Promise<void> {
  const capacity = { cpu: '64', memory: '256Gi', pods: '500' };
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { [FAKE_NODE_TAINT]: 'fake' },
      labels: {
        type: 'kwok',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
      },
    },
    spec: { taints: [{ key: FAKE_NODE_TAINT, value: 'fake', effect: 'NoSchedule' }] },
    status: { allocatable: capacity, capacity, phase: 'Running' },
  });
}
