import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { observePlan, type PlanResult } from '../../src/actions/plan.ts';
import { fieldPathGet, type KubeObject, type Plan } from '../../src/model/index.ts';
import { keylessStore, type Planning, planning } from './planning.ts';

type Part = Readonly<Record<string, unknown>>;

/** As a person writes it: without a single default. */
const bare = (image: string, spec: Part = {}, container: Part = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'gateway' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: 'gateway' } },
    template: {
      metadata: { labels: { app: 'gateway' } },
      spec: { containers: [{ name: 'gateway', image, ...container }] },
    },
    ...spec,
  },
});
const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'gateway' },
  spec: { selector: { app: 'gateway' }, ports: [{ port: 80 }] },
};
const config = (data: Part): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'config' },
  data,
});
const secret = (text: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'credentials' },
  data: { password: Buffer.from(text).toString('base64') },
});
const scaler = (apiVersion: string, max: number): KubeObject => ({
  apiVersion,
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'gateway' },
  spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gateway' }, maxReplicas: max },
});

function planOf(result: PlanResult): Plan {
  if (result.kind !== 'planned') throw new TypeError(`nothing to do: ${result.warnings.join('; ')}`);
  return result.plan;
}
const said = (plan: Plan): readonly string[] =>
  plan.changes.flatMap(({ action, ref, fields }) => fields.map(({ path }) => `${action} ${ref.kind} ${path}`));

describe('a plan against a real API server', () => {
  let here: Planning;
  beforeEach(async () => {
    here = await planning();
  });
  afterEach(() => here.remove());

  test('has nothing to do where a manifest by hand is what the live objects were made from', async () => {
    const written = [bare('app:v1'), service, config({ a: '1' }), secret('hunter2'), scaler('autoscaling/v2', 3)];
    await here.make(...written);
    expect(await here.plan(await here.store(written))).toMatchObject({ kind: 'nothing-to-do' });
  });

  test('names the one field that differs, and who set it, and not one default', async () => {
    await here.make(bare('app:v1'), service);
    await here.put(bare('app:v2'), 'kubectl-set');
    const plan = planOf(await here.plan(await here.store([bare('app:v1'), service])));
    expect(said(plan)).toEqual(['update Deployment spec.template.spec.containers[name=gateway].image']);
    expect(plan.changes[0]?.takesOver).toEqual(['kubectl-set']);
    expect(plan.desired).toHaveLength(2);
    expect(plan.warnings).toEqual([
      'image app:v1 (deployment/gateway) is on no node: whether it can be pulled is not known',
    ]);
  });

  test('takes away what was added by hand: a container, a variable, a key, a label, an object', async () => {
    const written = [bare('app:v1'), config({ a: '1' })];
    await here.make(...written, { ...config({ x: 'y' }), metadata: { name: 'stray' } });
    const grown = bare('app:v1', {}, { env: [{ name: 'DEBUG', value: '1' }] });
    const { containers } = (grown['spec'] as { template: { spec: { containers: object[] } } }).template.spec;
    containers.push({ name: 'shell', image: 'shell:v1' });
    await here.put(grown);
    await here.put({ ...config({ a: '1', b: '2' }), metadata: { name: 'config', labels: { by: 'hand' } } });
    expect(said(planOf(await here.plan(await here.store(written))))).toEqual([
      'update Deployment spec.template.spec.containers[name=gateway].env',
      'update Deployment spec.template.spec.containers[name=shell]',
      'update ConfigMap data.b',
      'update ConfigMap metadata.labels.by',
      'delete ConfigMap data.x',
    ]);
  });

  test('replaces what the server says is immutable, with its reason, as a high risk', async () => {
    await here.make(bare('app:v1'), { ...config({ a: '1' }), immutable: true });
    const other = bare('app:v1', { selector: { matchLabels: { app: 'gateway', tier: 'web' } } });
    const { template } = other['spec'] as { template: { metadata: { labels: Record<string, string> } } };
    template.metadata.labels['tier'] = 'web';
    const plan = planOf(await here.plan(await here.store([other, { ...config({ a: '2' }), immutable: true }])));
    expect(plan.changes.map(({ action }) => action)).toEqual(['replace', 'replace']);
    expect(plan.changes.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('immutable'),
      expect.stringContaining('immutable'),
    ]);
    expect(plan.risk).toBe('high');
    expect(fieldPathGet(plan.desired[0], 'spec.strategy.type')).toBe('RollingUpdate');
    expect(plan.desired[0]?.metadata.name).toBe('gateway');
  });

  test('compares an object of an older version that is still served in that version', async () => {
    await here.make(bare('app:v1'), scaler('autoscaling/v2', 3));
    expect(await here.plan(await here.store([bare('app:v1'), scaler('autoscaling/v1', 3)]))).toMatchObject({
      kind: 'nothing-to-do',
    });
    const plan = planOf(await here.plan(await here.store([bare('app:v1'), scaler('autoscaling/v1', 5)])));
    expect(said(plan)).toEqual(['update HorizontalPodAutoscaler spec.maxReplicas']);
  });

  test('has no secret value in it, in clear or in base64', async () => {
    await here.make(secret('old-canary'), bare('app:v1', {}, { envFrom: [{ secretRef: { name: 'credentials' } }] }));
    const target = await here.store([
      secret('new-canary'),
      bare('app:v1', {}, { envFrom: [{ secretRef: { name: 'credentials' } }] }),
    ]);
    const result = await here.plan(target);
    expect(said(planOf(result))).toEqual(['update Secret data.password']);
    const text = JSON.stringify(result);
    for (const value of ['old-canary', 'new-canary']) {
      expect(text).not.toContain(value);
      expect(text).not.toContain(Buffer.from(value).toString('base64'));
    }
  });

  test('of the same state has the same changes and the same hash but for its time', async () => {
    await here.make(bare('app:v2'), config({ a: '1' }));
    const id = await here.store([bare('app:v1'), config({ a: '2' })]);
    const [one, two] = [planOf(await here.plan(id)), planOf(await here.plan(id))];
    // Versions move with every status that a controller writes, and a rollout may end in between; what else is done does not.
    const still = (plan: Plan) => ({
      ...plan,
      hash: '',
      createdAt: '',
      steps: plan.steps.filter(({ action: { kind } }) => kind !== 'pause-rollouts' && kind !== 'resume-rollouts'),
      changes: plan.changes.map(({ resourceVersion: _version, live: _live, ...change }) => change),
    });
    expect(still(two)).toEqual(still(one));
  });

  test('tells afterwards what moved, and nothing while nothing did', async () => {
    await here.make(bare('app:v2'), config({ a: '1' }));
    const plan = planOf(await here.plan(await here.store([bare('app:v1'), config({ a: '1' })])));
    expect((await observePlan(plan, here.deps)).moved).toEqual([]);
    await here.put(config({ a: '9' }));
    expect((await observePlan(plan, here.deps)).moved).toMatchObject([{ what: 'data.a changed' }]);
  });
});

