import type { KubeObject } from '../../src/model/index.ts';
import type { Shop } from './shop.ts';
import type { TestPostgres } from './postgres-server.ts';

export interface WriterOptions {
  readonly replicas?: number;
  readonly tag?: string;
  readonly reads?: readonly string[];
  readonly database?: string;
}

/** A Deployment whose pods write to a database of the test, and go on for half a second after they were asked to go. */
export function writer(namespace: string, name: string, server: TestPostgres, options: WriterOptions = {}): KubeObject {
  const { replicas = 1, tag = '1', reads = [], database = 'books' } = options;
  const env = {
    APP: name,
    PGHOST: '127.0.0.1',
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGPASSWORD: server.password,
    PGDATABASE: database,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [
            {
              name: 'writer',
              image: `backstay-test/writer:${tag}`,
              ports: [{ name: 'http', containerPort: 8080 }],
              envFrom: reads.map((config) => ({ configMapRef: { name: config } })),
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
              readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1, timeoutSeconds: 2 },
            },
          ],
        },
      },
    },
  };
}

/** The same as one pod on every node. */
export function shipper(namespace: string, name: string, server: TestPostgres): KubeObject {
  const { replicas: _, ...spec } = writer(namespace, name, server)['spec'] as Readonly<Record<string, unknown>>;
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace }, spec };
}

/** Would begin a Job at New Year. */
export function nightly(namespace: string, name: string): KubeObject {
  const container = { name: 'job', image: 'backstay-test/writer:1', command: ['node', '-e', ''] };
  const template = { spec: { restartPolicy: 'Never', containers: [container] } };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name, namespace },
    spec: { schedule: '0 0 1 1 *', suspend: false, jobTemplate: { spec: { template } } },
  };
}

/** Scales a Deployment with CPU that nobody measures: it is there, and holds still. */
export function autoscaler(namespace: string, name: string): KubeObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace },
    spec: {
      minReplicas: 2,
      maxReplicas: 6,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
      ],
    },
  };
}

/** Replicas as they are asked for and as they are ready. */
export async function replicasOf(
  here: Shop,
  name: string,
): Promise<{ readonly wanted: number; readonly ready: number }> {
  const { spec, status } = (await here.get('Deployment', name)) as unknown as {
    readonly spec: { readonly replicas: number };
    readonly status: { readonly readyReplicas?: number };
  };
  return { wanted: spec.replicas, ready: status.readyReplicas ?? 0 };
}

/** Waits by watch until so many are ready. */
export async function untilRunning(here: Shop, name: string, ready: number): Promise<void> {
  const kind = await here.cluster.kindOf('apps/v1', 'Deployment');
  if (kind === undefined) throw new TypeError('no Deployments');
  const signal = AbortSignal.timeout(120_000);
  for await (const event of here.cluster.watch(kind, { namespace: here.namespace, name, signal })) {
    if (event.type === 'synced') continue;
    const { status } = event.object as unknown as { readonly status?: { readonly readyReplicas?: number } };
    if ((status?.readyReplicas ?? 0) === ready) return;
  }
  throw new TypeError(`${name} has not ${ready} ready pods`);
}
