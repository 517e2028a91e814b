import { groupOf, type KubeObject, keyOf, type ObjectKey } from '../model/index.ts';

/** Objects by name within the set that is registered together. */
type Lookup = (group: string, kind: string, name: string, namespace?: string) => ObjectKey | undefined;

/** Kinds that others need, in the order in which they have to be there. What is not listed comes after the workloads. */
const RANKS: readonly ReadonlySet<string>[] = [
  new Set(['Namespace']),
  new Set(['CustomResourceDefinition', 'PriorityClass', 'StorageClass', 'IngressClass']),
  new Set([
    'ServiceAccount',
    'Role',
    'ClusterRole',
    'RoleBinding',
    'ClusterRoleBinding',
    'LimitRange',
    'ResourceQuota',
  ]),
  new Set(['ConfigMap', 'Secret', 'PersistentVolume', 'PersistentVolumeClaim', 'NetworkPolicy']),
  new Set(['Service', 'PodDisruptionBudget']),
  new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'ReplicaSet', 'Pod', 'Rollout']),
];

/**
 * The objects so ordered that each comes after those that it depends on; within a rank by key. Those named in `order` change
 * places among themselves.
 */
export function inOrder(objects: readonly KubeObject[], order: readonly ObjectKey[] = []): readonly KubeObject[] {
  const rank = (object: KubeObject): number => {
    const index = RANKS.findIndex((kinds) => kinds.has(object.kind));
    return index < 0 ? RANKS.length : index;
  };
  const text = (object: KubeObject): string => keyOf(object);
  const ranked = [...objects].sort((a, b) => rank(a) - rank(b) || (text(a) < text(b) ? -1 : 1));
  const byKey = new Map(ranked.map((object) => [keyOf(object), object]));
  const queue = order.flatMap((key) => byKey.get(key) ?? []);
  const named = new Set(queue);
  return ranked.map((object) => (named.has(object) ? (queue.shift() ?? object) : object));
}

/** What each object must come after: its namespace, its definition, what it names in its fields, and the one before in `order`. */
export function dependenciesOf(
  objects: readonly KubeObject[],
  order: readonly ObjectKey[] = [],
): ReadonlyMap<ObjectKey, readonly ObjectKey[]> {
  const keys = new Set(objects.map(keyOf));
  const queue = order.filter((key) => keys.has(key));
  const before = new Map(queue.slice(1).map((key, at) => [key, queue[at]]));
  const definitions = new Map<string, ObjectKey>();
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue;
    const { group, names } = object['spec'] as { readonly group: string; readonly names: { readonly kind: string } };
    definitions.set(`${group}/${names.kind}`, keyOf(object));
  }
  const lookup: Lookup = (group, kind, name, namespace) => {
    const key = `${group || 'core'}/${kind}/${namespace ?? '-'}/${name}` as ObjectKey;
    return keys.has(key) ? key : undefined;
  };
  return new Map(
    objects.map((object) => {
      const { namespace } = object.metadata;
      const found = [
        namespace === undefined ? undefined : lookup('', 'Namespace', namespace),
        definitions.get(`${groupOf(object.apiVersion)}/${object.kind}`),
        ...referencesOf(object, lookup),
        before.get(keyOf(object)),
      ];
      const self = keyOf(object);
      return [self, [...new Set(found.filter((key) => key !== undefined && key !== self))] as readonly ObjectKey[]];
    }),
  );
}

function referencesOf(object: KubeObject, lookup: Lookup): readonly (ObjectKey | undefined)[] {
  const { namespace } = object.metadata;
  const spec = (object['spec'] ?? {}) as Fields;
  const core = (kind: string, name: unknown): ObjectKey | undefined =>
    typeof name === 'string' ? lookup('', kind, name, namespace) : undefined;
  switch (object.kind) {
    case 'RoleBinding':
    case 'ClusterRoleBinding': {
      const { kind = '', name = '' } = (object['roleRef'] ?? {}) as Partial<Record<'kind' | 'name', string>>;
      const role = lookup('rbac.authorization.k8s.io', kind, name, kind === 'Role' ? namespace : undefined);
      const subjects = list(object['subjects']).map((subject) =>
        subject['kind'] === 'ServiceAccount'
          ? lookup('', 'ServiceAccount', text(subject['name']), text(subject['namespace']) || namespace)
          : undefined,
      );
      return [role, ...subjects];
    }
    case 'Ingress':
      return named(spec, 'service').map((service) => core('Service', service['name']));
    case 'HorizontalPodAutoscaler': {
      const { apiVersion, kind, name } = (spec['scaleTargetRef'] ?? {}) as Fields;
      return [lookup(groupOf(text(apiVersion)), text(kind), text(name), namespace)];
    }
    default:
      return podReferences(podSpecOf(object), core);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function podSpecOf(object: KubeObject): Fields | undefined {
  const spec = (object['spec'] ?? {}) as Fields;
  if (object.kind === 'Pod') return spec;
  const job = (spec['jobTemplate'] as Fields | undefined)?.['spec'] as Fields | undefined;
  const template = (job ?? spec)['template'] as Fields | undefined;
  return template?.['spec'] as Fields | undefined;
}

function podReferences(
  pod: Fields | undefined,
  core: (kind: string, name: unknown) => ObjectKey | undefined,
): readonly (ObjectKey | undefined)[] {
  if (pod === undefined) return [];
  const one = (field: string, kind: string, key = 'name'): readonly (ObjectKey | undefined)[] =>
    named(pod, field).map((reference) => core(kind, reference[key]));
  return [
    core('ServiceAccount', pod['serviceAccountName']),
    ...list(pod['imagePullSecrets']).map((reference) => core('Secret', reference['name'])),
    ...one('configMapRef', 'ConfigMap'),
    ...one('configMapKeyRef', 'ConfigMap'),
    ...one('configMap', 'ConfigMap'),
    ...one('secretRef', 'Secret'),
    ...one('secretKeyRef', 'Secret'),
    ...one('secret', 'Secret', 'secretName'),
    ...one('secret', 'Secret'),
    ...one('persistentVolumeClaim', 'PersistentVolumeClaim', 'claimName'),
  ];
}

/** Every map that stands under this field name, at any depth. */
function named(value: unknown, field: string): readonly Fields[] {
  if (Array.isArray(value)) return value.flatMap((item) => named(item, field));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => [
    ...(name === field && typeof inner === 'object' && inner !== null ? [inner as Fields] : []),
    ...named(inner, field),
  ]);
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