describe('what the same plan creates', () => {
  test('a namespace and its objects are taken as they are written, and only there', async () => {
    const name = `plan-later-${Math.random().toString(36).slice(2, 8)}`;
    const here = await planning();
    try {
      const namespaces = [here.namespace, name];
      const stack = { namespaces, capture: { exclude: [], include: [{ kind: 'Namespace', name }] } };
      const within: KubeObject = { ...bare('app:v1'), metadata: { name: 'gateway', namespace: name } };
      const whole = await here.store([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, within]);
      const plan = planOf(await here.plan(whole, { stack }));
      expect(plan.changes.map(({ action, ref }) => `${action} ${ref.kind}`)).toEqual([
        'create Deployment',
        'create Namespace',
      ]);
      expect(fieldPathGet(plan.desired[0], 'spec.strategy')).toBeUndefined();
      await expect(here.plan(await here.store([within]), { stack })).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        details: { missingNamespace: name },
      });
    } finally {
      await here.remove();
    }
  });

  test('a kind whose definition the target brings is planned, one that nobody defines is refused by name', async () => {
    const here = await planning();
    try {
      const widget: KubeObject = {
        apiVersion: 'plan.example.org/v1',
        kind: 'Widget',
        metadata: { name: 'w' },
        spec: {},
      };
      const definition: KubeObject = {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'widgets.plan.example.org' },
        spec: {
          group: 'plan.example.org',
          scope: 'Namespaced',
          names: { kind: 'Widget', plural: 'widgets', singular: 'widget' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          ],
        },
      };
      const stack = {
        capture: { exclude: [], include: [{ kind: 'CustomResourceDefinition', name: 'widgets.plan.example.org' }] },
      };
      const plan = planOf(await here.plan(await here.store([definition, widget]), { stack }));
      expect(plan.changes.map(({ ref }) => ref.kind)).toEqual(['CustomResourceDefinition', 'Widget']);
      await expect(here.plan(await here.store([widget]))).rejects.toMatchObject({
        code: 'KIND_UNKNOWN',
        message: expect.stringContaining('widget/w'),
      });
      expect(await here.plan(await here.store([widget]), { scope: { kind: 'config' } })).toMatchObject({
        kind: 'nothing-to-do',
      });
    } finally {
      await here.remove();
    }
  });
});

