import {
  type DataStoreSetting,
  displayName,
  type FlagPlace,
  type FlagSetting,
  groupOf,
  type KubeObject,
  keyOf,
  maintainedBy,
  flagValue,
  type MaintenanceAction,
  matchesPattern,
  type ObjectKey,
  type ObjectRef,
  QUIETABLE,
  refOf,
  roleOf,
  type Stack,
  type Step,
  suspendedBy,
} from '../model/index.ts';
import type { PlanInput } from './make-plan.ts';
import { isWorkload, podTemplateOf, readsOf } from './workloads.ts';

/** What must not write while data is exchanged or migrated. */
export interface PlannedQuiesce {
  readonly workloads: readonly ObjectRef[];
  /** Data stores that nobody may be connected to before anything is done to them. */
  readonly stores: readonly string[];
}

/** How the stack is closed meanwhile. */
export type PlannedMaintenance = MaintenanceAction;

export interface WritersQuestion {
  readonly stack: Pick<Stack, 'stores' | 'roles'>;
  /** Stores whose data is exchanged, migrated or backed up in this plan. */
  readonly concerned: readonly string[];
  /** Those that are migrated from within a pod, which has to go on running. */
  readonly migrated?: readonly string[];
  /** Nobody may be connected to any of them, whether or not it names its writers. */
  readonly isStrict?: boolean;
  readonly live: Iterable<KubeObject>;
}

export interface Writers extends PlannedQuiesce {
  readonly warnings: readonly string[];
}

/**
 * The live workloads that the stack file names as writers of these stores. What a dead run left at zero is among them,
 * whatever the plan is about: it is given back by the next run.
 */
export function writersOf({ stack, concerned, migrated = [], isStrict = false, live }: WritersQuestion): Writers {
  const objects = [...live].filter((object) => QUIETABLE.has(`${groupOf(object.apiVersion)}/${object.kind}`));
  const warnings: string[] = [];
  const found = new Map<ObjectKey, ObjectRef>();
  for (const object of objects) if (suspendedBy(object).length > 0) found.set(keyOf(object), refOf(object));
  const stores = stack.stores.filter(
    ({ name, writers }) => concerned.includes(name) && (isStrict || writers.length > 0),
  );
  const within = new Set<ObjectKey>();
  for (const store of stores) {
    const keeper = migrated.includes(store.name) ? keeperOf(store) : undefined;
    for (const pattern of store.writers) {
      const matching = objects.filter((object) => matchesPattern(pattern, object) && roleOf(object, stack) !== 'data');
      if (matching.length === 0)
        warnings.push(`${spelled(pattern)} is named as a writer of ${store.name}, and nothing of that name is there`);
      for (const object of matching) {
        if (keeper !== undefined && isKeeper(object, keeper)) within.add(keyOf(object));
        // Also what is at zero now: an autoscaler must not bring it up meanwhile.
        else found.set(keyOf(object), refOf(object));
      }
    }
  }
  for (const key of within) {
    found.delete(key);
    warnings.push(`${displayName(key)} goes on running while data is migrated from within it`);
  }
  const silent = within.size === 0 ? stores : stores.filter(({ name }) => !migrated.includes(name));
  return { workloads: sorted(found), stores: silent.map(({ name }) => name), warnings };
}

function keeperOf(store: DataStoreSetting): { readonly workload: string; readonly namespace?: string } | undefined {
  const runs = 'migrations' in store ? store.migrations?.runs : undefined;
  return runs?.kind === 'pod' ? runs : undefined;
}

function isKeeper(object: KubeObject, { workload, namespace }: { workload: string; namespace?: string }): boolean {
  const [kind, name = kind] = workload.split('/');
  const isNamed = object.metadata.name === name && (kind === name || object.kind.toLowerCase() === kind?.toLowerCase());
  return isNamed && (namespace === undefined || object.metadata.namespace === namespace);
}

function spelled({ kind, namespace, name }: { kind?: string; namespace?: string; name?: string }): string {
  return [kind, namespace, name].filter((part) => part !== undefined).join('/') || '*';
}

function sorted(refs: ReadonlyMap<ObjectKey, ObjectRef>): readonly ObjectRef[] {
  return [...refs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, ref]) => ref);
}

