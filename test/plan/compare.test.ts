import { describe, expect, test } from 'vitest';
import { fieldPathGet, type KubeObject, keyOf, type ObjectKey } from '../../src/model/index.ts';
import { comparing, owning, said } from './live.ts';
import { configMap, deployment, envFrom, object, secret } from './manifests.ts';

const DIGEST = 'spec.template.metadata.annotations["backstay.dev/config-digest"]';
const desiredOf = (desired: readonly KubeObject[], name: string): KubeObject | undefined =>
  desired.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name);
const scaler = (name: string): KubeObject =>
  object(
    'HorizontalPodAutoscaler',
    name,
    { spec: { scaleTargetRef: { kind: 'Deployment', name }, maxReplicas: 9 } },
    'autoscaling/v2',
  );
const pausedBy = (holder: string): Readonly<Record<string, unknown>> => ({
  annotations: { 'backstay.dev/paused-by': holder },
});

describe('live against target', () => {
  test('is nothing to do when both are equal, whatever the server added', () => {
    const { changes, desired } = comparing({
      live: [deployment('gateway', {}, {}, pausedBy('run-1'))],
      target: [deployment('gateway')],
    });
    expect(changes).toEqual([]);
    expect(desired).toHaveLength(1);
  });

  test('creates what is missing, updates what differs and deletes what the target lacks, in the order of the keys', () => {
    const compared = comparing({
      live: [deployment('gateway', { image: 'gateway:v2' }), configMap('extra', { a: '1' })],
      target: [deployment('gateway'), configMap('config', { a: '1' })],
    });
    expect(said(compared)).toEqual(['update deployment/gateway', 'create configmap/config', 'delete configmap/extra']);
  });

  test('carries what a run needs to be sure of its object: uid, resourceVersion and the form that was seen', () => {
    const live = deployment('gateway', { image: 'gateway:v2' });
    const [change] = comparing({ live: [live], target: [deployment('gateway')] }).changes;
    expect(change).toMatchObject({ uid: 'uid-gateway', resourceVersion: '7', live });
  });

  test('keeps the live byte order of an object that differs in order only', () => {
    const turned = deployment('gateway', {
      env: [
        { name: 'B', value: '2' },
        { name: 'A', value: '1' },
      ],
    });
    const { changes, desired } = comparing({
      live: [
        deployment('gateway', {
          env: [
            { name: 'A', value: '1' },
            { name: 'B', value: '2' },
          ],
        }),
      ],
      target: [turned],
    });
    expect(changes).toEqual([]);
    expect(fieldPathGet(desired[0], 'spec.template.spec.containers[name=gateway].env[0].name')).toBe('A');
  });

  test('never lowers replicas below live, and says so, unless told to', () => {
    const world = {
      live: [deployment('gateway', {}, { replicas: 5 })],
      target: [deployment('gateway', { image: 'gateway:v0' }, { replicas: 2 })],
    };
    const kept = comparing(world);
    expect(kept.changes[0]?.fields.map(({ path }) => path)).toEqual([
      'spec.template.spec.containers[name=gateway].image',
    ]);
    expect(fieldPathGet(kept.desired[0], 'spec.replicas')).toBe(5);
    expect(kept.warnings).toEqual([
      'deployment/gateway stays at 5 replicas; the target has 2 (--exact-replicas lowers it)',
    ]);
    expect(fieldPathGet(comparing({ ...world, options: { exactReplicas: true } }).desired[0], 'spec.replicas')).toBe(2);
  });

  test('raises replicas to those of the target', () => {
    const { desired } = comparing({
      live: [deployment('gateway', {}, { replicas: 0 })],
      target: [deployment('gateway', {}, { replicas: 3 })],
    });
    expect(fieldPathGet(desired[0], 'spec.replicas')).toBe(3);
  });

  test('leaves the replicas of what an autoscaler scales as they are live, even when told to be exact', () => {
    const { changes, desired } = comparing({
      live: [deployment('gateway', { image: 'gateway:v2' }, { replicas: 7 }), scaler('gateway')],
      target: [deployment('gateway', {}, { replicas: 2 }), scaler('gateway')],
      options: { exactReplicas: true },
    });
    expect(changes.flatMap(({ fields }) => fields.map(({ path }) => path))).toEqual([
      'spec.template.spec.containers[name=gateway].image',
    ]);
    expect(fieldPathGet(desiredOf(desired, 'gateway'), 'spec.replicas')).toBe(7);
  });

  test('gives a workload that is created anew the replicas of the target, autoscaled or not', () => {
    const { desired } = comparing({
      live: [],
      target: [deployment('gateway', {}, { replicas: 4 }), scaler('gateway')],
    });
    expect(fieldPathGet(desiredOf(desired, 'gateway'), 'spec.replicas')).toBe(4);
  });

  test('leaves foreign fields of the stack as they are live', () => {
    const sidecar = (image: string): KubeObject => {
      const base = deployment('gateway');
      const containers = [
        { name: 'gateway', image: 'gateway:v1' },
        { name: 'istio-proxy', image },
      ];
      return {
        ...base,
        spec: {
          ...(base['spec'] as object),
          template: { metadata: { labels: { app: 'gateway' } }, spec: { containers } },
        },
      };
    };
    const foreign = [{ kind: 'Deployment', path: 'spec.template.spec.containers[name=istio-proxy]' }];
    expect(comparing({ live: [sidecar('proxy:2')], target: [sidecar('proxy:1')], stack: { foreign } }).changes).toEqual(
      [],
    );
    expect(comparing({ live: [sidecar('proxy:2')], target: [sidecar('proxy:1')] }).changes).toHaveLength(1);
  });

  test('keeps what a deletion would lose for good, unless told to delete it', () => {
    const live = [
      object('PersistentVolumeClaim', 'data'),
      object('StatefulSet', 'postgres', { spec: {} }, 'apps/v1'),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'production' } },
    ];
    const kept = comparing({ live, target: [] });
    expect(said(kept)).toEqual([]);
    expect(kept.warnings).toEqual([
      'namespace/production is kept, though the target does not have it (--delete-protected deletes it)',
    ]);
    expect(said(comparing({ live, target: [], options: { deleteProtected: true } }))).toEqual([
      'delete namespace/production',
    ]);
    const database = comparing({ live, target: [], scope: { kind: 'database' }, options: { deleteProtected: true } });
    expect(said(database)).toEqual(['delete statefulset/postgres', 'delete persistentvolumeclaim/data']);
  });

  test('replaces what cannot be changed in place, with the downtime named, and refuses it where data would go', () => {
    const key = 'apps/Deployment/production/gateway' as ObjectKey;
    const replaced = comparing({
      live: [deployment('gateway')],
      target: [deployment('gateway', {}, { selector: { matchLabels: { app: 'other' } } })],
      immutable: new Map([[key, 'spec.selector: field is immutable']]),
    });
    expect(replaced.changes[0]).toMatchObject({ action: 'replace', reason: 'spec.selector: field is immutable' });
    expect(replaced.warnings[0]).toContain('its pods are gone until the new ones are ready');
    const claim = 'core/PersistentVolumeClaim/production/data' as ObjectKey;
    const world = {
      live: [object('PersistentVolumeClaim', 'data', { spec: { storageClassName: 'a' } })],
      target: [object('PersistentVolumeClaim', 'data', { spec: { storageClassName: 'b' } })],
      scope: { kind: 'database' } as const,
      immutable: new Map([[claim, 'spec is immutable']]),
    };
    expect(comparing(world).refusals).toMatchObject([
      { code: 'PLAN_REFUSED', details: { flag: '--delete-protected' } },
    ]);
    expect(comparing({ ...world, options: { deleteProtected: true } }).refusals).toEqual([]);
  });
});

