import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { displayName, type KubeObject, keyOf, type Scope, SCOPES } from '../../src/model/index.ts';
import { SCOPE_TABLE, unknownWorkloads, viewScope } from '../../src/plan/index.ts';
import { comparing, roleIn, STACK, said } from './live.ts';
import { configMap, deployment, envFrom, object, secret } from './manifests.ts';

const service = (name: string): KubeObject =>
  object('Service', name, { spec: { selector: { app: name }, ports: [{ port: 80 }] } });
const stateful = (name: string, container = {}): KubeObject => ({
  ...deployment(name, container),
  kind: 'StatefulSet',
});

/** A stack of every part: application (two workloads), a worker, a data store, and what they use. */
const PARTS: readonly KubeObject[] = [
  deployment('gateway', envFrom('shared'), {
    template: {
      metadata: { labels: { app: 'gateway' } },
      spec: { serviceAccountName: 'gateway', containers: [{ name: 'gateway', image: 'i', ...envFrom('shared') }] },
    },
  }),
  deployment('parser', { envFrom: [{ configMapRef: { name: 'parser' } }, { secretRef: { name: 'parser' } }] }),
  deployment('worker', { envFrom: [{ configMapRef: { name: 'shared' } }, { configMapRef: { name: 'worker' } }] }),
  stateful('postgres', envFrom('postgres')),
  configMap('shared', { a: '1' }),
  configMap('parser', { a: '1' }),
  secret('parser', { a: 'hash' }),
  configMap('worker', { a: '1' }),
  configMap('postgres', { a: '1' }),
  configMap('unread', { a: '1' }),
  service('gateway'),
  service('worker'),
  service('postgres'),
  object('Ingress', 'public', { spec: {} }, 'networking.k8s.io/v1'),
  object('ServiceAccount', 'gateway'),
  object('Role', 'reader', { rules: [] }, 'rbac.authorization.k8s.io/v1'),
  object(
    'HorizontalPodAutoscaler',
    'gateway',
    { spec: { scaleTargetRef: { kind: 'Deployment', name: 'gateway' } } },
    'autoscaling/v2',
  ),
  object('PodDisruptionBudget', 'parser', { spec: { selector: { matchLabels: { app: 'parser' } } } }, 'policy/v1'),
  object('PersistentVolumeClaim', 'data'),
];

function inScope(scope: Scope, objects: readonly KubeObject[] = PARTS): readonly string[] {
  const view = viewScope({ scope, role: roleIn(STACK), live: objects, target: objects });
  return objects.map(keyOf).filter(view.has).map(displayName).sort();
}