export interface MaintenanceQuestion {
  readonly stack: Pick<Stack, 'flags' | 'namespaces' | 'maintenance'>;
  /** Whether data is exchanged or migrated. What a dead run left on is turned off by the next run in any case. */
  readonly isNeeded: boolean;
  readonly live: Iterable<KubeObject>;
  /** The objects as they will be; what they say of the flag is what it will be. */
  readonly desired: readonly KubeObject[];
}

export interface MaintenanceAnswer {
  readonly maintenance?: PlannedMaintenance;
  /** Why it cannot be turned on, in words. */
  readonly problem?: string;
  readonly warnings: readonly string[];
}

/** Where the flag of the maintenance mode stands, and who reads it. */
export function maintenanceOf({ stack, isNeeded, live, desired }: MaintenanceQuestion): MaintenanceAnswer {
  const { maintenance: setting, flags, namespaces } = stack;
  const flag = flags.find(({ name }) => name === setting?.flag);
  if (setting === undefined || flag === undefined) return { warnings: [] };
  const objects = [...live];
  const namespace = flag.source.namespace ?? namespaces[0] ?? 'default';
  const found = placeOf(flag, namespace, objects);
  if (found === undefined) {
    if (!isNeeded) return { warnings: [] };
    return {
      problem: `flag ${flag.name}, which turns maintenance mode on, has no place in the live stack`,
      warnings: [],
    };
  }
  const { object, place } = found;
  const since = maintainedBy(object);
  if (!isNeeded && since === undefined) return { warnings: [] };
  const key = keyOf(object);
  const named = setting.workloads;
  const readers = objects.filter((one) =>
    named === undefined ? reads(one, object) : named.some((name) => isKeeper(one, { workload: name })),
  );
  const missing = (named ?? []).filter((name) => !objects.some((one) => isKeeper(one, { workload: name })));
  const wanted = desired.find((one) => keyOf(one) === key);
  const warnings = [
    ...(since === undefined ? [] : [`maintenance mode is on since run ${since}, which did not turn it off`]),
    ...(since === undefined && flagValue(object, place) === setting.on
      ? [`maintenance mode is on already (${displayName(key)}), by somebody else: it stays on`]
      : []),
    ...(wanted !== undefined && flagValue(wanted, place) === setting.on
      ? [`the target itself has maintenance mode on (${displayName(key)}): it will be on afterwards`]
      : []),
    ...missing.map((name) => `${name} is to be restarted for the maintenance mode, and is not there`),
  ];
  return {
    maintenance: {
      flag: flag.name,
      object: refOf(object),
      place,
      on: setting.on,
      off: setting.off,
      workloads: readers.filter((one) => keyOf(one) !== key).map(refOf),
      ...(setting.check === undefined ? {} : { check: setting.check }),
    },
    warnings,
  };
}

function placeOf(
  { source }: FlagSetting,
  namespace: string,
  objects: readonly KubeObject[],
): { readonly object: KubeObject; readonly place: FlagPlace } | undefined {
  const here = objects.filter(({ metadata }) => metadata.namespace === namespace);
  if ('configMap' in source) {
    const object = here.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === source.configMap);
    return object === undefined ? undefined : { object, place: { kind: 'key', key: source.key } };
  }
  const object = here.find((one) => isWorkload(one) && one.metadata.name === source.workload);
  const containers = object === undefined ? [] : containersOf(object);
  const named = containers.find(({ name }) => name === source.container);
  const setting = containers.find(({ env }) => env?.some(({ name }) => name === source.env) === true);
  const container = (source.container === undefined ? (setting ?? containers[0]) : named)?.name;
  if (object === undefined || container === undefined) return undefined;
  return { object, place: { kind: 'env', container, env: source.env } };
}

interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string }[];
}

function containersOf(object: KubeObject): readonly Container[] {
  const spec = podTemplateOf(object)?.['spec'] as { readonly containers?: readonly Container[] } | undefined;
  return spec?.containers ?? [];
}

/** Whether long-running pods of the one read the other. */
function reads(workload: KubeObject, { kind, metadata }: KubeObject): boolean {
  if (!isWorkload(workload) || workload.metadata.namespace !== metadata.namespace) return false;
  return readsOf(workload).some((read) => read.kind === kind && read.name === metadata.name);
}

type Part = Omit<Step, 'phase'>;

