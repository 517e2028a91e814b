import { describe, expect, test } from 'vitest';
import {
  type Change,
  digestOf,
  type KubeObject,
  keyOf,
  type Plan,
  type PlanOptions,
  refOf,
  type Stack,
} from '../../src/model/index.ts';
import { autoscalersOf, makePlan, type PlanInput, undeclaredDeliveries } from '../../src/plan/index.ts';
import { STACK } from './live.ts';
import { configMap, deployment, OPTIONS } from './manifests.ts';

const GATEWAY = deployment('gateway');
const NAMESPACE = GATEWAY.metadata.namespace ?? '';
const HPA: KubeObject = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'scaler', namespace: NAMESPACE },
  spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gateway' } },
};
const APP = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', namespace: 'argocd', name: 'shop' };

function change(one: KubeObject, action: Change['action']): Change {
  return { key: keyOf(one), ref: refOf(one), action, fields: [], takesOver: [], live: one };
}

function planned(part: Partial<PlanInput> = {}, stack: Partial<Stack> = {}, options: Partial<PlanOptions> = {}): Plan {
  return makePlan({
    stack: { ...STACK, ...stack },
    clusterUid: 'c1',
    createdAt: '2026-01-01T00:00:00.000Z',
    scope: { kind: 'application' },
    target: { id: digestOf('target'), said: 'v1', labels: [] },
    live: digestOf('live'),
    foreign: [],
    changes: [change(GATEWAY, 'update')],
    desired: [GATEWAY],
    warnings: [],
    rollingOut: new Set([keyOf(GATEWAY)]),
    autoscalers: [refOf(HPA)],
    deliveries: [APP],
    options: { ...OPTIONS, ...options },
    ...part,
  });
}

const idsOf = (plan: Plan, phase: string): readonly string[] =>
  plan.steps.filter((step) => step.phase === phase).map(({ id }) => id);

describe('the steps that hold', () => {
  test('come before anything else acts, what brings Git’s version first, and are given back in the other order', () => {
    const plan = planned({}, {}, { hold: false });
    expect(idsOf(plan, 'frozen')).toEqual(['suspend-sync', 'suspend-autoscalers', 'pause-rollouts']);
    expect(idsOf(plan, 'resumed')).toEqual(['resume-rollouts', 'resume-autoscalers', 'resume-sync']);
    for (const step of plan.steps.filter(({ phase }) => phase === 'frozen')) expect(step.reverse).toBeDefined();
  });

  test('leave Argo CD held after a rollback', () => {
    expect(idsOf(planned({}, {}, { hold: true }), 'resumed')).toEqual(['resume-rollouts', 'resume-autoscalers']);
  });

  test.each([
    ['rollouts', { rollouts: false, autoscalers: true, deliveries: [] }, ['suspend-sync', 'suspend-autoscalers']],
    ['autoscalers', { rollouts: true, autoscalers: false, deliveries: [] }, ['suspend-sync', 'pause-rollouts']],
  ])('leave %s alone where the stack says so', (_what, hold, ids) => {
    expect(idsOf(planned({}, { hold }), 'frozen')).toEqual(ids);
  });

  test('are none where nothing acts by itself', () => {
    const plan = planned({ autoscalers: [], deliveries: [], rollingOut: new Set() });
    expect([...idsOf(plan, 'frozen'), ...idsOf(plan, 'resumed')]).toEqual([]);
  });

  test('concern the autoscalers of what changes, of those that act', () => {
    const other = {
      ...HPA,
      metadata: { ...HPA.metadata, name: 'other' },
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'x' } },
    };
    const elsewhere = { ...HPA, metadata: { ...HPA.metadata, namespace: 'elsewhere' } };
    const off = {
      ...HPA,
      metadata: { ...HPA.metadata, name: 'off' },
      spec: {
        ...(HPA['spec'] as object),
        behavior: { scaleUp: { selectPolicy: 'Disabled' }, scaleDown: { selectPolicy: 'Disabled' } },
      },
    };
    const live = [HPA, other, elsewhere, off];
    expect(autoscalersOf([change(GATEWAY, 'update')], live)).toEqual([refOf(HPA)]);
    expect(autoscalersOf([change(GATEWAY, 'restart')], live)).toEqual([refOf(HPA)]);
    expect(autoscalersOf([change(GATEWAY, 'create')], live)).toEqual([]);
  });

  test.each([
    [
      'annotations',
      { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:x/gateway' },
      'the Argo CD Application shop',
    ],
    [
      'annotations',
      { 'argocd.argoproj.io/tracking-id': 'team_shop:apps/Deployment:x/gateway' },
      'the Argo CD Application shop',
    ],
    ['labels', { 'argocd.argoproj.io/instance': 'shop' }, 'the Argo CD Application shop'],
    ['labels', { 'kustomize.toolkit.fluxcd.io/name': 'shop' }, 'the Flux Kustomization shop'],
    ['labels', { 'helm.toolkit.fluxcd.io/name': 'shop' }, 'the Flux HelmRelease shop'],
  ])('are missed by name where %s say %j', (place, marks, who) => {
    const live = { ...GATEWAY, metadata: { ...GATEWAY.metadata, [place]: marks } };
    const warned = undeclaredDeliveries([change(live, 'update')], new Map([[keyOf(live), live]]), []);
    expect(warned).toEqual([expect.stringContaining(who)]);
    const declared = ['argoproj.io', 'kustomize.toolkit.fluxcd.io', 'helm.toolkit.fluxcd.io'].map((group) => ({
      group,
      name: 'shop',
    }));
    expect(undeclaredDeliveries([change(live, 'update')], new Map([[keyOf(live), live]]), declared)).toEqual([]);
  });
});

describe('the steps that force', () => {
  const gone = configMap('gone', {});
  const changes = [change(GATEWAY, 'update'), change(gone, 'delete')];
  const force = { pods: true, finalizers: true } as const;

  test('are in a plan by their flag alone', () => {
    const without = planned({ changes });
    expect(without.steps.filter(({ id }) => id.startsWith('force'))).toEqual([]);
    const plan = planned({ changes, leaving: [keyOf(configMap('back', {}))] }, {}, { force });
    expect(idsOf(plan, 'applied')).toEqual([
      'force-pods',
      'force-leaving',
      'apply',
      'prune',
      'force-finalizers',
      'prove-equal',
    ]);
    for (const step of plan.steps.filter(({ id }) => id.startsWith('force'))) {
      expect(step).toMatchObject({ risk: 'high', destructive: true });
      expect(step.dataLoss).not.toBe('');
      expect(step.reverse).toBeUndefined();
    }
    expect(plan.risk).toBe('high');
    expect(plan.hash).not.toBe(without.hash);
  });

  test('make a plan of their own where only pods hang, and none where none does', () => {
    const hanging = { changes: [], hanging: [keyOf(GATEWAY)] };
    expect(planned(hanging, {}, { force: { pods: true } }).steps.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['lease', 'snapshot-before', 'force-pods', 'prove-equal', 'record-after']),
    );
    expect(planned({ ...hanging, hanging: [] }, {}, { force: { pods: true } }).steps).toEqual([]);
    expect(planned(hanging).steps).toEqual([]);
  });
});
