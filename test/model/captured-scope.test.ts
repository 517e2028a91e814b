import { describe, expect, it } from 'vitest';
import {
  fieldPathGet,
  fieldPathRemove,
  isCaptured,
  isCapturedKind,
  type KubeObject,
  matchesPattern,
  parseFieldPath,
  type Role,
  roleOf,
} from '../../src/model/index.ts';

const object = (apiVersion: string, kind: string, metadata: object = {}, rest: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'x', namespace: 'n', ...metadata },
  ...rest,
});

describe('what is captured', () => {
  it.each<[string, KubeObject, string | undefined]>([
    ['a ConfigMap', object('v1', 'ConfigMap'), undefined],
    [
      'an object of a controller',
      object('v1', 'ConfigMap', {
        ownerReferences: [{ apiVersion: 'v1', kind: 'Certificate', name: 'c', uid: 'u', controller: true }],
      }),
      'owned by certificate/c',
    ],
    [
      'an object whose owner is no controller',
      object('v1', 'ConfigMap', { ownerReferences: [{ apiVersion: 'v1', kind: 'Widget', name: 'c', uid: 'u' }] }),
      undefined,
    ],
    [
      "Helm's record of a release",
      object('v1', 'Secret', {}, { type: 'helm.sh/release.v1' }),
      "Helm's own record of a release",
    ],
    [
      'a service account token',
      object('v1', 'Secret', {}, { type: 'kubernetes.io/service-account-token' }),
      'a token made by the cluster',
    ],
    ['a Secret of a team', object('v1', 'Secret', {}, { type: 'Opaque' }), undefined],
    [
      'the root certificate',
      object('v1', 'ConfigMap', { name: 'kube-root-ca.crt' }),
      'put into every namespace by the cluster',
    ],
    [
      'an old leader election',
      object('v1', 'ConfigMap', { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }),
      'held by a running program',
    ],
    [
      'the default ServiceAccount',
      object('v1', 'ServiceAccount', { name: 'default' }),
      'made by the cluster, untouched',
    ],
    [
      'the default ServiceAccount with a pull secret',
      object('v1', 'ServiceAccount', { name: 'default' }, { imagePullSecrets: [{ name: 'p' }] }),
      undefined,
    ],
    ['another ServiceAccount', object('v1', 'ServiceAccount'), undefined],
    [
      'Backstay itself',
      object('apps/v1', 'Deployment', { labels: { 'app.kubernetes.io/name': 'backstay' } }),
      "Backstay's own",
    ],
    [
      'an object that is being deleted',
      object('apps/v1', 'Deployment', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      'being deleted',
    ],
    ['a pod', object('v1', 'Pod'), 'made by workloads'],
    ['a Job', object('batch/v1', 'Job'), 'evidence, never run again'],
    ['a Lease', object('coordination.k8s.io/v1', 'Lease'), 'held by running programs'],
    ['an event of the new group', object('events.k8s.io/v1', 'Event'), 'evidence'],
    ['a custom resource called Lease', object('example.com/v1', 'Lease'), undefined],
  ])('%s', (_, one, reason) => {
    expect(isCaptured(one)).toEqual(reason === undefined ? { captured: true } : { captured: false, reason });
  });

  it('is a matter of the kind first: it must be listable, writable and no evidence', () => {
    const kind = { group: 'example.com', kind: 'Widget', namespaced: true, verbs: ['list', 'create', 'get'] };
    expect(isCapturedKind(kind)).toBe(true);
    expect(isCapturedKind({ ...kind, verbs: ['list'] })).toBe(false);
    expect(isCapturedKind({ ...kind, verbs: ['create'] })).toBe(false);
    expect(isCapturedKind({ ...kind, group: 'metrics.k8s.io', kind: 'PodMetrics' })).toBe(false);
    expect(isCapturedKind({ ...kind, group: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot' })).toBe(false);
  });
});

describe('the role of an object', () => {
  const stack = {
    roles: {
      data: [
        { kind: 'StatefulSet', name: 'postgres*' },
        { kind: 'ConfigMap', name: 'postgres-settings' },
      ],
      workers: [{ name: '*-worker' }],
    },
  };
  it.each<[Role, KubeObject]>([
    ['application', object('apps/v1', 'Deployment', { name: 'gateway' })],
    ['workers', object('apps/v1', 'Deployment', { name: 'embedding-worker' })],
    ['data', object('apps/v1', 'StatefulSet', { name: 'postgres' })],
    ['application', object('apps/v1', 'Deployment', { name: 'postgres-exporter' })],
    ['application', object('argoproj.io/v1alpha1', 'Rollout', { name: 'web' })],
    [
      'workers',
      object(
        'autoscaling/v2',
        'HorizontalPodAutoscaler',
        { name: 'h' },
        { spec: { scaleTargetRef: { kind: 'Deployment', name: 'embedding-worker' } } },
      ),
    ],
    [
      'data',
      object(
        'policy/v1',
        'PodDisruptionBudget',
        { name: 'b' },
        { spec: { selector: { matchLabels: { app: 'postgres' } } } },
      ),
    ],
    ['data', object('v1', 'Service', { name: 'postgres' }, { spec: { selector: { app: 'postgres' } } })],
    [
      'data',
      object('v1', 'Service', { name: 'readers' }, { spec: { selector: { 'app.kubernetes.io/name': 'postgres' } } }),
    ],
    ['traffic', object('v1', 'Service', { name: 'gateway' }, { spec: { selector: { app: 'gateway' } } })],
    ['traffic', object('networking.k8s.io/v1', 'Ingress')],
    ['traffic', object('gateway.networking.k8s.io/v1', 'HTTPRoute')],
    ['config', object('v1', 'ConfigMap')],
    ['config', object('v1', 'Secret')],
    ['data', object('v1', 'ConfigMap', { name: 'postgres-settings' })],
    ['config', object('dapr.io/v1alpha1', 'Component')],
    ['data', object('v1', 'PersistentVolumeClaim')],
    ['infrastructure', object('rbac.authorization.k8s.io/v1', 'Role')],
    ['infrastructure', object('networking.k8s.io/v1', 'NetworkPolicy')],
    ['infrastructure', object('example.com/v1', 'Widget')],
  ])('is %s for %o', (role, one) => {
    expect(roleOf(one, stack)).toBe(role);
  });

  it('of a Service is not data because every StatefulSet is', () => {
    expect(
      roleOf(object('v1', 'Service', { name: 'gateway' }), { roles: { data: [{ kind: 'StatefulSet' }], workers: [] } }),
    ).toBe('traffic');
  });
});

describe('patterns', () => {
  it('know only the star, and match whole names', () => {
    const one = object('v1', 'ConfigMap', { name: 'a.b-c' });
    expect(matchesPattern({}, one)).toBe(true);
    expect(matchesPattern({ name: 'a.*' }, one)).toBe(true);
    expect(matchesPattern({ name: 'a?b-c' }, one)).toBe(false);
    expect(matchesPattern({ name: 'a.b' }, one)).toBe(false);
    expect(matchesPattern({ name: 'axb*' }, one)).toBe(false);
    expect(matchesPattern({ kind: 'Secret', name: '*' }, one)).toBe(false);
    expect(matchesPattern({ namespace: 'm' }, one)).toBe(false);
  });
});

describe('field paths', () => {
  const deployment = {
    spec: { template: { spec: { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }] }, { name: 'b' }] } } },
    data: { 'app.yaml': 'y' },
    list: ['p', 'q'],
  };
  it.each([
    ['spec.template.spec.containers[name=a].env[name=X].value', '1'],
    ['spec.template.spec.containers[1].name', 'b'],
    ['data["app.yaml"]', 'y'],
    ['list[=q]', 'q'],
    ['spec.template.spec.containers[name=c].env', undefined],
    ['spec.replicas.deeper', undefined],
  ])('%s', (path, expected) => {
    expect(fieldPathGet(deployment, path)).toEqual(expected);
  });

  it('remove from a copy only what they name', () => {
    const removed = fieldPathRemove(deployment, 'spec.template.spec.containers[name=a].env');
    expect(removed.spec.template.spec.containers).toEqual([{ name: 'a' }, { name: 'b' }]);
    expect(deployment.spec.template.spec.containers[0]).toHaveProperty('env');
    expect(fieldPathRemove(deployment, 'list[=q]').list).toEqual(['p']);
    expect(fieldPathRemove(deployment, 'nobody.here')).toBe(deployment);
  });

  it.each(['', 'a[', 'a["b', 'a[b', 'a..b'])('say where %j cannot be understood', (path) => {
    expect(() => parseFieldPath(path)).toThrow(TypeError);
  });
});
