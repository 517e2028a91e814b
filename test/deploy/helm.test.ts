import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { isCaptured, isCapturedKind, type KubeObject } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import { findTool } from '../../src/toolchain/index.ts';
import { PROJECT } from '../support/backstay.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { echo, type Shop, shop } from '../support/shop.ts';

const CHART = join(PROJECT, 'deploy', 'helm', 'backstay');
type Values = Readonly<Record<string, unknown>>;

let helm: string;
let folder: string;
beforeAll(async () => {
  ({ path: helm } = await findTool('helm'));
  folder = await mkdtemp(join(tmpdir(), 'backstay-helm-'));
}, 300_000);
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const VALUES: Values = {
  namespaces: ['shop-a', 'shop-b'],
  stacks: { shop: 'config:\n  backstay:namespaces: [shop-a, shop-b]\n' },
  settings: {
    listen: '0.0.0.0:7787',
    oidc: [{ issuer: 'https://id.example', audience: 'backstay', rules: [] }],
  },
  tls: { existingSecret: 'backstay-tls' },
  existingSecret: 'backstay-env',
  keys: { shop: 'shop-keys' },
  serviceMonitor: { enabled: true, tokenSecret: 'scraper' },
  prometheusRule: { enabled: true },
};

async function withHelm(
  args: readonly string[],
  values: Values,
  release = 'backstay',
  namespace = 'ops',
): Promise<string> {
  const file = join(folder, 'values.yaml');
  await writeFile(file, stringify(values));
  const all = [...args.slice(0, 1), ...(args[0] === 'template' ? [release] : []), CHART, ...args.slice(1)];
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  const { stdout } = await promisify(execFile)(
    helm,
    [...all, '--namespace', namespace, '--values', file, '--kube-version', '1.35.4'],
    { env },
  );
  return stdout;
}

const render = async (values: Values, release?: string, namespace?: string): Promise<readonly KubeObject[]> =>
  parseAllDocuments(await withHelm(['template'], values, release, namespace))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);

const only = (objects: readonly KubeObject[], kind: string): KubeObject => {
  const found = objects.filter((object) => object.kind === kind);
  if (found.length !== 1 || found[0] === undefined) throw new TypeError(`${found.length} of ${kind}`);
  return found[0];
};

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
const rulesOf = (object: KubeObject): readonly Rule[] => object['rules'] as readonly Rule[];

