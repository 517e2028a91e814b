import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parse } from 'yaml';
import type { KubeObject } from '../../../src/model/index.ts';
import { parseFrame } from '../../../src/sandbox/node/kubelet/websocket.ts';
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
  /** A command in the pod's container, by the WebSocket protocol v4. */
  exec(
    pod: string,
    command: readonly string[],
  ): Promise<{ readonly stdout: string; readonly stderr: string; readonly exitCode: number }>;
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
      await cluster.create({ ...object, metadata: { ...object.metadata, namespace } });
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
    exec: async (pod, command) => await execIn(sandbox.kubeconfig, namespace, pod, command),
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

/** The least client of the exec protocol: one request, messages until the server closes. */
async function execIn(
  kubeconfig: string,
  namespace: string,
  pod: string,
  command: readonly string[],
): ReturnType<Steps['exec']> {
  const config = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  const { 'client-certificate-data': cert, 'client-key-data': key } = config.users[0].user;
  const pem = (text: string): Buffer => Buffer.from(text, 'base64');
  const query = new URLSearchParams([
    ['container', 'main'],
    ['stdout', 'true'],
    ['stderr', 'true'],
    ...command.map((word): [string, string] => ['command', word]),
  ]);
  return await new Promise((resolve, reject) => {
    const sent = httpsRequest(`${server}/api/v1/namespaces/${namespace}/pods/${pod}/exec?${query.toString()}`, {
      ca: pem(ca),
      cert: pem(cert),
      key: pem(key),
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
        'sec-websocket-protocol': 'v4.channel.k8s.io',
      },
    });
    sent.on('error', reject);
    sent.on('response', (response) => reject(new TypeError(`exec was refused: ${response.statusCode}`)));
    sent.on('upgrade', (_response, socket, head) => {
      let bytes: Buffer = head;
      const channels = ['', '', '', ''];
      socket.on('data', (chunk: Buffer) => (bytes = Buffer.concat([bytes, chunk])));
      socket.on('close', () => {
        for (let frame = parseFrame(bytes); typeof frame === 'object'; frame = parseFrame(bytes)) {
          bytes = bytes.subarray(frame.size);
          if (frame.opcode === 2) channels[frame.data[0] ?? 0] += frame.data.subarray(1).toString();
        }
        const status = JSON.parse(channels[3] || '{}') as {
          status?: string;
          details?: { causes: { message: string }[] };
        };
        const exitCode = status.status === 'Success' ? 0 : Number(status.details?.causes[0]?.message);
        resolve({ stdout: channels[1] ?? '', stderr: channels[2] ?? '', exitCode });
      });
    });
    sent.end();
  });
}

interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } },
  ];
}