describe('what reads a changed configuration', () => {
  const reading = (name: string, container = envFrom('config')): KubeObject => deployment(name, container);
  const world = {
    live: [configMap('config', { MODE: 'docling', LEVEL: 'info' })],
    target: [configMap('config', { MODE: 'mineru', LEVEL: 'info' })],
  };
  const withWorkload = (workload: KubeObject) =>
    comparing({ live: [...world.live, workload], target: [...world.target, workload] });

  test('restarts though its template stays as it is, with a digest on the template that says why', () => {
    const { changes, desired } = withWorkload(reading('gateway'));
    expect(changes.map(({ action, fields, reason }) => ({ action, fields: fields.length, reason }))).toEqual([
      { action: 'restart', fields: 0, reason: 'reads configmap/config, which changes' },
      { action: 'update', fields: 1, reason: undefined },
    ]);
    expect(fieldPathGet(desiredOf(desired, 'gateway'), DIGEST)).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  const ways: readonly (readonly [string, Readonly<Record<string, unknown>>, boolean])[] = [
    [
      'one variable from the key that changes',
      { env: [{ name: 'M', valueFrom: { configMapKeyRef: { name: 'config', key: 'MODE' } } }] },
      true,
    ],
    [
      'one variable from a key that does not change',
      { env: [{ name: 'L', valueFrom: { configMapKeyRef: { name: 'config', key: 'LEVEL' } } }] },
      false,
    ],
    ['another ConfigMap', envFrom('other'), false],
    ['a Secret of the same name', { envFrom: [{ secretRef: { name: 'config' } }] }, false],
  ];
  test.each(ways)('by %s', (_title, container, restarts) => {
    expect(said(withWorkload(reading('gateway', container))).includes('restart deployment/gateway')).toBe(restarts);
  });

  const volumes: readonly (readonly [string, Readonly<Record<string, unknown>>, boolean])[] = [
    ['a volume', { configMap: { name: 'config' } }, true],
    [
      'a volume of chosen keys that do not change',
      { configMap: { name: 'config', items: [{ key: 'LEVEL', path: 'level' }] } },
      false,
    ],
    ['a projected volume', { projected: { sources: [{ configMap: { name: 'config' } }] } }, true],
  ];
  test.each(volumes)('through %s', (_title, volume, restarts) => {
    const pods = { spec: { containers: [{ name: 'gateway', image: 'i' }], volumes: [{ name: 'v', ...volume }] } };
    expect(
      said(withWorkload(deployment('gateway', {}, { template: pods }))).includes('restart deployment/gateway'),
    ).toBe(restarts);
  });

  test('does not restart for a label of the ConfigMap, which no pod reads', () => {
    const labelled = {
      ...configMap('config', { a: '1' }),
      metadata: { name: 'config', namespace: 'production', labels: { x: 'y' } },
    };
    expect(
      said(
        comparing({
          live: [configMap('config', { a: '1' }), reading('gateway')],
          target: [labelled, reading('gateway')],
        }),
      ),
    ).toEqual(['update configmap/config']);
  });

  test('restarts for a Secret by its hashes alone', () => {
    const workload = deployment('gateway', { envFrom: [{ secretRef: { name: 's' } }] });
    const { changes } = comparing({
      live: [secret('s', { a: 'hash-1' }), workload],
      target: [secret('s', { a: 'hash-2' }), workload],
    });
    expect(said({ changes })).toEqual(['restart deployment/gateway', 'update secret/s']);
  });

  test('an update whose template stays gets the digest too, and keeps its own fields', () => {
    const compared = comparing({
      live: [...world.live, reading('gateway')],
      target: [
        ...world.target,
        { ...reading('gateway'), spec: { ...(reading('gateway')['spec'] as object), replicas: 3 } },
      ],
    });
    const change = compared.changes.find(({ ref }) => ref.kind === 'Deployment');
    expect(change).toMatchObject({
      action: 'update',
      reason: 'reads configmap/config, which changes',
      fields: [{ path: 'spec.replicas' }],
    });
    expect(fieldPathGet(desiredOf(compared.desired, 'gateway'), DIGEST)).toBeDefined();
  });

  test('going to a configuration that the pods were once started with gives another digest than they carry', () => {
    const first = withWorkload(reading('gateway'));
    const digest = String(fieldPathGet(desiredOf(first.desired, 'gateway'), DIGEST));
    const carrying = reading('gateway');
    const template = {
      ...(carrying['spec'] as { template: object }).template,
      metadata: { labels: { app: 'gateway' }, annotations: { 'backstay.dev/config-digest': digest } },
    };
    const again = withWorkload({ ...carrying, spec: { ...(carrying['spec'] as object), template } });
    const now = fieldPathGet(desiredOf(again.desired, 'gateway'), DIGEST);
    expect(said(again)).toContain('restart deployment/gateway');
    expect(now).toMatch(/^sha256:/);
    expect(now).not.toBe(digest);
  });

  const unable: readonly (readonly [string, KubeObject, string])[] = [
    ['paused', deployment('gateway', envFrom('config'), { paused: true }), 'its rollout is paused'],
    [
      'of a StatefulSet that waits for deletions',
      { ...deployment('gateway', envFrom('config'), { updateStrategy: { type: 'OnDelete' } }), kind: 'StatefulSet' },
      'its pods are replaced only when they are deleted (OnDelete)',
    ],
    [
      'a data store out of scope',
      { ...deployment('postgres', envFrom('config')), kind: 'StatefulSet' },
      'it is out of scope',
    ],
  ];
  test.each(unable)('that is %s is not restarted, and the plan says so', (_title, workload, why) => {
    const compared = withWorkload(workload);
    expect(said(compared)).toEqual(['update configmap/config']);
    expect(compared.warnings).toEqual([expect.stringContaining(`is not restarted: ${why}`)]);
  });

  test('and has no pods needs no restart', () => {
    const compared = withWorkload(deployment('gateway', envFrom('config'), { replicas: 0 }));
    expect(said(compared)).toEqual(['update configmap/config']);
    expect(compared.warnings).toEqual([]);
  });
});

describe('owners of the fields that change', () => {
  const owned = (...entries: readonly unknown[]): KubeObject =>
    deployment('gateway', { image: 'gateway:v2' }, {}, { managedFields: entries });
  const IMAGE = 'f:spec/f:template/f:spec/f:containers/k:{"name":"gateway"}/f:image';
  const target = [deployment('gateway')];

  test("are taken over where they are people's tools, and listed", () => {
    const { changes, refusals } = comparing({
      live: [owned(owning('kubectl-set', IMAGE), owning('helm', 'f:spec/f:replicas'), owning('backstay', IMAGE))],
      target,
    });
    expect(changes[0]?.takesOver).toEqual(['kubectl-set']);
    expect(refusals).toEqual([]);
  });

  test('are refused where they are controllers, naming field, manager and the two ways on', () => {
    const { refusals } = comparing({ live: [owned(owning('argocd-controller', IMAGE))], target });
    expect(refusals).toMatchObject([
      {
        code: 'OBJECT_CONFLICT',
        message:
          'deployment/gateway has fields that must change and that another manager owns: spec.template.spec.containers[name=gateway].image (argocd-controller).',
        next: 'Declare the fields foreign in the stack file, or pass --take argocd-controller.',
      },
    ]);
  });

  test('are taken over when the controller was named', () => {
    const compared = comparing({
      live: [owned(owning('argocd-controller', IMAGE))],
      target,
      options: { takeFrom: ['argocd-controller'] },
    });
    expect(compared.refusals).toEqual([]);
    expect(compared.changes[0]?.takesOver).toEqual(['argocd-controller']);
  });

  test('of what does not change do not matter, nor do those of a status', () => {
    const status = { ...owning('kube-controller-manager', IMAGE), subresource: 'status' };
    const { refusals } = comparing({ live: [owned(owning('argocd-controller', 'f:spec/f:replicas'), status)], target });
    expect(refusals).toEqual([]);
  });

  test('of a replica count that a controller scales through its subresource are refused', () => {
    const scale = { ...owning('my-scaler', 'f:spec/f:replicas'), subresource: 'scale' };
    const { refusals } = comparing({
      live: [deployment('gateway', {}, { replicas: 1 }, { managedFields: [scale] })],
      target: [deployment('gateway', {}, { replicas: 2 })],
    });
    expect(refusals).toMatchObject([{ code: 'OBJECT_CONFLICT', details: { object: keyOf(deployment('gateway')) } }]);
  });
});
