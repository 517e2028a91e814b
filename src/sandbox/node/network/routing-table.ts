import { localAddressOf } from '../../contract.ts';
import type { KubeObject } from '../../../model/index.ts';
import { serviceNames } from './names.ts';

export interface Endpoint {
  /** Where the process really listens. */
  readonly host: string;
  readonly port: number;
}

/** Where a dial goes: the endpoints to try in that order, or why there is none. */
export type Route =
  | { readonly ok: true; readonly endpoints: readonly Endpoint[] }
  /** `unknown`: no such name or address. `unavailable`: the Service is there, but nothing ready behind it. */
  | { readonly ok: false; readonly why: 'unknown' | 'unavailable'; readonly reason: string };

interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalName?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number }[];
  };
}

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null;
}

interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly hostname?: string;
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
}

/** Services and their endpoints as they are now: what kube-proxy and cluster DNS know elsewhere. */
export class RoutingTable {
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #byAddress = new Map<string, string>();
  readonly #turn = new Map<string, number>();

  applyService(type: 'added' | 'modified' | 'deleted', object: KubeObject): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    for (const address of clusterAddresses(this.#services.get(key))) this.#byAddress.delete(address);
    if (type === 'deleted') {
      this.#services.delete(key);
      return;
    }
    const service: Service = object;
    this.#services.set(key, service);
    for (const address of clusterAddresses(service)) this.#byAddress.set(address, key);
  }

  applySlice(type: 'added' | 'modified' | 'deleted', object: KubeObject): void {
    const service = object.metadata.labels?.['kubernetes.io/service-name'];
    if (service === undefined) return;
    const key = keyOf(object.metadata.namespace, service);
    const slices = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
    if (type === 'deleted') slices.delete(object.metadata.name);
    else slices.set(object.metadata.name, object);
    if (slices.size === 0) this.#slices.delete(key);
    else this.#slices.set(key, slices);
  }

  /** Route of a name or ClusterIP as a pod of `namespace` would dial it. Each call begins with the next endpoint in turn. */
  route(host: string, port: number, namespace = 'default'): Route {
    const byAddress = this.#byAddress.get(host);
    if (byAddress !== undefined) return this.#routeTo(byAddress, port, undefined);
    for (const name of serviceNames(host, namespace)) {
      const key = keyOf(name.namespace, name.service);
      if (this.#services.has(key)) return this.#routeTo(key, port, name.hostname);
    }
    return { ok: false, why: 'unknown', reason: `no Service answers to ${host}` };
  }

  /** Route of an Ingress's backend; the port by number or name. */
  routeBackend(namespace: string, service: string, port: number | string): Route {
    const key = keyOf(namespace, service);
    const found = this.#services.get(key);
    if (found === undefined) return { ok: false, why: 'unknown', reason: `there is no Service ${key}` };
    const number = found.spec?.ports?.find((candidate) => candidate.port === port || candidate.name === port)?.port;
    if (number === undefined) return { ok: false, why: 'unknown', reason: `Service ${key} has no port ${port}` };
    return this.#routeTo(key, number, undefined);
  }

  /** What DNS would answer for a name: the ClusterIP, or the ready pods of a headless Service. */
  addresses(host: string, namespace: string): readonly string[] {
    for (const name of serviceNames(host, namespace)) {
      const key = keyOf(name.namespace, name.service);
      const service = this.#services.get(key);
      if (service === undefined) continue;
      const own = clusterAddresses(service);
      if (own.length > 0) return own;
      return this.#usable(key, name.hostname).flatMap(({ endpoint }) => endpoint.addresses.slice(0, 1));
    }
    return [];
  }

  #routeTo(key: string, port: number, hostname: string | undefined): Route {
    const spec = this.#services.get(key)?.spec;
    if (spec?.type === 'ExternalName' && spec.externalName !== undefined) {
      return { ok: true, endpoints: [{ host: spec.externalName, port }] };
    }
    const headless = spec?.clusterIP === 'None';
    const servicePort = spec?.ports?.find((candidate) => candidate.port === port);
    if (!headless && servicePort === undefined) {
      const ports = (spec?.ports ?? []).map((candidate) => candidate.port).join(', ');
      return {
        ok: false,
        why: 'unavailable',
        reason: `Service ${key} has no port ${port} (it has ${ports || 'none'})`,
      };
    }
    const endpoints = this.#usable(key, hostname).flatMap(({ endpoint, slice }) => {
      // Behind a headless name the client's own port is dialled: there is nothing that could translate it.
      const target = headless
        ? port
        : slice.ports?.find((candidate) => (candidate.name ?? '') === (servicePort?.name ?? ''))?.port;
      const [address] = endpoint.addresses;
      return target === undefined || address === undefined ? [] : [{ host: localIfPod(address), port: target }];
    });
    if (endpoints.length === 0)
      return { ok: false, why: 'unavailable', reason: `Service ${key} has no ready endpoint for port ${port}` };
    const turn = this.#turn.get(key) ?? 0;
    this.#turn.set(key, turn + 1);
    const first = turn % endpoints.length;
    return { ok: true, endpoints: [...endpoints.slice(first), ...endpoints.slice(0, first)] };
  }

  /** Ready endpoints; when there are none, those that end but still serve, as kube-proxy has it. */
  #usable(key: string, hostname: string | undefined): readonly { endpoint: SliceEndpoint; slice: EndpointSlice }[] {
    const all = [...(this.#slices.get(key)?.values() ?? [])]
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .flatMap((slice) => (slice.endpoints ?? []).map((endpoint) => ({ endpoint, slice })))
      .filter(({ endpoint }) => hostname === undefined || endpoint.hostname === hostname);
    const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
    if (ready.length > 0) return ready;
    return all.filter(
      ({ endpoint: { conditions } }) => conditions?.serving === true && conditions.terminating === true,
    );
  }
}

/** Pod addresses are made up; anything else (an endpoint outside the cluster) is dialled as it stands. */
export function localIfPod(address: string): string {
  return address.startsWith('10.244.') ? localAddressOf(address) : address;
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? 'default'}/${name}`;
}

function clusterAddresses(service: Service | undefined): readonly string[] {
  const { clusterIP, clusterIPs } = service?.spec ?? {};
  return (clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP])).filter(
    (address) => address !== 'None' && address !== '',
  );
}
