import type { JsonObject, KubeObject } from '../../../model/index.ts';
import type { Cluster } from '../../../ports/index.ts';
import { follow } from './follow.ts';
import { type IngressListener, startIngressListener } from './ingress-listener.ts';
import { type Ingress, matchIngress } from './ingress-rules.ts';
import { RoutingTable } from './routing-table.ts';

export interface NetworkOptions {
  readonly cluster: Cluster;
  /** 0 takes a free port. */
  readonly ingressPort: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

export interface Network {
  readonly table: RoutingTable;
  /** `127.0.0.1:PORT`. */
  readonly ingress: string;
  close(): Promise<void>;
}

/** Follows Services, EndpointSlices and Ingresses, and serves Ingresses by them. */
export async function startNetwork(options: NetworkOptions): Promise<Network> {
  const { cluster, signal, log } = options;
  const table = new RoutingTable();
  const ingresses = new Map<string, Ingress>();
  const listener = await startIngressListener(options.ingressPort, (host, path) => {
    const target = matchIngress([...ingresses.values()], host, path);
    return target && table.routeBackend(target.namespace, target.service, target.port);
  });
  const applyIngress = (type: 'added' | 'modified' | 'deleted', object: KubeObject): void => {
    const key = `${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
    if (type === 'deleted') {
      ingresses.delete(key);
      return;
    }
    ingresses.set(key, object);
    void announce(options, listener, object);
  };
  await Promise.all([
    follow(
      cluster,
      { apiVersion: 'v1', kind: 'Service' },
      { signal, log, apply: (type, object) => table.applyService(type, object) },
    ),
    follow(
      cluster,
      { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
      { signal, log, apply: (type, object) => table.applySlice(type, object) },
    ),
    follow(cluster, { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' }, { signal, log, apply: applyIngress }),
  ]);
  return { table, ingress: `127.0.0.1:${listener.port}`, close: async () => await listener.close() };
}

/** Writes where the Ingress is served, as a controller does; nothing when it stands there already. */
async function announce(
  { cluster, signal, log }: NetworkOptions,
  listener: IngressListener,
  object: KubeObject,
): Promise<void> {
  const { name, namespace = 'default' } = object.metadata;
  const wanted = [{ ip: '127.0.0.1', ports: [{ port: listener.port, protocol: 'TCP' }] }];
  const status = object['status'] as
    | { loadBalancer?: { ingress?: { ip?: string; ports?: { port?: number }[] }[] } }
    | undefined;
  const [now] = status?.loadBalancer?.ingress ?? [];
  if (now?.ip === '127.0.0.1' && now.ports?.[0]?.port === listener.port) return;
  const ref = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace, name };
  const body = { status: { loadBalancer: { ingress: wanted } } } as unknown as JsonObject;
  try {
    await cluster.patch(ref, { type: 'merge', body }, { subresource: 'status', fieldManager: 'backstay-ingress' });
  } catch (error) {
    if (!signal.aborted) log(`status of ingress ${namespace}/${name} could not be written: ${String(error)}`);
  }
}
