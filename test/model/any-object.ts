import fc from 'fast-check';
import { type KubeObject, PAUSED_BY } from '../../src/model/index.ts';

type Values = Record<string, unknown>;

const text = fc.constantFrom('', 'a', 'b', 'None', '10.0.0.7');
const map = (...keys: string[]): fc.Arbitrary<Values> =>
  fc.record(Object.fromEntries(keys.map((key) => [key, text])), { requiredKeys: [] });
const metadata = fc.record(
  {
    name: fc.constant('x'),
    namespace: fc.constant('n'),
    uid: text,
    resourceVersion: text,
    ownerReferences: fc.constant([{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' }]),
    labels: map('app', 'backstay.dev/run'),
    annotations: map(
      'own',
      PAUSED_BY,
      'kubectl.kubernetes.io/restartedAt',
      'kubectl.kubernetes.io/last-applied-configuration',
      'deployment.kubernetes.io/revision',
      'pv.kubernetes.io/bind-completed',
    ),
    finalizers: fc.uniqueArray(fc.constantFrom('z/own', 'a/own', 'orphan', 'kubernetes.io/pvc-protection')),
  },
  { requiredKeys: ['name'] },
);
const podTemplate = fc.record(
  {
    metadata: fc.record(
      {
        labels: map('app', 'backstay.dev/x'),
        annotations: map('own', 'kubectl.kubernetes.io/restartedAt'),
        creationTimestamp: fc.constant(null),
      },
      { requiredKeys: [] },
    ),
    spec: fc.record({
      containers: fc.uniqueArray(
        fc.record(
          {
            name: fc.constantFrom('app', 'side'),
            env: fc.uniqueArray(fc.record({ name: fc.constantFrom('A', 'B'), value: text }), {
              selector: ({ name }) => name,
              minLength: 1,
            }),
          },
          { requiredKeys: ['name'] },
        ),
        { selector: ({ name }) => name, minLength: 1 },
      ),
    }),
  },
  { requiredKeys: [] },
);
const spec = fc.record(
  {
    paused: fc.constant(true),
    replicas: fc.nat(3),
    volumeName: text,
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    clusterIP: fc.constantFrom('None', '10.0.0.7'),
    ipFamilyPolicy: fc.constantFrom('SingleStack', 'RequireDualStack'),
    ipFamilies: fc.constant(['IPv4']),
    selector: map('app', 'rollouts-pod-template-hash'),
    ports: fc.uniqueArray(
      fc.record(
        { name: fc.constantFrom('a', 'b'), port: fc.nat(3), nodePort: fc.nat(3) },
        { requiredKeys: ['name', 'port'] },
      ),
      { selector: ({ name }) => name, minLength: 1 },
    ),
    template: podTemplate,
  },
  { requiredKeys: [] },
);
const kinds = [
  'Deployment',
  'Service',
  'ConfigMap',
  'Secret',
  'PersistentVolumeClaim',
  'Namespace',
  'ServiceAccount',
  'Rollout',
  'Widget',
];
/** Objects of a kind, with all that lies outside captured form and much that does not. */
const anyOf = (kind: string): fc.Arbitrary<KubeObject> =>
  fc.record(
    {
      apiVersion: fc.constant('v1'),
      kind: fc.constant(kind),
      metadata,
      spec,
      status: map('phase'),
      data: map('k', 'l'),
      stringData: map('k'),
      secrets: fc.constant([{ name: 's' }]),
    },
    { requiredKeys: ['apiVersion', 'kind', 'metadata'] },
  ) as unknown as fc.Arbitrary<KubeObject>;
/** Two of one kind. */
export const pair = fc.constantFrom(...kinds).chain((kind) => fc.tuple(anyOf(kind), anyOf(kind)));
