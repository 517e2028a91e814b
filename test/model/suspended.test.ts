import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  asItWas,
  capturedForm,
  carryOver,
  type KubeObject,
  resume,
  SUSPENDABLE,
  SUSPENDED,
  suspend,
  suspendedBy,
} from '../../src/model/index.ts';

const METADATA = { name: 'x', namespace: 'n', annotations: { own: 'a' } };
const hpa = (behavior?: object): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: METADATA,
  spec: { maxReplicas: 5, ...(behavior === undefined ? {} : { behavior }) },
});
const FULL = {
  scaleUp: {
    stabilizationWindowSeconds: 30,
    selectPolicy: 'Min',
    policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }],
  },
  scaleDown: { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] },
};
const application = (syncPolicy?: object): KubeObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: METADATA,
  spec: { project: 'default', ...(syncPolicy === undefined ? {} : { syncPolicy }) },
});
const flux = (kind: string, group: string, suspended?: boolean): KubeObject => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: METADATA,
  spec: { interval: '5m', ...(suspended === undefined ? {} : { suspend: suspended }) },
});
const keda = (annotations: object = {}): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { ...METADATA, annotations: { own: 'a', ...annotations } },
  spec: { scaleTargetRef: { name: 'web' } },
});
const workload = (kind: string, group: string, spec: object): KubeObject => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: METADATA,
  spec: { ...spec },
});
const template = (nodeSelector?: object): object => ({
  template: { spec: { containers: [], ...(nodeSelector === undefined ? {} : { nodeSelector }) } },
});

const ACTING: readonly (readonly [string, KubeObject])[] = [
  ['an HPA without behavior', hpa()],
  ['an HPA with behavior', hpa(FULL)],
  ['an HPA that scales down never', hpa({ ...FULL, scaleDown: { ...FULL.scaleDown, selectPolicy: 'Disabled' } })],
  ['a ScaledObject', keda()],
  ['an Application that syncs', application({ automated: { prune: true, selfHeal: true }, syncOptions: ['A=b'] })],
  ['an Application that syncs with defaults', application({ automated: {} })],
  ['a Kustomization', flux('Kustomization', 'kustomize.toolkit.fluxcd.io')],
  ['a Kustomization that says so', flux('Kustomization', 'kustomize.toolkit.fluxcd.io', false)],
  ['a HelmRelease', flux('HelmRelease', 'helm.toolkit.fluxcd.io')],
  ['a Deployment', workload('Deployment', 'apps', { replicas: 3 })],
  ['a StatefulSet', workload('StatefulSet', 'apps', { replicas: 1 })],
  ['a Rollout', workload('Rollout', 'argoproj.io', { replicas: 2 })],
  ['a CronJob', workload('CronJob', 'batch', { schedule: '* * * * *', suspend: false })],
  ['a DaemonSet', workload('DaemonSet', 'apps', template())],
  ['a DaemonSet of some nodes', workload('DaemonSet', 'apps', template({ disk: 'ssd' }))],
];

const IDLE: readonly (readonly [string, KubeObject])[] = [
  ['an Application without automation', application({ syncOptions: ['A=b'] })],
  ['an Application without a policy', application()],
  ['a Kustomization that is suspended', flux('Kustomization', 'kustomize.toolkit.fluxcd.io', true)],
  ['a ScaledObject that is paused', keda({ 'autoscaling.keda.sh/paused': 'true' })],
  ['a ConfigMap', { apiVersion: 'v1', kind: 'ConfigMap', metadata: METADATA }],
];

function off(object: KubeObject, run = 'r1'): KubeObject {
  const answer = suspend(object, run);
  if (answer.kind === 'nothing') throw new TypeError(`not suspended: ${answer.why}`);
  return answer.object;
}

function on(object: KubeObject, run = 'r1'): KubeObject {
  const answer = resume(object, run);
  if (answer.kind === 'nothing') throw new TypeError(`not resumed: ${answer.why}`);
  return answer.object;
}

