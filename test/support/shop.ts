import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject, ObjectRef } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import { type Machine, type MachineOptions, machine } from './backstay.ts';
import { testCluster, testNamespace } from './cluster.ts';
import { API_VERSIONS, digestsOf } from './digests.ts';

/** What a command tells of a run, as JSON. */
export interface RunAnswer {
  readonly run: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly next?: string;
  readonly report?: { readonly markdown: string; readonly json: string };
}

export interface CaptureAnswer {
  readonly id: string;
  readonly isNew: boolean;
  readonly knownGood: boolean;
}

/** A small stack of echo pods in a namespace of its own, on a machine of its own. */
export interface Shop {
  readonly name: string;
  readonly namespace: string;
  readonly cluster: Cluster;
  readonly machine: Machine;
  /** Where `import` wrote what it was given, beside everything that Backstay writes. */
  readonly manifestsDir: string;
  /** Makes a snapshot of these objects alone. */
  import(label: string, objects: readonly KubeObject[]): Promise<string>;
  /** `backstay rollback … --yes --output json`, expected to end with 0. */
  rollback(args: readonly string[]): Promise<RunAnswer>;
  /** Captures without checks and gives the id: equal ids are byte for byte equal captured forms. */
  capture(args?: readonly string[]): Promise<CaptureAnswer>;
  get(kind: string, name: string): Promise<KubeObject>;
  /** A variable as a process of the Service sees it; undefined when it is not set. */
  envOf(service: string, name: string): Promise<string | undefined>;
  /** What each object is and who wrote it, as a digest by `kind/name`: a write of anybody but a status shows. */
  versions(): Promise<Readonly<Record<string, string>>>;
  remove(): Promise<void>;
}

/** `settings` are lines of YAML below `config:`, each indented by two blanks. */
export async function shop(prefix: string, settings: string, options: MachineOptions = {}): Promise<Shop> {
  const { cluster, kubeconfig } = await testCluster();
  const own = await testNamespace(prefix);
  const namespace = own.name;
  const name = `${prefix}-${randomBytes(3).toString('hex')}`;
  const here = await machine({ ...options, env: { KUBECONFIG: kubeconfig, ...options.env } });
  const manifestsDir = `${here.dir}-manifests`;
  await here.stack(
    name,
    `config:\n  backstay:namespaces: [${namespace}]\n  backstay:requireReason: false\n  backstay:readyTimeout: 1m\n${settings}`,
  );
  await here.ok(['keys', 'init', name]);
  const refTo = (kind: string, object: string): ObjectRef => ({
    apiVersion: API_VERSIONS[kind] ?? 'v1',
    kind,
    namespace,
    name: object,
  });
  return {
    name,
    namespace,
    cluster,
    machine: here,
    manifestsDir,
    import: async (label, objects) => {
      const dir = join(manifestsDir, label);
      await mkdir(dir, { recursive: true });
      await writeFile(join(dir, 'objects.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
      return (await here.json<{ id: string }>(['import-manifests', name, dir, '--as', label])).id;
    },
    rollback: async (args) => await here.json<RunAnswer>(['rollback', name, '--yes', ...args]),
    capture: async (args = ['--no-checks']) => await here.json<CaptureAnswer>(['capture', name, ...args]),
    get: async (kind, object) => {
      const found = await cluster.get(refTo(kind, object));
      if (found === undefined) throw new TypeError(`there is no ${kind} ${object} in ${namespace}`);
      return found;
    },
    envOf: async (service, variable) => {
      const { status, body } = await cluster.proxy({
        namespace,
        service,
        port: 80,
        method: 'GET',
        path: `/env/${variable}`,
      });
      if (status !== 200 && status !== 404) throw new TypeError(`${service} answers ${status}: ${body}`);
      return status === 404 ? undefined : body;
    },
    versions: async () => await digestsOf(cluster, namespace),
    remove: async () => {
      await own.remove();
      await here.remove();
      await rm(manifestsDir, { recursive: true, force: true });
    },
  };
}

export interface EchoOptions {
  readonly tag?: string;
  readonly reads?: readonly string[];
  readonly secrets?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly replicas?: number;
}

/** A Deployment of backstay/echo that reads ConfigMaps and Secrets as its environment. */
export function echo(namespace: string, name: string, options: EchoOptions = {}): KubeObject {
  const { tag = 'v1', reads = [], secrets = [], env = {}, labels = {}, replicas = 1 } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: { app: name, ...labels } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'echo',
              image: `backstay/echo:${tag}`,
              ports: [{ name: 'http', containerPort: 8080 }],
              envFrom: [
                ...reads.map((config) => ({ configMapRef: { name: config } })),
                ...secrets.map((secret) => ({ secretRef: { name: secret } })),
              ],
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
              readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1, timeoutSeconds: 2 },
            },
          ],
        },
      },
    },
  };
}

export function serviceOf(namespace: string, name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  };
}
