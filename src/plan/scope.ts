import {
  type KubeObject,
  keyOf,
  type NamedScope,
  type ObjectKey,
  partsOf,
  type Role,
  type Scope,
} from '../model/index.ts';
import { isWorkload, pullSecretsOf, readKey, readsOf, selects, serviceAccountOf } from './workloads.ts';

export interface ScopeRow {
  /** Roles (model/role.ts) that belong to the scope as a whole. */
  readonly roles: readonly Role[];
  /**
   * `all`: also what its workloads read (ConfigMaps, Secrets), run as, are selected by (Services, budgets) and are scaled
   * by. `own`: the same, but only what no workload outside the scope shares.
   */
  readonly companions: 'all' | 'own' | 'none';
  /** Whose pods restart when something that they read changes. Others are warned about. */
  readonly restarts: readonly Role[];
  /** For the documentation. */
  readonly means: string;
}

/**
 * The scopes (scenarios P3, M12 to M14). What a row does not name is neither changed nor deleted. `flags` has no
 * roles: it takes single keys out of ConfigMaps and single variables out of workloads, and leaves the rest as live.
 */
export const SCOPE_TABLE = {
  full: {
    roles: ['application', 'workers', 'config', 'traffic', 'infrastructure'],
    companions: 'none',
    restarts: ['application', 'workers'],
    means: 'everything of the stack but its data stores',
  },
  infrastructure: {
    roles: ['application', 'workers', 'config', 'traffic', 'infrastructure'],
    companions: 'none',
    restarts: ['application', 'workers'],
    means: 'the cluster configuration of the namespaces: the same objects as `full`',
  },
  application: {
    roles: ['application'],
    companions: 'all',
    restarts: ['application'],
    means: 'application workloads with the configuration, flags, Services, accounts, autoscalers and budgets they use',
  },
  workers: {
    roles: ['workers'],
    companions: 'own',
    restarts: ['workers'],
    means: 'worker workloads with what only they use; what the application shares stays as it is',
  },
  config: {
    roles: ['config'],
    companions: 'none',
    restarts: ['application', 'workers'],
    means: 'ConfigMaps and Secrets, and a restart of what reads them',
  },
  flags: {
    roles: [],
    companions: 'none',
    restarts: ['application', 'workers'],
    means: 'the feature flags of the stack file and nothing beside them, and a restart of what reads them',
  },
  traffic: {
    roles: ['traffic'],
    companions: 'none',
    restarts: [],
    means: 'Services, Ingresses and routes',
  },
  database: {
    roles: ['data'],
    companions: 'own',
    restarts: ['data'],
    means: 'data-store workloads, their volumes, and what only they use',
  },
} as const satisfies Record<NamedScope, ScopeRow>;

/** The row of a scope that names its workloads. */
const WORKLOADS_ROW: ScopeRow = {
  roles: [],
  companions: 'own',
  restarts: ['application', 'workers', 'data'],
  means: 'the named workloads with what only they use; what others share stays as it is',
};

export interface ScopeInput {
  readonly scope: Scope;
  readonly role: (object: KubeObject) => Role;
  readonly live: readonly KubeObject[];
  readonly target: readonly KubeObject[];
}

export interface ScopeView {
  readonly has: (key: ObjectKey) => boolean;
  /** Whether a reader of changed configuration restarts, or is left alone and warned about. */
  readonly restarts: (workload: KubeObject) => boolean;
  /** What the workloads in scope use but share with others, and which therefore stays as live. */
  readonly shared: ReadonlyMap<ObjectKey, readonly ObjectKey[]>;
}

/**
 * Decides for every object whether it is in scope, from both sides: what a workload read in the target or reads live
 * belongs to it. Never throws: names that match nothing give an empty scope (`unknownWorkloads` tells).
 */