/** The phase `quiesced`: users are told first, then nobody writes. */
export function quiescing(
  quiesce: PlannedQuiesce | undefined,
  maintenance: PlannedMaintenance | undefined,
): readonly Part[] {
  return [
    ...(maintenance === undefined ? [] : [turningOn(maintenance)]),
    ...(isEmpty(quiesce) ? [] : [stopping(quiesce)]),
  ];
}

/** After `quiescing`: one moment of all stores, for nobody writes between the first and the last of them. */
export function backingUpTogether(stores: readonly string[] = []): readonly Part[] {
  return stores.map((store) => ({
    id: `db-backup:${store}`,
    title: `Back ${store} up, and read the backup again`,
    action: { kind: 'db-backup', store, prove: 'read', together: true },
    risk: 'none',
    destructive: false,
  }));
}

/** When everything works again: a restore takes its time, and nobody has to wait for it. */
export function provingTogether(stores: readonly string[] = []): readonly Part[] {
  return stores.map((store) => ({
    id: `db-prove:${store}`,
    title: `Restore the backup of ${store} beside the live data, count, and drop that`,
    action: { kind: 'db-backup', store, prove: 'restored', together: true },
    risk: 'none',
    destructive: false,
  }));
}

/** In the phase `resumed`, before autoscalers act again: what wrote is back and well. */
export function bringingBack(quiesce: PlannedQuiesce | undefined): readonly Part[] {
  if (isEmpty(quiesce) || quiesce.workloads.length === 0) return [];
  return [
    {
      id: 'resume-writers',
      title: `Bring ${names(quiesce.workloads)} back to what they were`,
      action: { kind: 'resume-writers', ...quiesce },
      // A run that goes back from here moves the data once more.
      reverse: { kind: 'quiesce-writers', ...quiesce },
      risk: 'low',
      destructive: false,
    },
  ];
}

/** The last of the phase `resumed`: users are let in again. */
export function opening(maintenance: PlannedMaintenance | undefined): readonly Part[] {
  if (maintenance === undefined) return [];
  return [
    {
      id: 'maintenance-off',
      title: `Turn maintenance mode off (${maintenance.flag})`,
      action: { kind: 'maintenance-off', ...maintenance },
      reverse: { kind: 'maintenance-on', ...maintenance },
      risk: 'low',
      destructive: false,
    },
  ];
}

/** Whether there is nothing to do but to give back what a dead run has stopped or closed. */
export function givesBackAlone({ quiesce, maintenance }: Pick<PlanInput, 'quiesce' | 'maintenance'>): boolean {
  return !isEmpty(quiesce) || maintenance !== undefined;
}

function turningOn(maintenance: PlannedMaintenance): Part {
  const { flag, on, workloads, check } = maintenance;
  const proof = check === undefined ? '' : `, and see that ${check.target.url} says so`;
  const restarted = workloads.length === 0 ? '' : `, restart ${names(workloads)}`;
  return {
    id: 'maintenance-on',
    title: `Turn maintenance mode on (${flag} = ${on})${restarted}${proof}`,
    action: { kind: 'maintenance-on', ...maintenance },
    reverse: { kind: 'maintenance-off', ...maintenance },
    risk: 'medium',
    destructive: false,
  };
}

function stopping(quiesce: PlannedQuiesce): Part {
  const { workloads, stores } = quiesce;
  const sessions = stores.length === 0 ? '' : ` and nobody is connected to ${stores.join(', ')}`;
  return {
    id: 'quiesce-writers',
    title:
      workloads.length === 0
        ? `Prove that nobody is connected to ${stores.join(', ')}`
        : `Stop ${names(workloads)}, and wait until their pods are gone${sessions}`,
    action: { kind: 'quiesce-writers', ...quiesce },
    reverse: { kind: 'resume-writers', ...quiesce },
    // For as long as data is moved, what they serve is not served.
    risk: 'medium',
    destructive: false,
  };
}

function isEmpty(quiesce: PlannedQuiesce | undefined): quiesce is undefined {
  return quiesce === undefined || (quiesce.workloads.length === 0 && quiesce.stores.length === 0);
}

function names(refs: readonly ObjectRef[]): string {
  return refs.map((ref) => displayName(keyOf(ref))).join(', ');
}
