import { groupOf, type KubeObject, keyOf, type ObjectKey } from './object.ts';
import { matchesGlob, matchesPattern } from './pattern.ts';
import type { ObjectPattern, Stack } from './stack.ts';

/** Which part of a stack an object is, for scopes. */
export type Role = 'application' | 'workers' | 'data' | 'config' | 'traffic' | 'infrastructure';

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout', 'ReplicationController', 'CronJob']);
/** These follow the workload they are about. */
const ABOUT_WORKLOADS = new Set([
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
  'VerticalPodAutoscaler',
  'ScaledObject',
]);
const TRAFFIC_GROUPS = new Set([
  'gateway.networking.k8s.io',
  'networking.istio.io',
  'traefik.io',
  'configuration.konghq.com',
]);
const TRAFFIC_KINDS = new Set(['Service', 'Ingress', 'EndpointSlice', 'Endpoints']);
/** Settings that programs read as they would a ConfigMap. */
const CONFIG_GROUPS = new Set(['dapr.io', 'external-secrets.io', 'bitnami.com']);

/** The role of an object in a stack: workloads by the stack's patterns, the rest by kind. */
export function roleOf(object: KubeObject, stack: Pick<Stack, 'roles'>): Role {
  const { kind } = object;
  const group = groupOf(object.apiVersion);
  if (named(stack.roles.data, object)) return 'data';
  if (named(stack.roles.workers, object)) return 'workers';
  if (WORKLOADS.has(kind)) return workloadRole(object, kind, stack);
  if (ABOUT_WORKLOADS.has(kind)) return workloadRole(object, targetKind(object), stack);
  if (kind === 'PersistentVolumeClaim') return 'data';
  if (kind === 'Service' && group === '' && workloadRole(object, undefined, stack) === 'data') return 'data';
  if (TRAFFIC_KINDS.has(kind) || TRAFFIC_GROUPS.has(group)) return 'traffic';
  if (kind === 'ConfigMap' || kind === 'Secret' || CONFIG_GROUPS.has(group)) return 'config';
  return 'infrastructure';
}

/** The workloads that a stack wants one after another, in its order; those of one name by key. `names` are the stack's. */
export function declaredOrder(objects: readonly KubeObject[], names: readonly string[]): readonly ObjectKey[] {
  const places = new Map(names.map((name, place) => [name, place]));
  return objects
    .flatMap((object) => {
      const place = places.get(object.metadata.name);
      return place === undefined || !WORKLOADS.has(object.kind) ? [] : [{ key: keyOf(object), place }];
    })
    .toSorted((a, b) => a.place - b.place || (a.key < b.key ? -1 : 1))
    .map(({ key }) => key);
}

/** Whether a pattern is about this very kind: `{kind: ConfigMap, name: postgres-*}`. */
function named(patterns: readonly ObjectPattern[], object: KubeObject): boolean {
  return patterns.some((pattern) => pattern.kind === object.kind && matchesPattern(pattern, object));
}

function workloadRole(object: KubeObject, kind: string | undefined, { roles }: Pick<Stack, 'roles'>): Role {
  if (roles.data.some((pattern) => fits(pattern, object, kind))) return 'data';
  if (roles.workers.some((pattern) => fits(pattern, object, kind))) return 'workers';
  return 'application';
}

/** An autoscaler, a budget or a Service belongs to the workload whose name it has or points at. */
function fits(pattern: ObjectPattern, object: KubeObject, kind: string | undefined): boolean {
  if (pattern.namespace !== undefined && !matchesGlob(pattern.namespace, object.metadata.namespace ?? '')) return false;
  if (kind !== undefined && !matchesGlob(pattern.kind, kind)) return false;
  // `every StatefulSet` says nothing about a Service or a budget.
  if (kind === undefined && pattern.name === undefined && pattern.kind !== undefined) return false;
  return namesOf(object).some((name) => matchesGlob(pattern.name, name));
}

function namesOf(object: KubeObject): readonly string[] {
  const spec = (object['spec'] ?? {}) as {
    readonly scaleTargetRef?: { readonly name?: string };
    readonly selector?: Readonly<Record<string, unknown>>;
  };
  if (spec.scaleTargetRef?.name !== undefined) return [spec.scaleTargetRef.name];
  if (WORKLOADS.has(object.kind)) return [object.metadata.name];
  // A Service for readers is seldom named as its StatefulSet; the label it selects is.
  const labels = (spec.selector?.['matchLabels'] ?? spec.selector ?? {}) as Readonly<Record<string, unknown>>;
  const selected = ['app', 'app.kubernetes.io/name', 'app.kubernetes.io/instance'].map((label) => labels[label]);
  return [object.metadata.name, ...selected.filter((value) => typeof value === 'string')];
}

function targetKind(object: KubeObject): string | undefined {
  return (object['spec'] as { readonly scaleTargetRef?: { readonly kind?: string } } | undefined)?.scaleTargetRef?.kind;
}
