import { BackstayError } from '../errors/index.ts';
import { type KubeObject, keyOf, type ObjectRef, type PlanOptions, type Stack } from '../model/index.ts';
import {
  autoscalersOf,
  maintenanceOf,
  type PlanInput,
  type PlannedMaintenance,
  type PlannedQuiesce,
  writersOf,
} from '../plan/index.ts';

import type { PlannedData } from './plan-data.ts';

export interface QuiesceRequest {
  /** Data stores whose data is exchanged, migrated or backed up together. */
  readonly concerned: readonly string[];
  /** Those of them that are migrated. */
  readonly migrated?: readonly string[];
  /** Nobody may be connected to any of them, whether or not it names its writers. */
  readonly isStrict?: boolean;
  readonly live: ReadonlyMap<unknown, KubeObject>;
  /** The objects as they will be. Absent: as they are. */
  readonly desired?: readonly KubeObject[];
  readonly options: Pick<PlanOptions, 'emergency'>;
}

export interface Quiesced {
  /** For the plan's input. */
  readonly parts: { readonly quiesce?: PlannedQuiesce; readonly maintenance?: PlannedMaintenance };
  /** Those of what is stopped: they would bring it up again. */
  readonly autoscalers: readonly ObjectRef[];
  readonly warnings: readonly string[];
  /** Nothing has to be stopped, closed or given back. */
  readonly isNothing: boolean;
}

/**
 * What is stopped and closed while the data of these stores is moved, and what a dead run has left so. Changes nothing.
 * @throws PLAN_REFUSED when the maintenance mode that the stack file declares cannot be turned on, unless in an emergency
 */
export function quiesceFor(
  { concerned, migrated = [], isStrict = false, live, desired = [], options }: QuiesceRequest,
  stack: Stack,
): Quiesced {
  const objects = [...live.values()];
  const { warnings, ...quiesce } = writersOf({ stack, concerned, migrated, isStrict, live: objects });
  const answer = maintenanceOf({ stack, isNeeded: concerned.length > 0, live: objects, desired });
  if (answer.problem !== undefined && !options.emergency)
    throw new BackstayError('PLAN_REFUSED', `Maintenance mode cannot be turned on: ${answer.problem}.`, {
      next: 'Correct `backstay:maintenance` in the stack file, or pass --emergency to go without it.',
    });
  const stopped = quiesce.workloads.map((ref) => ({ key: keyOf(ref), action: 'update' as const }));
  const isNothing = quiesce.workloads.length + quiesce.stores.length === 0;
  return {
    parts: {
      ...(isNothing ? {} : { quiesce }),
      ...(answer.maintenance === undefined ? {} : { maintenance: answer.maintenance }),
    },
    autoscalers: stopped.length === 0 ? [] : autoscalersOf(stopped, objects),
    warnings: [
      ...warnings,
      ...answer.warnings,
      ...(answer.problem === undefined ? [] : [`maintenance mode is not turned on: ${answer.problem}`]),
    ],
    isNothing: isNothing && answer.maintenance === undefined,
  };
}

/** The same for a rollback, which may exchange, migrate, or take exchanges back. */
export function quiesceForData(
  { restores, migrations }: Pick<PlannedData, 'restores' | 'migrations'>,
  exchanged: readonly string[],
  request: Omit<QuiesceRequest, 'concerned' | 'migrated'>,
  stack: Stack,
): Quiesced {
  const migrated = migrations.map(({ store }) => store);
  const concerned = [...new Set([...restores.map(({ store }) => store), ...migrated, ...exchanged])];
  const quiesced = quiesceFor({ ...request, concerned, migrated }, stack);
  return { ...quiesced, warnings: [...quiesced.warnings, ...betweenStores(restores)] };
}

/** Each object once. */
export function union(...lists: readonly (readonly ObjectRef[])[]): readonly ObjectRef[] {
  return [...new Map(lists.flat().map((ref) => [keyOf(ref), ref])).values()];
}

/** What is not atomic between stores that are exchanged in one run, in words. */
export function betweenStores(restores: NonNullable<PlanInput['restores']>): readonly string[] {
  if (restores.length < 2) return [];
  const names = restores.map(({ store }) => store).join(', ');
  return [
    `${names} are exchanged one after another, in this order: between two of them whoever reads sees one as it was and another as it is; all are restored beside and proven first, and when one cannot be exchanged those before it are exchanged back`,
  ];
}