describe('the chart', () => {
  it('passes helm lint', async () => {
    expect(await withHelm(['lint', '--strict'], VALUES)).toContain('0 chart(s) failed');
  });

  it('runs one container that may write nothing but its folders, as nobody in particular', async () => {
    const deployment = only(await render(VALUES), 'Deployment');
    const { spec } = (deployment['spec'] as { template: { spec: Record<string, unknown> } }).template;
    const [container] = spec['containers'] as readonly Record<string, unknown>[];
    expect(spec['securityContext']).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 10001,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container?.['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(container?.[probe]).toMatchObject({ httpGet: { scheme: 'HTTPS', port: 'http' } });
    expect(container?.['readinessProbe']).toMatchObject({ httpGet: { path: '/readyz' } });
    expect(container?.['resources']).toMatchObject({ requests: {}, limits: {} });
    expect(container?.['args']).toEqual(['serve', '--config', '/etc/backstay/service/service.yaml']);
    const mounts = container?.['volumeMounts'] as readonly { mountPath: string; readOnly?: boolean }[];
    expect(mounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath)).toEqual([
      '/var/lib/backstay',
      '/tmp',
    ]);
    expect(mounts.map(({ mountPath }) => mountPath)).toContain('/etc/backstay/keys/shop');
  });

  it('names itself as what no capture takes', async () => {
    const taken = (await render(VALUES)).filter((object) => isCaptured(object).captured);
    expect(taken.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
    // But for its name, its Deployment would be.
    const { metadata, ...rest } = only(await render(VALUES), 'Deployment');
    expect(isCaptured({ ...rest, metadata: { ...metadata, labels: {} } })).toEqual({ captured: true });
  });

  it('makes no Secret, and puts no value of one anywhere', async () => {
    const objects = await render(VALUES);
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    const deployment = JSON.stringify(only(objects, 'Deployment'));
    expect(deployment).toContain('{"secretRef":{"name":"backstay-env"}}');
    expect(deployment).toContain('"secretName":"shop-keys"');
  });

  it('gives rights in the namespaces of the stacks alone, and no right to everything', async () => {
    const objects = await render(VALUES);
    const roles = objects.filter(({ kind }) => kind === 'Role');
    expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['shop-a', 'shop-b', 'default', 'kube-system']);
    for (const role of [...roles, only(objects, 'ClusterRole')])
      for (const rule of rulesOf(role))
        expect([...rule.apiGroups, ...rule.resources, ...rule.verbs].filter((one) => one === '*')).toEqual([]);
    expect(rulesOf(only(objects, 'ClusterRole'))).toEqual([
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list'] },
    ]);
    const less = await render({ ...VALUES, rbac: { nodes: false, exec: false } });
    expect(less.filter(({ kind }) => kind.startsWith('Cluster'))).toEqual([]);
    expect(JSON.stringify(less)).not.toContain('pods/exec');
  });

  it('reads what serves next door, where that is watched, and nothing else there', async () => {
    const objects = await render({ ...VALUES, neighbours: ['billing'] });
    const [role, ...others] = objects.filter(
      ({ kind, metadata }) => kind === 'Role' && metadata.namespace === 'billing',
    );
    expect(others).toEqual([]);
    const rules = role === undefined ? [] : rulesOf(role);
    expect(new Set(rules.flatMap(({ verbs }) => verbs))).toEqual(new Set(['list']));
    const read = ['pods', 'deployments', 'statefulsets', 'daemonsets', 'replicasets'];
    expect(rules.flatMap(({ resources }) => resources).toSorted()).toEqual(read.toSorted());
  });

  it('lets in and out what it must', async () => {
    const policy = only(await render(VALUES), 'NetworkPolicy');
    expect(policy['spec']).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: {} }], ports: [{ protocol: 'TCP', port: 7787 }] }],
    });
    const more = only(
      await render({ ...VALUES, networkPolicy: { egress: [{ ports: [{ port: 5432 }] }] } }),
      'NetworkPolicy',
    );
    expect(JSON.stringify(more['spec'])).toContain('5432');
  });

  it('tells Prometheus where to look and what to warn of, in the words of our own rules', async () => {
    const objects = await render(VALUES);
    expect(only(objects, 'ServiceMonitor')['spec']).toMatchObject({
      endpoints: [
        { path: '/metrics', scheme: 'https', authorization: { credentials: { name: 'scraper', key: 'token' } } },
      ],
    });
    const rules = parse(await readFile(join(PROJECT, 'deploy', 'prometheus', 'rules.yaml'), 'utf8')) as object;
    expect(only(objects, 'PrometheusRule')['spec']).toEqual(rules);
  });

  it('gives the service its settings as they are, with the certificate that was named', async () => {
    const [settings] = (await render(VALUES)).filter(({ metadata }) => metadata.name === 'backstay-settings');
    const data = (settings ?? {})['data' as never] as Readonly<Record<string, string>> | undefined;
    expect(parse(data?.['service.yaml'] ?? '')).toEqual({
      ...(VALUES['settings'] as object),
      tls: { cert: '/etc/backstay/tls/tls.crt', key: '/etc/backstay/tls/tls.key' },
    });
  });

  it('lets several share the snapshots with the journal', async () => {
    const several = { ...VALUES, replicas: 3, persistence: { enabled: false } };
    const deployment = only(await render(several), 'Deployment');
    expect(deployment['spec']).toMatchObject({ replicas: 3, strategy: { type: 'RollingUpdate' } });
    expect(JSON.stringify(deployment)).toContain('{"name":"BACKSTAY_SNAPSHOTS","value":"journal"}');
    expect(JSON.stringify(only(await render(VALUES), 'Deployment'))).not.toContain('BACKSTAY_SNAPSHOTS"');
  });

  it.each([
    ['nobody who could be known', { settings: { listen: '0.0.0.0:7787' } }, 'nobody could be known'],
    ['a way on which tokens can be read', { tls: {} }, 'tokens could be read'],
    ['no stack', { stacks: {} }, 'there is no stack'],
    ['no namespace', { namespaces: [] }, 'set namespaces'],
    ['several that share nothing', { replicas: 2, existingSecret: '' }, 'share one journal'],
    ['several on a volume for one', { replicas: 2 }, 'ReadWriteOnce'],
    ['a setting that there is not', { replica: 2 }, 'replica'],
    ['a number that is text', { replicas: 'two' }, 'replicas'],
    ['a namespace that cannot be', { namespaces: ['Shop'] }, 'namespaces'],
    ['a certificate in the settings', { settings: { tls: { cert: 'x' } } }, 'settings'],
  ])('is refused with %s', async (_what, more, said) => {
    await expect(withHelm(['template'], { ...VALUES, ...more })).rejects.toThrow(said);
  });
});

