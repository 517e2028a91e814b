import { groupOf, type KubeObject } from '../model/index.ts';

/** A version that API servers stopped serving, and the one to which only the name has to change. */
interface Successor {
  readonly from: string;
  readonly to: string;
  readonly kinds: readonly string[];
  /** Says no, with the reason, where the same text would mean something else. */
  readonly unless?: (object: KubeObject) => string | undefined;
}

/**
 * Only pairs with the same fields and the same meaning. Ingress v1beta1, HorizontalPodAutoscaler v2beta1 and apps/v1beta1
 * are missing on purpose: their fields or defaults differ, and a guess would be a different object.
 */
const SUCCESSORS: readonly Successor[] = [
  { from: 'autoscaling/v2beta2', to: 'autoscaling/v2', kinds: ['HorizontalPodAutoscaler'] },
  { from: 'batch/v1beta1', to: 'batch/v1', kinds: ['CronJob'] },
  {
    from: 'policy/v1beta1',
    to: 'policy/v1',
    kinds: ['PodDisruptionBudget'],
    unless: (object) => {
      const selector = (object['spec'] as { readonly selector?: object } | undefined)?.selector;
      const empty =
        selector === undefined || Object.values(selector).every((part) => Object.keys(part as object).length === 0);
      return empty ? 'an empty selector chose no pods there and chooses all of them now' : undefined;
    },
  },
  {
    from: 'rbac.authorization.k8s.io/v1beta1',
    to: 'rbac.authorization.k8s.io/v1',
    kinds: ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  },
  { from: 'scheduling.k8s.io/v1beta1', to: 'scheduling.k8s.io/v1', kinds: ['PriorityClass'] },
  { from: 'storage.k8s.io/v1beta1', to: 'storage.k8s.io/v1', kinds: ['StorageClass', 'CSIDriver'] },
  { from: 'node.k8s.io/v1beta1', to: 'node.k8s.io/v1', kinds: ['RuntimeClass'] },
];

export type Served =
  | { readonly kind: 'served'; readonly object: KubeObject }
  | { readonly kind: 'converted'; readonly object: KubeObject; readonly from: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** The object in a version that the API server serves. `isServed` answers for apiVersion and kind. */
export function inServedVersion(object: KubeObject, isServed: (apiVersion: string, kind: string) => boolean): Served {
  const { apiVersion, kind } = object;
  if (isServed(apiVersion, kind)) return { kind: 'served', object };
  const successor = SUCCESSORS.find(({ from, kinds }) => from === apiVersion && kinds.includes(kind));
  if (successor === undefined || !isServed(successor.to, kind)) {
    return { kind: 'refused', reason: `${apiVersion} ${kind} is not served` };
  }
  const not = successor.unless?.(object);
  if (not !== undefined)
    return { kind: 'refused', reason: `${apiVersion} ${kind} is not served, and in ${successor.to} ${not}` };
  return { kind: 'converted', object: { ...object, apiVersion: successor.to }, from: apiVersion };
}

/** The group and kind that a CustomResourceDefinition of the target brings, as `KIND.GROUP`. */
export function definedKinds(objects: readonly KubeObject[]): ReadonlySet<string> {
  const definitions = objects.filter(
    ({ kind, apiVersion }) => kind === 'CustomResourceDefinition' && groupOf(apiVersion) === 'apiextensions.k8s.io',
  );
  return new Set(
    definitions.map((definition) => {
      const spec = definition['spec'] as
        | { readonly group?: string; readonly names?: { readonly kind?: string } }
        | undefined;
      return `${spec?.names?.kind ?? ''}.${spec?.group ?? ''}`;
    }),
  );
}
