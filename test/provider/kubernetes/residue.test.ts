import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  capturedForm,
  type ForeignField,
  type JsonObject,
  type KubeObject,
  keyOf,
  refOf,
} from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { configMap, deployment, expectArrived, harness, permitting } from './harness.ts';

let cluster: Cluster;
let space: Awaited<ReturnType<typeof testNamespace>>;
let ns: string;
let count = 0;
const unique = (): string => `r${(count += 1)}`;

beforeAll(async () => {
  ({ cluster } = await testCluster());
  space = await testNamespace('residue');
  ns = space.name;
});
afterAll(async () => space.remove());

const live = async (object: KubeObject): Promise<KubeObject> => {
  const found = await cluster.get(refOf(object));
  if (found === undefined) throw new TypeError(`${keyOf(object)} is missing`);
  return found;
};
const strategic = async (object: KubeObject, fieldManager: string, body: JsonObject): Promise<KubeObject> =>
  cluster.patch(refOf(object), { type: 'strategic', body }, { fieldManager });
const inPod = (body: JsonObject): JsonObject => ({ spec: { template: { spec: body } } });
const inMain = (body: JsonObject): JsonObject => inPod({ containers: [{ name: 'main', ...body }] });

/** What people and tools do to a Deployment behind one's back. */
const INTERFERENCE: Readonly<Record<string, (object: KubeObject) => Promise<unknown>>> = {
  'kubectl set env adds a variable': (object) =>
    strategic(object, 'kubectl-set', inMain({ env: [{ name: 'EXTRA', value: '1' }] })),
  'kubectl set image changes the image': (object) =>
    strategic(object, 'kubectl-set', inMain({ image: 'example/main:evil' })),
  'kubectl patch adds a container': (object) =>
    strategic(object, 'kubectl-patch', inPod({ containers: [{ name: 'extra', image: 'example/extra:1' }] })),
  'kubectl label and annotate add metadata': (object) =>
    strategic(object, 'kubectl-label', {
      metadata: { labels: { extra: 'yes' }, annotations: { 'example.com/extra': 'yes' } },
    }),
  'kubectl edit adds a finalizer': (object) =>
    strategic(object, 'kubectl-edit', { metadata: { finalizers: ['example.com/hold'] } }),
  'kubectl apply, client side, adds a volume': (object) =>
    strategic(object, 'kubectl-client-side-apply', inPod({ volumes: [{ name: 'extra', emptyDir: {} }] })),
  'kubectl apply, server side, adds a probe': (object) =>
    cluster.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: object.metadata.name, namespace: ns },
        ...inMain({ image: 'example/main:2', livenessProbe: { httpGet: { path: '/', port: 1 } } }),
      },
      { fieldManager: 'kubectl', force: true },
    ),
  'helm upgrade changes the strategy': (object) =>
    strategic(object, 'helm', { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } }),
  'another pulumi program adds a toleration': (object) =>
    cluster.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: object.metadata.name, namespace: ns },
        ...inPod({ tolerations: [{ key: 'x', operator: 'Exists' }] }),
      },
      {
        fieldManager: 'pulumi-kubernetes-9f8e7d6c',
        force: true,
      },
    ),
  'someone clears the managed fields after a change': async (object) => {
    await strategic(object, 'kubectl-edit', inMain({ env: [{ name: 'UNOWNED', value: '1' }] }));
    await cluster.patch(refOf(object), {
      type: 'json',
      body: [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }],
    });
  },
};

const bringTo = async (target: KubeObject): Promise<void> => {
  await (await harness({ permit: permitting([target]) })).update(target);
};
describe('no residue is left after', () => {
  it.each(Object.keys(INTERFERENCE))('%s', async (what) => {
    const target = deployment(ns, unique(), { env: [{ name: 'MODE', value: 'a' }] });
    await (await harness()).create(target);
    const before = capturedForm(await live(target));
    await INTERFERENCE[what]?.(target);
    expect(capturedForm(await live(target))).not.toEqual(before);
    await bringTo(target);
    await expectArrived(target);
    expect(capturedForm(await live(target))).toEqual(before);
  });

  it('several of these, in any order', async () => {
    const several = fc.shuffledSubarray(Object.keys(INTERFERENCE), { minLength: 2 });
    await fc.assert(
      fc.asyncProperty(several, async (whats) => {
        const target = deployment(ns, unique(), { env: [{ name: 'MODE', value: 'a' }] });
        await cluster.create(target, { fieldManager: 'kubectl-create' });
        for (const what of whats) await INTERFERENCE[what]?.(target);
        await bringTo(target);
        expect(capturedForm(await expectArrived(target))).toMatchObject({ kind: 'Deployment' });
      }),
      { numRuns: 8 },
    );
  });

  it('any changes by any of them to generated objects', async () => {
    const text = fc.stringMatching(/^[a-z][a-z0-9-]{0,6}[a-z]$/);
    const map = fc.dictionary(text, fc.string({ maxLength: 8 }), { maxKeys: 4 });
    const labels = fc.dictionary(text, text, { maxKeys: 3 });
    const annotations = fc.dictionary(text, fc.string({ maxLength: 8 }), { maxKeys: 3 });
    const content = { data: map, labels, annotations };
    const manager = fc.constantFrom('kubectl-edit', 'helm', 'pulumi-kubernetes-00000000');
    const changes = fc.array(fc.record({ manager, apply: fc.boolean(), ...content }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.record(content), changes, async (wanted, made) => {
        const name = unique();
        const object = (of: typeof wanted): KubeObject => ({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace: ns, labels: of.labels, annotations: of.annotations },
          data: of.data,
        });
        const target = object(wanted);
        await (await harness()).create(target);
        for (const change of made) {
          const { manager: fieldManager } = change;
          const body = object(change) as unknown as JsonObject;
          if (change.apply) await cluster.apply(object(change), { fieldManager, force: true });
          else await cluster.patch(refOf(target), { type: 'merge', body }, { fieldManager });
        }
        await bringTo(target);
        expect(capturedForm(await live(target))).toEqual(capturedForm(target));
      }),
      { numRuns: 15 },
    );
  });
});