describe('the chart on a cluster', () => {
  let cluster: Cluster;
  let store: Shop;
  let ops: Awaited<ReturnType<typeof testNamespace>>;
  let objects: readonly KubeObject[];
  const own: KubeObject[] = [];
  const NEEDS_CRDS = new Set(['ServiceMonitor', 'PrometheusRule']);

  beforeAll(async () => {
    ({ cluster } = await testCluster());
    ops = await testNamespace('ops');
    store = await shop('chart', `  backstay:cluster: { leaseNamespace: ${ops.name} }\n`);
    objects = await render(
      { ...VALUES, namespaces: [store.namespace], leaseNamespace: ops.name },
      'backstay',
      ops.name,
    );
  }, 120_000);
  afterAll(async () => {
    for (const { apiVersion, kind, metadata } of own) {
      const { name, namespace } = metadata;
      await cluster.delete({ apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) });
    }
    await store.remove();
    await ops.remove();
  });

  it('is taken by the API server as it is rendered', async () => {
    for (const object of objects.filter(({ kind }) => !NEEDS_CRDS.has(kind))) {
      const taken = await cluster.apply(object, { dryRun: true });
      expect(taken.metadata.name).toBe(object.metadata.name);
    }
  });

  describe('gives rights', () => {
    let user: string;
    beforeAll(async () => {
      const rights = objects.filter(
        ({ apiVersion, kind }) => apiVersion.startsWith('rbac.') || kind === 'ServiceAccount',
      );
      for (const object of rights) {
        await cluster.apply(object);
        // What is in a namespace of the test goes with it.
        if (![ops.name, store.namespace].includes(object.metadata.namespace ?? '')) own.push(object);
      }
      user = `system:serviceaccount:${ops.name}:backstay`;
    });

    const may = async (
      verb: string,
      resource: string,
      where: { readonly namespace?: string; readonly name?: string } = {},
    ) => {
      const [plural = '', group = ''] = resource.split('.', 2);
      const [kind, subresource] = plural.split('/');
      const rest = resource.slice(plural.length + 1);
      const attributes = {
        verb,
        resource: kind,
        ...(group === '' ? {} : { group: rest }),
        ...(subresource === undefined ? {} : { subresource }),
      };
      const review = await cluster.create({
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        metadata: {} as KubeObject['metadata'],
        spec: {
          user,
          groups: ['system:serviceaccounts', 'system:authenticated'],
          resourceAttributes: { ...attributes, ...where },
        },
      });
      return (review['status'] as { readonly allowed: boolean }).allowed;
    };

    it('to read every kind that a stack can be made of, and to write it', async () => {
      const kinds = (await cluster.kinds()).filter((kind) => kind.namespaced && isCapturedKind(kind));
      // Custom resources of other tests in this cluster are theirs.
      const builtIn = kinds.filter(({ group }) => !group.includes('.') || group.endsWith('.k8s.io'));
      expect(builtIn.length).toBeGreaterThan(15);
      const named = ({ resource, group }: { readonly resource: string; readonly group: string }): string =>
        group === '' ? resource : `${resource}.${group}`;
      const where = { namespace: store.namespace };
      const unread = await Promise.all(
        builtIn.map(async (kind) => ((await may('list', named(kind), where)) ? [] : [named(kind)])),
      );
      expect(unread.flat()).toEqual([]);
      const READ_ONLY = /^(roles|rolebindings|csistoragecapacities)\./;
      const unwritten = await Promise.all(
        builtIn
          .filter((kind) => !READ_ONLY.test(named(kind)))
          .flatMap((kind) => ['create', 'patch', 'update', 'delete'].map((verb) => [verb, named(kind)] as const))
          .map(async ([verb, name]) => ((await may(verb, name, where)) ? [] : [`${verb} ${name}`])),
      );
      expect(unwritten.flat()).toEqual([]);
    });

    it.each([
      ['get', 'namespaces', { namespace: 'kube-system', name: 'kube-system' }],
      ['list', 'nodes', {}],
    ])('to %s %s', async (verb, resource, where) => {
      expect(await may(verb, resource, where)).toBe(true);
    });

    it('to hold the lease in its namespace', async () => {
      for (const verb of ['get', 'create', 'update', 'watch'])
        expect(await may(verb, 'leases.coordination.k8s.io', { namespace: ops.name })).toBe(true);
    });

    it.each([
      ['list', 'secrets', { namespace: 'default' }],
      ['get', 'secrets', { namespace: 'kube-system' }],
      ['list', 'secrets', {}],
      ['list', 'configmaps', { namespace: 'kube-system' }],
      ['get', 'namespaces', { name: 'default', namespace: 'default' }],
      ['delete', 'nodes', {}],
      ['create', 'deployments.apps', { namespace: 'default' }],
      ['create', 'pods', { namespace: 'default' }],
      ['create', 'clusterrolebindings.rbac.authorization.k8s.io', {}],
      ['impersonate', 'users', {}],
      ['create', 'pods/exec', { namespace: 'default' }],
    ])('and not to %s %s in %o', async (verb, resource, where) => {
      expect(await may(verb, resource, where)).toBe(false);
    });

    it('neither to make pods in the stack by itself, nor to give rights away', async () => {
      const where = { namespace: store.namespace };
      expect(await may('create', 'pods', where)).toBe(false);
      expect(await may('create', 'rolebindings.rbac.authorization.k8s.io', where)).toBe(false);
      expect(await may('list', 'secrets', { namespace: ops.name })).toBe(false);
    });

    it('that are enough to capture a stack and take it back', async () => {
      const token = await tokenOf(cluster, ops.name);
      const admin = parse(await readFile((await testCluster()).kubeconfig, 'utf8')) as {
        readonly clusters: readonly { readonly cluster: object }[];
      };
      const kubeconfig = join(folder, 'kubeconfig');
      await writeFile(
        kubeconfig,
        stringify({
          apiVersion: 'v1',
          kind: 'Config',
          'current-context': 'chart',
          clusters: [{ name: 'here', cluster: admin.clusters[0]?.cluster }],
          users: [{ name: 'backstay', user: { token } }],
          contexts: [{ name: 'chart', context: { cluster: 'here', user: 'backstay' } }],
        }),
        { mode: 0o600 },
      );
      const as = { env: { KUBECONFIG: kubeconfig } };
      const { machine, name, namespace } = store;
      await store.import('good', [echo(namespace, 'web', { tag: 'v1' })]);
      await machine.ok(['apply', name, '--to', 'good', '--yes'], as);
      await machine.ok(['capture', name, '--no-checks', '--as', 'seen'], as);
      await store.import('bad', [echo(namespace, 'web', { tag: 'v2' })]);
      await machine.ok(['apply', name, '--to', 'bad', '--yes'], as);
      const run = await machine.json<{ outcome: string }>(['rollback', name, '--to', 'seen', '--yes'], as);
      expect(run.outcome).toBe('succeeded');
    }, 180_000);
  });
});

/** Of the chart's ServiceAccount, as the cluster's own controller makes it. */
async function tokenOf(cluster: Cluster, namespace: string): Promise<string> {
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'backstay-token', namespace, annotations: { 'kubernetes.io/service-account.name': 'backstay' } },
    type: 'kubernetes.io/service-account-token',
  });
  const kind = await cluster.kindOf('v1', 'Secret');
  if (kind === undefined) throw new TypeError('there are no Secrets');
  const signal = AbortSignal.timeout(60_000);
  for await (const event of cluster.watch(kind, { namespace, name: 'backstay-token', signal })) {
    // It is made empty; the controller fills it.
    const { token } = (('object' in event ? event.object['data'] : undefined) ?? {}) as { readonly token?: string };
    if (token !== undefined) return Buffer.from(token, 'base64').toString();
  }
  throw new TypeError('nobody made a token');
}
