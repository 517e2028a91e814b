import { arch, hostname, platform, release } from 'node:os';
import type { JsonObject, KubeObject } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';
import { rfc3339, rfc3339Micro } from './status/time.ts';

/** As a kubelet has it: the lease keeps the node alive, its status is only refreshed. Milliseconds. */
const LEASE_MS = 10_000;
const STATUS_EVERY = 30;
const LEASE_SECONDS = 40;

/** More than the machine has: local processes are not limited, and manifests ask for what production has. */
export const ALLOCATABLE = {
  cpu: '64',
  memory: '256Gi',
  'ephemeral-storage': '100Gi',
  pods: '200',
  'nvidia.com/gpu': '8',
} as const;

export interface Registration {
  /** Stops the heartbeat. */
  stop(): void;
}

export interface RegistrationOptions {
  readonly cluster: Cluster;
  readonly name: string;
  readonly hostIP: string;
  readonly kubeletPort: number;
  readonly podCidr: string;
  /** Names with tags, so that a plan can tell which images can be had. */
  readonly images: readonly string[];
  readonly log: (line: string) => void;
}

/** Makes the Node object Ready and keeps it so. A node of that name that is there already is taken over. */
export async function register(options: RegistrationOptions): Promise<Registration> {
  const { version } = await options.cluster.identity();
  const bootId = crypto.randomUUID();
  const publish = async (): Promise<void> => {
    const ref = { apiVersion: 'v1', kind: 'Node', name: options.name } as const;
    const live = await options.cluster.get(ref);
    if (live === undefined) await options.cluster.create(nodeObject(options), { fieldManager: 'kubelet' });
    else
      await options.cluster.patch(
        ref,
        { type: 'merge', body: { metadata: { labels: labelsOf(options.name) } } },
        { fieldManager: 'kubelet' },
      );
    const body = { status: nodeStatus(options, version, bootId, live) } as unknown as JsonObject;
    await options.cluster.patch(ref, { type: 'strategic', body }, { subresource: 'status', fieldManager: 'kubelet' });
  };
  await publish();
  let beat = 0;
  let busy = false;
  const heartbeat = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    beat += 1;
    try {
      await renewLease(options);
      if (beat % STATUS_EVERY === 0) await publish();
    } catch (error) {
      options.log(`the node's heartbeat failed: ${String(error)}`);
    }
    busy = false;
  };
  // The namespace of leases may be younger than the node: then the next beat is the first.
  void heartbeat();
  const timer = setInterval(() => void heartbeat(), LEASE_MS);
  return { stop: () => clearInterval(timer) };
}

async function renewLease({ cluster, name }: RegistrationOptions): Promise<void> {
  const ref = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'kube-node-lease', name };
  const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: rfc3339Micro(Date.now()) };
  const lease = { apiVersion: ref.apiVersion, kind: ref.kind, metadata: { name, namespace: ref.namespace }, spec };
  await cluster.apply(lease, { fieldManager: 'kubelet', force: true });
}

function labelsOf(name: string): Readonly<Record<string, string>> {
  const architecture = goArch();
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': architecture,
  };
}

function goArch(): string {
  return arch() === 'x64' ? 'amd64' : arch();
}

function nodeObject({ name, podCidr }: RegistrationOptions): KubeObject {
  const annotations = { 'node.alpha.kubernetes.io/ttl': '0' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: labelsOf(name), annotations },
    spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
  };
}

function nodeStatus(
  { name, hostIP, kubeletPort, images }: RegistrationOptions,
  version: string,
  bootId: string,
  live: KubeObject | undefined,
): object {
  const now = rfc3339(Date.now());
  const before = ((live?.['status'] as { conditions?: Condition[] } | undefined)?.conditions ??
    []) as readonly Condition[];
  const condition = (type: string, status: string, reason: string, message: string): Condition => {
    const old = before.find((candidate) => candidate.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : now;
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime };
  };
  return {
    capacity: ALLOCATABLE,
    allocatable: ALLOCATABLE,
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'the sandbox runs pods as local processes'),
    ],
    addresses: [
      { type: 'InternalIP', address: hostIP },
      { type: 'Hostname', address: name },
    ],
    images: images.map((image) => ({ names: [image], sizeBytes: 1 })),
    daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
    nodeInfo: {
      machineID: hostname(),
      systemUUID: hostname(),
      bootID: bootId,
      kernelVersion: release(),
      osImage: `Backstay sandbox on ${platform()}`,
      containerRuntimeVersion: `backstay://${process.versions.node}`,
      kubeletVersion: version,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: goArch(),
    },
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastHeartbeatTime: string;
  readonly lastTransitionTime: string;
}