describe('a scope', () => {
  const rows: readonly (readonly [Scope['kind'], readonly string[]])[] = [
    [
      'full',
      [
        'configmap/parser',
        'configmap/postgres',
        'configmap/shared',
        'configmap/unread',
        'configmap/worker',
        'deployment/gateway',
        'deployment/parser',
        'deployment/worker',
        'horizontalpodautoscaler/gateway',
        'ingress/public',
        'poddisruptionbudget/parser',
        'role/reader',
        'secret/parser',
        'service/gateway',
        'service/worker',
        'serviceaccount/gateway',
      ],
    ],
    [
      'application',
      [
        'configmap/parser',
        'configmap/shared',
        'deployment/gateway',
        'deployment/parser',
        'horizontalpodautoscaler/gateway',
        'poddisruptionbudget/parser',
        'secret/parser',
        'service/gateway',
        'serviceaccount/gateway',
      ],
    ],
    ['workers', ['configmap/worker', 'deployment/worker', 'service/worker']],
    [
      'config',
      [
        'configmap/parser',
        'configmap/postgres',
        'configmap/shared',
        'configmap/unread',
        'configmap/worker',
        'secret/parser',
      ],
    ],
    ['traffic', ['ingress/public', 'service/gateway', 'service/worker']],
    ['database', ['configmap/postgres', 'persistentvolumeclaim/data', 'service/postgres', 'statefulset/postgres']],
    ['flags', []],
  ];
  test.each(rows)('%s holds its own and nothing else', (kind, expected) => {
    expect(inScope({ kind } as Scope)).toEqual(expected);
  });

  test('infrastructure is the same objects as full', () => {
    expect(inScope({ kind: 'infrastructure' })).toEqual(inScope({ kind: 'full' }));
  });

  test('has a row for every name that a user can give', () => {
    expect(Object.keys(SCOPE_TABLE).sort()).toEqual([...SCOPES].sort());
  });

  test('is documented as it is', () => {
    const page = readFileSync(new URL('../../docs/scopes.md', import.meta.url), 'utf8');
    const rows = Object.entries(SCOPE_TABLE).map(
      ([name, { means, restarts }]) =>
        `| \`${name}\` | ${means} | ${restarts.length === 0 ? 'none' : restarts.join(', ')} |`,
    );
    expect(page.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
  });

  test('of named workloads holds them with what only they use, and tells what they share', () => {
    const scope: Scope = { kind: 'workloads', names: ['gateway'] };
    expect(inScope(scope)).toEqual([
      'deployment/gateway',
      'horizontalpodautoscaler/gateway',
      'service/gateway',
      'serviceaccount/gateway',
    ]);
    const view = viewScope({ scope, role: roleIn(STACK), live: PARTS, target: PARTS });
    expect([...view.shared.keys()].map(displayName)).toEqual(['configmap/shared']);
  });

  test('knows the names that no workload has', () => {
    const sides = { role: roleIn(STACK), live: PARTS, target: [] };
    expect(unknownWorkloads({ ...sides, scope: { kind: 'workloads', names: ['gateway', 'gatway'] } })).toEqual([
      'gatway',
    ]);
    expect(unknownWorkloads({ ...sides, scope: { kind: 'full' } })).toEqual([]);
  });

  test('holds what a workload used on one side only: read then, or read now', () => {
    const now = [deployment('parser', envFrom('new')), configMap('new', { a: '1' })];
    const then = [deployment('parser', envFrom('old')), configMap('old', { a: '1' })];
    expect(said(comparing({ live: now, target: then, scope: { kind: 'application' } }))).toEqual([
      'update deployment/parser',
      'delete configmap/new',
      'create configmap/old',
    ]);
  });
});

describe('out of scope', () => {
  const changedAll = PARTS.map((one) =>
    one.kind === 'ConfigMap'
      ? { ...one, data: { a: '2' } }
      : { ...one, metadata: { ...one.metadata, labels: { was: 'changed' } } },
  );

  test.each(SCOPES.filter((kind) => kind !== 'flags'))('%s neither changes nor deletes anything beside it', (kind) => {
    const held = new Set(inScope({ kind }));
    const readers = new Set(['deployment/gateway', 'deployment/parser', 'deployment/worker', 'statefulset/postgres']);
    for (const target of [PARTS, []]) {
      const { changes } = comparing({ live: changedAll, target, scope: { kind }, options: { deleteProtected: true } });
      expect(changes.length).toBeGreaterThan(0);
      for (const { key, action } of changes) {
        const name = displayName(key);
        expect(held.has(name) || (action === 'restart' && readers.has(name))).toBe(true);
      }
    }
  });

  test('workers leave the configuration that they share with the application, and say that it differs', () => {
    const compared = comparing({ live: changedAll, target: PARTS, scope: { kind: 'workers' } });
    expect(said(compared)).toEqual(['update deployment/worker', 'update configmap/worker', 'update service/worker']);
    expect(compared.warnings).toEqual([
      'configmap/shared differs and stays as it is, because deployment/gateway (out of scope) uses it too',
    ]);
  });

  test('the application changes what it shares with workers, and warns that those keep the old values', () => {
    const { warnings, changes } = comparing({ live: changedAll, target: PARTS, scope: { kind: 'application' } });
    expect(said({ changes })).toContain('update configmap/shared');
    expect(said({ changes })).not.toContain('restart deployment/worker');
    expect(warnings).toContain(
      'deployment/worker reads configmap/shared, which changes, but is not restarted: it is out of scope',
    );
  });

  test('configuration restarts what reads it, and nothing of a data store', () => {
    const live = PARTS.map((one) => (one.kind === 'ConfigMap' ? { ...one, data: { a: '2' } } : one));
    const { changes, warnings } = comparing({ live, target: PARTS, scope: { kind: 'config' } });
    expect(said({ changes }).filter((line) => line.startsWith('restart'))).toEqual([
      'restart deployment/gateway',
      'restart deployment/parser',
      'restart deployment/worker',
    ]);
    expect(warnings).toEqual([expect.stringContaining('statefulset/postgres reads configmap/postgres')]);
  });
});

describe('scope flags', () => {
  const flags = [
    { name: 'backend', source: { configMap: 'config', key: 'BACKEND' } },
    { name: 'breaker', source: { workload: 'gateway', env: 'BREAKER' } },
  ];
  const world = (backend: string, breaker: string, rest: string): readonly KubeObject[] => [
    configMap('config', { BACKEND: backend, OTHER: rest }),
    deployment('gateway', {
      image: `gateway:${rest}`,
      env: [
        { name: 'BREAKER', value: breaker },
        { name: 'REST', value: rest },
      ],
    }),
    deployment('parser', envFrom('config')),
  ];
  const scope: Scope = { kind: 'flags' };

  test('sets the flags alone and restarts what reads them: the rest stays as it is live', () => {
    const compared = comparing({
      live: world('docling', 'off', 'new'),
      target: world('mineru', 'on', 'old'),
      scope,
      stack: { flags },
    });
    expect(said(compared)).toEqual([
      'update deployment/gateway',
      'restart deployment/parser',
      'update configmap/config',
    ]);
    expect(compared.changes.flatMap(({ fields }) => fields.map(({ path, after }) => [path, after]))).toEqual([
      ['spec.template.spec.containers[name=gateway].env[name=BREAKER].value', 'on'],
      ['data.BACKEND', 'mineru'],
    ]);
  });

  test('takes a flag away that the target did not have', () => {
    const target = [configMap('config', { OTHER: 'x' }), deployment('gateway', { image: 'gateway:new', env: [] })];
    const compared = comparing({ live: world('docling', 'off', 'new'), target, scope, stack: { flags } });
    expect(compared.changes.flatMap(({ fields }) => fields.map(({ kind, path }) => `${kind} ${path}`))).toEqual([
      'removed spec.template.spec.containers[name=gateway].env[name=BREAKER]',
      'removed data.BACKEND',
    ]);
  });

  test('refuses a flag whose object is gone, and leaves one that the target does not know', () => {
    const { refusals } = comparing({ live: [], target: world('mineru', 'on', 'old'), scope, stack: { flags } });
    expect(refusals.map(({ code }) => code)).toEqual(['PLAN_REFUSED', 'PLAN_REFUSED']);
    const unknown = comparing({ live: world('docling', 'off', 'new'), target: [], scope, stack: { flags } });
    expect(unknown.changes).toEqual([]);
    expect(unknown.warnings).toEqual([
      'flag backend stays as it is: the target does not have configmap/config',
      'flag breaker stays as it is: the target does not have deployment/gateway',
    ]);
  });
});
