import fc from 'fast-check';
import { NO_OPTIONS } from '../../src/actions/plan.ts';
import type { KubeObject, PlanOptions } from '../../src/model/index.ts';

export const OPTIONS: PlanOptions = NO_OPTIONS;

type Part = Readonly<Record<string, unknown>>;

/** A Deployment of one container that reads what `container` says; `spec` is merged over the rest. */
export function deployment(name: string, container: Part = {}, spec: Part = {}, metadata: Part = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'production', ...metadata },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name, image: `${name}:v1`, ...container }] },
      },
      ...spec,
    },
  };
}

export function object(kind: string, name: string, rest: Part = {}, apiVersion = 'v1'): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace: 'production' }, ...rest };
}

export const configMap = (name: string, data: Readonly<Record<string, string>>): KubeObject =>
  object('ConfigMap', name, { data });

/** As content has it: values hashed. */
export const secret = (name: string, data: Readonly<Record<string, string>>): KubeObject =>
  object('Secret', name, { type: 'Opaque', data });

export const envFrom = (name: string): Part => ({ envFrom: [{ configMapRef: { name } }] });

const name = fc.constantFrom('a', 'b', 'c', 'gateway', 'side-car', 'x.y');
const word = fc.constantFrom('', 'one', 'two', 'a b', 'line\nline two\n', 'x=1\ny=2\nz=3', '"quoted"', ']');
const key = fc.constantFrom('app.yaml', 'MODE', 'log-level', 'app.kubernetes.io/name', 'a"b', 'plain');

const env = fc.uniqueArray(
  fc.oneof(
    fc.record({ name, value: word }),
    fc.record({ name, valueFrom: fc.record({ configMapKeyRef: fc.record({ name, key }) }) }),
  ),
  { selector: (item) => item.name, maxLength: 4 },
);

const ports = fc.uniqueArray(
  fc.record({
    containerPort: fc.constantFrom(80, 8080, 53),
    protocol: fc.constantFrom('TCP', 'UDP'),
    name: fc.constantFrom('http', 'dns'),
  }),
  { selector: (item) => `${item.containerPort}/${item.protocol}`, maxLength: 4 },
);

const container = fc.record(
  {
    name,
    image: fc.constantFrom('img:v1', 'img:v2', 'other@sha256:00'),
    args: fc.array(word, { maxLength: 3 }),
    env,
    ports,
    volumeMounts: fc.uniqueArray(fc.record({ mountPath: fc.constantFrom('/a', '/b c', '/d]'), name }), {
      selector: (item) => item.mountPath,
      maxLength: 3,
    }),
    resources: fc.record({
      limits: fc.dictionary(fc.constantFrom('cpu', 'nvidia.com/gpu'), fc.constantFrom('1', '2')),
    }),
  },
  { requiredKeys: ['name', 'image'] },
);

const containers = (min: number) =>
  fc.uniqueArray(container, { selector: (item) => item.name, minLength: min, maxLength: 3 });
const labels = fc.dictionary(key, fc.constantFrom('x', 'y'), { maxKeys: 3 });

export const aDeployment: fc.Arbitrary<KubeObject> = fc
  .record({
    containers: containers(1),
    initContainers: containers(0),
    replicas: fc.integer({ min: 0, max: 3 }),
    labels,
    templateLabels: labels,
  })
  .map(({ containers, initContainers, replicas, labels, templateLabels }) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'gateway', namespace: 'production', labels },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'gateway' } },
      template: { metadata: { labels: templateLabels }, spec: { containers, initContainers } },
    },
  }));

export const aConfigMap: fc.Arbitrary<KubeObject> = fc
  .record({ data: fc.dictionary(key, word, { maxKeys: 4 }), labels })
  .map(({ data, labels }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'config', namespace: 'production', labels },
    data,
  }));

export const aSecret = (value: fc.Arbitrary<string>): fc.Arbitrary<KubeObject> =>
  fc.record({ data: fc.dictionary(key, value, { maxKeys: 4 }), annotation: value }).map(({ data, annotation }) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'credentials',
      namespace: 'production',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': annotation },
    },
    type: 'Opaque',
    data,
    stringData: data,
  }));

/** Any order of the list's items. */
export function shuffled<T>(items: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });
}