export function viewScope(input: ScopeInput): ScopeView {
  const { scope, role } = input;
  const row: ScopeRow = scope.kind === 'workloads' ? WORKLOADS_ROW : SCOPE_TABLE[scope.kind];
  const all = [...input.live, ...input.target];
  const workloads = all.filter(isWorkload);
  const primary = (object: KubeObject): boolean =>
    scope.kind === 'workloads'
      ? isWorkload(object) && scope.names.includes(object.metadata.name)
      : row.roles.includes(role(object));

  const keys = new Set(all.filter(primary).map(keyOf));
  const shared = new Map<ObjectKey, readonly ObjectKey[]>();
  if (row.companions !== 'none') {
    const inside = usersAmong(workloads.filter(primary));
    const outside = usersAmong(workloads.filter((workload) => !primary(workload)));
    const candidates = all.filter((object) => !isWorkload(object) && (role(object) !== 'data' || primary(object)));
    for (const object of candidates) {
      const key = keyOf(object);
      if (inside(object).length === 0) continue;
      const others = outside(object).map(keyOf);
      if (row.companions === 'all' || others.length === 0) keys.add(key);
      else shared.set(key, [...new Set([...(shared.get(key) ?? []), ...others])].sort());
    }
    // An object may be shared on one side only, such as a Service whose selector changed: shared wins.
    for (const key of shared.keys()) keys.delete(key);
  }
  return {
    has: (key) => keys.has(key),
    restarts: (workload) => {
      if (scope.kind === 'workloads') return primary(workload);
      return row.restarts.includes(role(workload));
    },
    shared,
  };
}

/** Names of a `workloads` scope that neither side has. */
export function unknownWorkloads(input: ScopeInput): readonly string[] {
  if (input.scope.kind !== 'workloads') return [];
  const names = new Set([...input.live, ...input.target].filter(isWorkload).map((object) => object.metadata.name));
  return input.scope.names.filter((name) => !names.has(name));
}

/** Kinds whose deletion loses data or more than themselves: only with `deleteProtected`. */
export function isProtected(key: ObjectKey, role: Role | undefined): boolean {
  const { group, kind } = partsOf(key);
  if (role === 'data') return true;
  const name = group === '' ? kind : `${kind}.${group}`;
  return [
    'PersistentVolumeClaim',
    'PersistentVolume',
    'Namespace',
    'CustomResourceDefinition.apiextensions.k8s.io',
  ].includes(name);
}

/** Which of these workloads use an object: read it, run as it, or are selected, scaled or guarded by it. */
function usersAmong(workloads: readonly KubeObject[]): (object: KubeObject) => readonly KubeObject[] {
  const byName = new Map<string, KubeObject[]>();
  const byNamespace = Map.groupBy(workloads, ({ metadata }) => metadata.namespace);
  for (const workload of workloads) {
    for (const name of namesUsed(workload)) {
      const users = byName.get(name);
      if (users === undefined) byName.set(name, [workload]);
      else users.push(workload);
    }
  }
  return (object) => {
    const { namespace } = object.metadata;
    const spec = (object.spec ?? {}) as Readonly<Record<string, unknown>>;
    if (object.kind === 'Service' || object.kind === 'PodDisruptionBudget') {
      return (byNamespace.get(namespace) ?? []).filter((workload) => selects(spec.selector, workload));
    }
    if (object.kind === 'HorizontalPodAutoscaler') {
      const target = (spec.scaleTargetRef ?? {}) as { readonly kind?: string; readonly name?: string };
      return byName.get(`${target.kind ?? ''} ${namespace ?? ''} ${target.name ?? ''}`) ?? [];
    }
    return byName.get(keyOf(object)) ?? [];
  };
}

/** Keys of what a workload names, and its own name as an autoscaler gives it; each once. */
function namesUsed(workload: KubeObject): ReadonlySet<string> {
  const { namespace = '', name } = workload.metadata;
  const account = serviceAccountOf(workload);
  return new Set([
    ...readsOf(workload).map((read) => readKey(read, namespace)),
    ...pullSecretsOf(workload).map((secret) => readKey({ kind: 'Secret', name: secret }, namespace)),
    ...(account === undefined ? [] : [`core/ServiceAccount/${namespace}/${account}`]),
    `${workload.kind} ${namespace} ${name}`,
  ]);
}