describe('fields of other controllers', () => {
  const scaledBy = async (
    manager: string,
    replicas: number,
    target: KubeObject,
    subresource?: string,
  ): Promise<void> => {
    await (await harness()).create(target);
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { spec: { replicas } } },
      { fieldManager: manager, ...(subresource === undefined ? {} : { subresource }) },
    );
  };

  it('are refused by owner and path when they would have to change', async () => {
    const target = deployment(ns, unique(), { replicas: 0 });
    await scaledBy('keda-operator', 0, { ...target, spec: { ...(target['spec'] as object), replicas: 1 } });
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { spec: { minReadySeconds: 5 } } },
      { fieldManager: 'custom-controller' },
    );
    const { update } = await harness({ permit: permitting([target]) });
    await expect(update(target, {}, { preview: true })).rejects.toMatchObject({ code: 'OBJECT_CONFLICT' });
    await expect(update(target)).rejects.toMatchObject({
      code: 'OBJECT_CONFLICT',
      message: expect.stringContaining('spec.minReadySeconds (custom-controller)') as string,
      next: expect.stringContaining('--take custom-controller') as string,
    });
    expect((await live(target))['spec']).toMatchObject({ minReadySeconds: 5 });
  });

  it('are taken when the plan names the manager', async () => {
    const target = deployment(ns, unique());
    await (await harness()).create(target);
    await cluster.patch(
      refOf(target),
      { type: 'merge', body: { spec: { minReadySeconds: 5 } } },
      { fieldManager: 'custom-controller' },
    );
    const { update, session } = await harness({ permit: permitting([target], { takeFrom: ['custom-controller'] }) });
    await update(target);
    await expectArrived(target);
    expect(session.outcomes.get(keyOf(target))?.takenFrom).toEqual(['custom-controller']);
  });

  it.each([
    ['through the scale subresource', 'scale'],
    ['by updating the object', undefined],
  ])(
    'stay as they are, and their owner’s, when the stack declares them foreign: replicas set %s',
    async (_how, subresource) => {
      const foreign: readonly ForeignField[] = [{ kind: 'Deployment', path: 'spec.replicas' }];
      const target = deployment(ns, unique(), { replicas: 0, env: [{ name: 'A', value: '2' }] });
      await scaledBy('horizontal-autoscaler', 3, deployment(ns, target.metadata.name, { replicas: 0 }), subresource);
      await (await harness({ permit: permitting([target]), foreign })).update(target);
      const after = await live(target);
      expect(after['spec']).toMatchObject({ replicas: 3 });
      expect(capturedForm(after, foreign)).toMatchObject({
        spec: { template: { spec: { containers: [{ env: [{ name: 'A', value: '2' }] }] } } },
      });
      const owner = (after.metadata.managedFields ?? []).find(({ fieldsV1 }) =>
        JSON.stringify(fieldsV1).includes('f:replicas'),
      );
      expect(owner?.manager).toBe('horizontal-autoscaler');
    },
  );

  it('stay as they are when nobody but ourselves owned them before they were declared foreign', async () => {
    const foreign: readonly ForeignField[] = [{ kind: 'Deployment', path: 'spec.replicas' }];
    const name = unique();
    await (await harness()).create(deployment(ns, name, { replicas: 4 }));
    const target = deployment(ns, name, { replicas: 0, env: [{ name: 'A', value: '2' }] });
    for (let again = 0; again < 2; again += 1) {
      await (await harness({ permit: permitting([target]), foreign })).update(
        deployment(ns, name, { replicas: 0, env: [{ name: 'A', value: String(again) }] }),
      );
      expect((await live(target))['spec']).toMatchObject({ replicas: 4 });
    }
  });

  it('keep an injected sidecar and its place', async () => {
    const foreign: readonly ForeignField[] = [
      { kind: 'Deployment', path: 'spec.template.spec.containers[name=proxy]' },
    ];
    const name = unique();
    await (await harness()).create(deployment(ns, name));
    await strategic(
      deployment(ns, name),
      'injector',
      inPod({ containers: [{ name: 'proxy', image: 'example/proxy:1' }] }),
    );
    const target = deployment(ns, name, { env: [{ name: 'A', value: '2' }] });
    await (await harness({ permit: permitting([target]), foreign })).update(target);
    const { spec } = (await live(target)) as unknown as {
      spec: { template: { spec: { containers: { name: string }[] } } };
    };
    expect(spec.template.spec.containers.map((container) => container.name)).toEqual(['proxy', 'main']);
  });
});

describe('a value kept by nobody', () => {
  it('goes as well: a ConfigMap key whose owner is unknown', async () => {
    const target = configMap(ns, unique(), { a: '1' });
    await cluster.create(configMap(ns, target.metadata.name, { a: '1', b: '2' }));
    await cluster.patch(refOf(target), {
      type: 'json',
      body: [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }],
    });
    await bringTo(target);
    expect((await live(target))['data']).toEqual({ a: '1' });
  });
});
