import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeInventory } from '../../src/actions/inventory.ts';
import { BackstayError } from '../../src/errors/index.ts';
import { keyOf, type KubeObject } from '../../src/model/index.ts';
import type { ApiKind, Cluster } from '../../src/ports/index.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { stackOf } from '../support/stack.ts';

let cluster: Cluster;
let namespace: string;
const IMAGE = 'medical-kg-rev/gateway:1.2.3';
const DIGEST = `sha256:${'a'.repeat(64)}`;

beforeAll(async () => {
  ({ cluster } = await testCluster());
  namespace = (await testNamespace('inventory')).name;
  const labels = { app: 'gateway' };
  const objects: KubeObject[] = [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace },
      data: { PDF_PROCESSING_BACKEND: 'docling', FROM_MAP: 'map' },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'ours', namespace, labels: { 'app.kubernetes.io/name': 'backstay' } },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace }, data: { TOKEN: 'Z2VoZWlt' } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'sh.helm.release.v1.x.v1', namespace },
      type: 'helm.sh/release.v1',
      data: { release: 'eA==' },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'gateway', namespace },
      spec: { selector: labels, ports: [{ port: 80 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'gateway', namespace },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            // No node takes it, so that what the test says about the pod stays.
            nodeSelector: { nobody: 'has-this' },
            containers: [
              {
                name: 'gateway',
                image: IMAGE,
                env: [
                  { name: 'PLAIN', value: 'one' },
                  {
                    name: 'BACKEND',
                    valueFrom: { configMapKeyRef: { name: 'settings', key: 'PDF_PROCESSING_BACKEND' } },
                  },
                  { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'TOKEN' } } },
                ],
                envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'X_' }],
              },
            ],
          },
        },
      },
    },
  ];
  for (const object of objects) await cluster.create(object);
  await runningPod();
});
afterAll(() => cluster.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace }));

/** Waits for the Deployment's pod and says about it what a node would. */
async function runningPod(): Promise<void> {
  const pods = await cluster.kindOf('v1', 'Pod');
  const stop = new AbortController();
  for await (const event of cluster.watch(pods!, { namespace, signal: stop.signal })) {
    if (event.type !== 'added') continue;
    const body = {
      status: {
        phase: 'Running',
        containerStatuses: [
          {
            name: 'gateway',
            ready: true,
            restartCount: 0,
            image: IMAGE,
            imageID: `registry.example/gateway@${DIGEST}`,
          },
        ],
      },
    };
    await cluster.patch(
      { apiVersion: 'v1', kind: 'Pod', namespace, name: event.object.metadata.name },
      { type: 'merge', body },
      { subresource: 'status' },
    );
    stop.abort();
  }
}

describe('the inventory of a stack', () => {
  it('has what is the stack’s state, in captured form and sorted, and says why the rest is left', async () => {
    const inventory = await takeInventory(cluster, stackOf(namespace));
    const keys = inventory.objects.map(keyOf);
    expect(keys).toEqual([
      `apps/Deployment/${namespace}/gateway`,
      `core/ConfigMap/${namespace}/settings`,
      `core/Secret/${namespace}/keys`,
      `core/Service/${namespace}/gateway`,
    ]);
    expect([...inventory.live.keys()]).toEqual(keys);
    const service = inventory.objects.find(({ kind }) => kind === 'Service');
    expect(service?.metadata).toEqual({ name: 'gateway', namespace });
    expect(service?.['spec']).not.toHaveProperty('clusterIP');
    expect(inventory.live.get(keys[3]!)?.['spec']).toHaveProperty('clusterIP');
    const left = Object.fromEntries(inventory.left.map(({ key, reason }) => [key, reason]));
    expect(left).toMatchObject({
      [`core/ConfigMap/${namespace}/ours`]: "Backstay's own",
      [`core/ConfigMap/${namespace}/kube-root-ca.crt`]: 'put into every namespace by the cluster',
      [`core/Secret/${namespace}/sh.helm.release.v1.x.v1`]: "Helm's own record of a release",
    });
    expect(inventory.identity).toEqual(await cluster.identity());
  });

  it('knows the pods behind a workload and the digest of the image that they run', async () => {
    const { pods, images } = await takeInventory(cluster, stackOf(namespace));
    const workload = `apps/Deployment/${namespace}/gateway` as never;
    expect(pods.get(workload)).toHaveLength(1);
    expect(images).toEqual([{ workload, container: 'gateway', image: IMAGE, digest: DIGEST }]);
  });

  it('resolves flags as a container would see them, and never reads a Secret for it', async () => {
    const of = (env: string) => ({ name: env, source: { workload: 'gateway', env } });
    const flags = [
      { name: 'map', source: { configMap: 'settings', key: 'PDF_PROCESSING_BACKEND' } },
      { name: 'absent', source: { configMap: 'settings', key: 'NOBODY' } },
      ...['PLAIN', 'BACKEND', 'X_FROM_MAP', 'TOKEN', 'NOBODY'].map(of),
    ];
    const inventory = await takeInventory(cluster, stackOf(namespace, { flags }));
    expect(inventory.flags.map(({ name, value }) => [name, value])).toEqual([
      ['map', 'docling'],
      ['absent', null],
      ['PLAIN', 'one'],
      ['BACKEND', 'docling'],
      ['X_FROM_MAP', 'map'],
      ['TOKEN', null],
      ['NOBODY', null],
    ]);
    expect(inventory.flags.find(({ name }) => name === 'BACKEND')?.source).toBe(
      'deployment/gateway container gateway: configmap/settings key PDF_PROCESSING_BACKEND',
    );
    expect(JSON.stringify(inventory.flags)).not.toContain('Z2VoZWlt');
  });

  it('leaves out what the stack excludes and takes in cluster-scoped objects only by name', async () => {
    const capture = {
      exclude: [{ kind: 'ConfigMap' }, { kind: 'Secret', name: 'k*' }],
      include: [{ kind: 'Namespace', name: namespace }],
    };
    const { objects } = await takeInventory(cluster, stackOf(namespace, { capture }));
    expect(objects.map(({ kind }) => kind)).toEqual(['Deployment', 'Namespace', 'Service']);
  });

  it('names at once everything that may not be listed, unless the stack excludes it', async () => {
    const forbidding: Cluster = {
      ...cluster,
      list: (kind: ApiKind, options) =>
        ['Secret', 'Service'].includes(kind.kind) ? Promise.reject(forbidden(kind)) : cluster.list(kind, options),
    };
    const asked = takeInventory(forbidding, stackOf(namespace));
    await expect(asked).rejects.toMatchObject({
      code: 'CLUSTER_FORBIDDEN',
      message: `User ada may not list secrets in ${namespace}, services in ${namespace}.`,
    });
    const capture = { exclude: [{ kind: 'Secret' }, { kind: 'Service' }], include: [] };
    await expect(takeInventory(forbidding, stackOf(namespace, { capture }))).resolves.toHaveProperty('objects');
  });

  const forbidden = (kind: ApiKind): BackstayError =>
    new BackstayError('CLUSTER_FORBIDDEN', 'no', {
      details: { verb: 'list', resource: kind.resource, group: kind.group, namespace, user: 'ada' },
    });

  it('stops at the first other error', async () => {
    const broken: Cluster = {
      ...cluster,
      list: () => Promise.reject(new BackstayError('CLUSTER_UNREACHABLE', 'gone')),
    };
    await expect(takeInventory(broken, stackOf(namespace))).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  });
});