const with_ = (object: KubeObject, spec: object): KubeObject => ({
  ...object,
  spec: { ...(object['spec'] as object), ...spec },
});

describe('what is suspended', () => {
  it.each(ACTING)('%s comes back exactly as it was', (_what, object) => {
    const suspended = off(object);
    expect(suspended).not.toEqual(object);
    expect(on(suspended)).toEqual(object);
  });

  it.each(ACTING)('%s is captured as what it was', (_what, object) => {
    expect(capturedForm(off(object))).toEqual(capturedForm(object));
    expect(capturedForm(capturedForm(off(object)))).toEqual(capturedForm(object));
  });

  it.each(ACTING)('%s is suspended once, however often it is asked for', (_what, object) => {
    expect(suspend(off(object), 'r1')).toEqual({ kind: 'nothing', why: 'is suspended already', ours: true });
    expect(resume(on(off(object)), 'r1')).toMatchObject({ kind: 'nothing', ours: false });
  });

  it.each(IDLE)('%s is left alone', (_what, object) => {
    expect(suspend(object, 'r1')).toMatchObject({ kind: 'nothing', ours: false });
    expect(asItWas(object)).toBe(object);
  });

  test('an HPA without behavior scales neither way, and gives the server nothing to fill in', () => {
    expect(off(hpa())['spec']).toEqual({
      maxReplicas: 5,
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          selectPolicy: 'Disabled',
          policies: [
            { type: 'Pods', value: 4, periodSeconds: 15 },
            { type: 'Percent', value: 100, periodSeconds: 15 },
          ],
        },
        scaleDown: { selectPolicy: 'Disabled', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
      },
    });
  });

  test('an Application keeps its other sync settings', () => {
    const suspended = off(application({ automated: { prune: true }, syncOptions: ['A=b'] }));
    expect(suspended['spec']).toMatchObject({ syncPolicy: { syncOptions: ['A=b'] } });
    expect(suspended['spec']).not.toHaveProperty('syncPolicy.automated');
  });

  test('a default that a newer server adds is no change by somebody', () => {
    const suspended = off(hpa());
    const { behavior } = suspended['spec'] as { behavior: { scaleUp: object; scaleDown: object } };
    const filled = with_(suspended, { behavior: { ...behavior, scaleUp: { ...behavior.scaleUp, tolerance: '0.1' } } });
    expect(on(filled)).toEqual(hpa());
  });

  test.each([
    ['a sync policy put back by hand', application({ automated: {} }), { syncPolicy: { automated: { prune: false } } }],
    ['another option', application({ automated: {}, syncOptions: ['A=b'] }), { syncPolicy: { syncOptions: ['B=c'] } }],
    ['a Kustomization resumed by hand', flux('Kustomization', 'kustomize.toolkit.fluxcd.io'), { suspend: false }],
    ['an HPA set going by hand', hpa(FULL), { behavior: FULL }],
  ])('%s stays as somebody left it, and that is said', (_what, object, change) => {
    const changed = with_(off(object), change);
    const answer = resume(changed, 'r1');
    expect(answer).toMatchObject({ kind: 'write', object: with_(object, change) });
    expect(answer).toHaveProperty('left', expect.stringContaining('changed by somebody else'));
    expect(capturedForm(changed)).toEqual(capturedForm(with_(object, change)));
  });

  test('who holds it next is told that somebody had set it going', () => {
    const changed = with_(off(application({ automated: {} })), { syncPolicy: { automated: { prune: true } } });
    const next = suspend(changed, 'r2');
    expect(next).toHaveProperty('left', 'spec.syncPolicy was changed by somebody else since run r1 held it');
    expect(on(off(changed, 'r2'), 'r2')['spec']).toMatchObject({ syncPolicy: { automated: { prune: true } } });
  });

  test('an empty policy that the server dropped is not a change', () => {
    const { syncPolicy: _, ...spec } = off(application({ automated: {} }))['spec'] as Record<string, unknown>;
    const dropped = { ...off(application({ automated: {} })), spec };
    expect(on(dropped)).toEqual(application({ automated: {} }));
  });

  test('a hold on deliveries is shared by runs and ends with the last of them', () => {
    const app = application({ automated: {} });
    const both = off(off(app, 'r1'), 'r2');
    expect(suspendedBy(both)).toEqual(['r1', 'r2']);
    const answer = resume(both, 'r1');
    expect(answer).toMatchObject({ kind: 'write', left: 'is still held by run r2' });
    expect(on(on(both, 'r1'), 'r2')).toEqual(app);
    expect(on(on(both, 'r2'), 'r1')).toEqual(app);
  });

  test('an autoscaler that a dead run left behind is the next run’s to give back', () => {
    const left = off(off(hpa(FULL), 'dead'), 'r2');
    expect(suspendedBy(left)).toEqual(['r2']);
    expect(resume(left, 'dead')).toMatchObject({ kind: 'nothing', ours: false });
    expect(on(left, 'r2')).toEqual(hpa(FULL));
  });

  test.each(['', 'null', '[]', '{"was":1}', 'not JSON'])('an annotation of %j says nothing', (text) => {
    const odd = { ...hpa(FULL), metadata: { ...METADATA, annotations: { [SUSPENDED]: text } } };
    expect(resume(odd, 'r1')).toMatchObject({ kind: 'nothing' });
    expect(asItWas(odd)).toBe(odd);
  });

  test('a target written over it stays suspended, and is the target when it is given back', () => {
    const target = hpa({ ...FULL, scaleUp: { ...FULL.scaleUp, stabilizationWindowSeconds: 99 } });
    const written = carryOver(off(hpa(FULL)), with_(target, { maxReplicas: 9 }));
    expect(written['spec']).toMatchObject({ maxReplicas: 9, behavior: { scaleUp: { selectPolicy: 'Disabled' } } });
    expect(capturedForm(written)).toEqual(capturedForm(with_(target, { maxReplicas: 9 })));
    expect(on(written)).toEqual(with_(target, { maxReplicas: 9 }));
  });

  test('a target that came out of a suspension is the target, not the suspension', () => {
    const written = carryOver(off(hpa(FULL), 'r2'), off(hpa(), 'r1'));
    expect(suspendedBy(written)).toEqual(['r2']);
    expect(on(written, 'r2')).toEqual(hpa());
    expect(carryOver(hpa(FULL), off(hpa(), 'r1'))).toEqual(hpa());
  });

  test('whatever is written while it is suspended, the target is what it will be', () => {
    const acting = fc.constantFrom(...ACTING.map(([, object]) => object));
    fc.assert(
      fc.property(acting, acting, fc.constantFrom('r1', 'r2'), (live, target, run) => {
        fc.pre(live.kind === target.kind);
        const written = carryOver(off(live, run), target);
        const again = carryOver(written, target);
        expect(capturedForm(again)).toEqual(capturedForm(target));
        expect(capturedForm(on(again, run))).toEqual(capturedForm(target));
        expect(on(again, run).metadata.annotations).not.toHaveProperty([SUSPENDED]);
      }),
    );
  });

  test('replicas that an autoscaler owns come back as they were, not as the zero that we made', () => {
    const live = workload('Deployment', 'apps', { replicas: 5, minReadySeconds: 1 });
    const target = workload('Deployment', 'apps', { replicas: 2, minReadySeconds: 9 });
    const foreign = [{ kind: 'Deployment', name: 'x', path: 'spec.replicas' }];
    const written = carryOver(off(live), target, { foreign });
    expect(written['spec']).toEqual({ replicas: 0, minReadySeconds: 9 });
    expect(on(written)['spec']).toEqual({ replicas: 5, minReadySeconds: 9 });
    expect(on(carryOver(off(live), target))['spec']).toEqual({ replicas: 2, minReadySeconds: 9 });
  });

  test('every kind of the table has a case', () => {
    const kinds = new Set(ACTING.map(([, { kind }]) => kind));
    expect(SUSPENDABLE.map(({ kind }) => kind).filter((kind) => !kinds.has(kind))).toEqual([]);
  });
});