describe('a plan is refused, with nothing changed', () => {
  let here: Planning;
  beforeEach(async () => {
    here = await planning();
  });
  afterEach(() => here.remove());

  test('where admission refuses an object, with the reason of the API server', async () => {
    const wrong = bare('app:v1', { selector: { matchLabels: { app: 'other' } } });
    await expect(here.plan(await here.store([wrong]))).rejects.toMatchObject({
      code: 'OBJECT_REFUSED',
      message: expect.stringContaining('selector'),
    });
    expect(
      await here.cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: here.namespace, name: 'gateway' }),
    ).toBeUndefined();
  });

  test('where an object of the target is there without being part of the live stack', async () => {
    await here.make(config({ a: '1' }));
    const stack = { capture: { exclude: [{ kind: 'ConfigMap', name: 'config' }], include: [] } };
    await expect(here.plan(await here.store([config({ a: '2' })]), { stack })).rejects.toMatchObject({
      code: 'PLAN_REFUSED',
      details: { object: expect.stringContaining('/config') },
    });
  });

  test('where a controller owns a field that must change, unless it was named', async () => {
    await here.make(bare('app:v1'));
    await here.put(bare('app:v2'), 'argocd-controller');
    const id = await here.store([bare('app:v1')]);
    await expect(here.plan(id)).rejects.toMatchObject({
      code: 'OBJECT_CONFLICT',
      next: expect.stringContaining('--take argocd-controller'),
    });
    const plan = planOf(await here.plan(id, { options: { takeFrom: ['argocd-controller'] } }));
    expect(plan.changes[0]?.takesOver).toEqual(['argocd-controller']);
  });

  test('where an image cannot be pulled, as the pods that wait for it say', async () => {
    await here.make(bare('app:v1'));
    const imageProbe = async (images: readonly string[]) =>
      new Map(images.map((image) => [image, { state: 'unpullable', reason: 'ErrImagePull' } as const]));
    const { planRollback, NO_OPTIONS } = await import('../../src/actions/plan.ts');
    const request = {
      target: await here.store([bare('app:v0')]),
      scope: { kind: 'full' } as const,
      options: NO_OPTIONS,
    };
    await expect(planRollback(request, { ...here.deps, imageProbe })).rejects.toMatchObject({
      code: 'IMAGE_UNPULLABLE',
      details: { image: 'app:v0' },
    });
  });

  test('where the snapshot or the stack belongs to another cluster, unless that is allowed', async () => {
    const { record } = await here.place.store.put(
      'demo',
      (await import('../support/snapshots.ts')).newSnapshot(here.place, [
        { ...config({ a: '1' }), metadata: { name: 'config', namespace: here.namespace } },
      ]),
    );
    await expect(here.plan(record.id)).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
    expect(planOf(await here.plan(record.id, { options: { allowClusterMismatch: true } })).risk).toBe('high');
    const stack = { cluster: { ...here.place.stack.cluster, uid: 'another' } };
    await expect(here.plan(await here.store([config({ a: '1' })]), { stack })).rejects.toMatchObject({
      code: 'CLUSTER_MISMATCH',
    });
  });

  test('where the keys for the secrets of the target are not at hand', async () => {
    const id = await here.store([secret('hunter2')]);
    const { planRollback, NO_OPTIONS } = await import('../../src/actions/plan.ts');
    const deps = { ...here.deps, store: keylessStore(here.place) };
    await expect(
      planRollback({ target: id, scope: { kind: 'full' }, options: NO_OPTIONS }, deps),
    ).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  test('where the scope names a workload that is not there, with the one that was meant', async () => {
    await here.make(bare('app:v1'));
    const id = await here.store([bare('app:v1')]);
    await expect(here.plan(id, { scope: { kind: 'workloads', names: ['gatway'] } })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('Did you mean gateway?'),
    });
  });
});
