import { request } from 'node:http';
import type { KubeObject } from '../../../src/model/index.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../../src/sandbox/node/pods/pod-types.ts';
import { testCluster } from '../../support/cluster.ts';

/** Steps that the node's tests share, in one namespace. */
export interface Steps {
  readonly namespace: string;
  create(
    object: Omit<KubeObject, 'metadata'> & {
      readonly apiVersion: string;
      readonly kind: string;
      readonly metadata: { readonly name: string };
    },
  ): Promise<void>;
  pod(name: string, spec: Partial<PodSpec> & Pick<PodSpec, 'containers'>): Promise<void>;
  deployment(name: string, tag: string, env?: Readonly<Record<string, string>>, replicas?: number): Promise<void>;
  service(name: string, app: string): Promise<void>;
  /** Watches until the object fits; undefined stands for a deleted one. */
  until(
    kind: string,
    name: string,
    fits: (object: KubeObject | undefined) => boolean,
    apiVersion?: string,
  ): Promise<KubeObject | undefined>;
  podUntil(name: string, fits: (main: ContainerStatus, pod: Pod) => boolean): Promise<Pod>;
  logs(pod: string, options?: { readonly previous?: boolean; readonly tailLines?: number }): Promise<string>;
  /** GET by the pod proxy of the API server; the body, as text. */
  ask(pod: string, path: string): Promise<string>;
  /** Events of a pod: reason to message. */
  events(pod: string): Promise<Readonly<Record<string, string>>>;
  /** GET by the Ingress listener. */
  ingress(host: string, path?: string): Promise<{ readonly status: number; readonly body: string }>;
}

export async function stepsIn(namespace: string): Promise<Steps> {
  const { cluster, sandbox } = await testCluster();
  const until: Steps['until'] = async (kind, name, fits, apiVersion = 'v1') => {
    const served = await cluster.kindOf(apiVersion, kind);
    if (served === undefined) throw new TypeError(`${kind} is not served`);
    const abort = new AbortController();
    try {
      for await (const event of cluster.watch(served, { namespace, name, signal: abort.signal })) {
        if (event.type === 'synced') {
          if ((await cluster.get({ apiVersion, kind, namespace, name })) === undefined && fits(undefined))
            return undefined;
          continue;
        }
        const object = event.type === 'deleted' ? undefined : event.object;
        if (fits(object)) return object;
      }
    } finally {
      abort.abort();
    }
    throw new TypeError(`the watch of ${kind}/${name} ended`);
  };
  return {
    namespace,
    until,
    create: async (object) => {
      await cluster.create({ ...object, metadata: { ...object.metadata, namespace } } as unknown as KubeObject);
    },
    pod: async (name, spec) => {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 1, ...spec },
      });
    },
    deployment: async (name, tag, env = {}, replicas = 1) => {
      await cluster.create({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: { terminationGracePeriodSeconds: 1, containers: [echo(tag, env)] },
          },
        },
      });
    },
    service: async (name, app) => {
      const spec = { selector: { app }, ports: [{ port: 80, targetPort: 8080 }] };
      await cluster.create({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec });
    },
    podUntil: async (name, fits) => {
      const found = await until('Pod', name, (object) => {
        const pod = object as Pod | undefined;
        const main = pod?.status?.containerStatuses?.[0];
        return pod !== undefined && main !== undefined && fits(main, pod);
      });
      return found as Pod;
    },
    logs: async (pod, options = {}) => await cluster.logs({ namespace, pod, container: 'main', ...options }),
    ask: async (pod, path) => (await cluster.proxy({ namespace, pod, port: 8080, method: 'GET', path })).body,
    events: async (pod) => {
      const kind = await cluster.kindOf('v1', 'Event');
      const list = kind && (await cluster.list(kind, { namespace, fieldSelector: `involvedObject.name=${pod}` }));
      return Object.fromEntries(
        (list?.items ?? []).map((event) => [String(event['reason']), String(event['message'])]),
      );
    },
    ingress: (host, path = '/') =>
      new Promise((resolve, reject) => {
        const [address, port] = sandbox.ingress.split(':');
        const sent = request({ host: address, port, path, headers: { host }, agent: false }, (response) => {
          let body = '';
          response.on('data', (part: Buffer) => (body += part.toString()));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        });
        sent.on('error', reject);
        sent.end();
      }),
  };
}

/** A container of the echo image; ready once it listens. */
export function echo(tag: string, env: Readonly<Record<string, string>> = {}): Container {
  return {
    name: 'main',
    image: `backstay-test/echo:${tag}`,
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1, failureThreshold: 1 },
  };
}
