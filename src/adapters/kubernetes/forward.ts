import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { MessageEvent } from 'undici';
import { BackstayError } from '../../errors/index.ts';
import type { KubeObject } from '../../model/index.ts';
import type { Cluster, Forward, ForwardRequest } from '../../ports/index.ts';
import type { Transport } from './transport.ts';

/** Passed through to the node as it is, as for exec. */
const PROTOCOL = 'v4.channel.k8s.io';
const CHANNEL = { data: 0, error: 1 } as const;
/** Bytes that may wait to be sent before the sender is held back. */
const MOST_WAITING = 1 << 20;
/** A WebSocket tells no drain; its buffer is looked at again after so long, milliseconds. */
const LOOK_AGAIN_MS = 5;

/**
 * Listens on a port of this machine's loopback and carries each connection through the API server to a ready pod of the
 * Service, as `kubectl port-forward` does. A pod that goes away ends its connections; the next one finds another pod.
 */
export async function forwardTo(
  transport: Transport,
  cluster: Pick<Cluster, 'get' | 'list' | 'kindOf'>,
  request: ForwardRequest,
): Promise<Forward> {
  await destinationOf(cluster, request);
  const open = new Set<Socket>();
  const server = createServer((local) => {
    open.add(local);
    local.once('close', () => open.delete(local));
    local.on('error', () => local.destroy());
    local.pause();
    carry(local, transport, cluster, request).catch(() => local.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const local of open) local.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

async function carry(
  local: Socket,
  transport: Transport,
  cluster: Pick<Cluster, 'get' | 'list' | 'kindOf'>,
  request: ForwardRequest,
): Promise<void> {
  const { pod, port } = await destinationOf(cluster, request);
  const path = `/api/v1/namespaces/${encodeURIComponent(request.namespace)}/pods/${encodeURIComponent(pod)}/portforward?ports=${port}`;
  const remote = await transport.socket(path, PROTOCOL);
  remote.binaryType = 'arraybuffer';
  // The first message of each channel only repeats the port.
  const begun = new Set<number>();
  remote.addEventListener('message', ({ data }: MessageEvent) => {
    const message = Buffer.from(data as ArrayBuffer);
    const channel = message[0] ?? -1;
    if (!begun.has(channel)) begun.add(channel);
    else if (channel === CHANNEL.data) local.write(message.subarray(1));
    else if (channel === CHANNEL.error) local.destroy();
  });
  remote.addEventListener('close', () => local.destroySoon());
  remote.addEventListener('error', () => local.destroy());
  remote.addEventListener('open', () => local.resume());
  local.on('data', (chunk: Buffer) => {
    remote.send(Buffer.concat([Buffer.from([CHANNEL.data]), chunk]));
    if (remote.bufferedAmount <= MOST_WAITING) return;
    local.pause();
    void (async () => {
      while (remote.bufferedAmount > MOST_WAITING && !local.destroyed) await delay(LOOK_AGAIN_MS);
      local.resume();
    })();
  });
  local.once('close', () => remote.close());
}

interface ServiceSpec {
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: number | string }[];
}

/** @throws ENDPOINT_UNREACHABLE when there is no such Service, port, or ready pod */
async function destinationOf(
  cluster: Pick<Cluster, 'get' | 'list' | 'kindOf'>,
  { namespace, service, port }: ForwardRequest,
): Promise<{ readonly pod: string; readonly port: number }> {
  const unreachable = (why: string): BackstayError =>
    new BackstayError('ENDPOINT_UNREACHABLE', `service/${service} in ${namespace} cannot be reached: ${why}`, {
      details: { namespace, service, port },
    });
  const found = await cluster.get({ apiVersion: 'v1', kind: 'Service', namespace, name: service });
  if (found === undefined) throw unreachable('there is no such Service');
  const { selector = {}, ports = [] } = (found['spec'] ?? {}) as ServiceSpec;
  const wanted = ports.find((one) => one.port === port || one.name === port);
  if (wanted === undefined) throw unreachable(`it has no port ${port}`);
  const kind = await cluster.kindOf('v1', 'Pod');
  const labelSelector = Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  if (kind === undefined || labelSelector === '') throw unreachable('it selects no pods');
  const { items } = await cluster.list(kind, { namespace, labelSelector });
  const ready = items.find(isReady);
  if (ready === undefined) throw unreachable('none of its pods is ready');
  const target = wanted.targetPort ?? wanted.port;
  const number = typeof target === 'number' ? target : portNamed(ready, target);
  if (number === undefined) throw unreachable(`pod ${ready.metadata.name} has no port ${target}`);
  return { pod: ready.metadata.name, port: number };
}

function isReady({ metadata, ...pod }: KubeObject): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  return (
    metadata.deletionTimestamp === undefined &&
    conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  );
}

function portNamed(pod: KubeObject, name: string): number | undefined {
  const { containers = [] } = (pod['spec'] ?? {}) as {
    readonly containers?: readonly {
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
    }[];
  };
  return containers.flatMap(({ ports = [] }) => ports).find((one) => one.name === name)?.containerPort;
}
