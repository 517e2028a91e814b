import { BackstayError } from '../errors/index.ts';
import { digestOf, type Plan, type PlanOptions } from '../model/index.ts';
import { makePlan, type PlannedRestore } from '../plan/index.ts';
import type { ClusterIdentity, DataStore } from '../ports/index.ts';
import { chooseStore } from './db.ts';
import { type PlanDeps, requireClusterOfStack, requireKnownPlaceholders } from './plan.ts';

export interface DbRestoreRequest {
  /** Absent: the only one. */
  readonly store?: string;
  /** Id, or `latest`. */
  readonly backup: string;
  readonly options: PlanOptions;
  readonly onInvalid?: 'halt' | 'return';
}

export interface DbRestorePlanned {
  readonly plan: Plan;
  readonly identity: ClusterIdentity;
}

/**
 * The plan that takes one database back to a backup and leaves every object of the stack as it is: the hooks and checks of
 * scope `database`, a snapshot of before, the restore beside, the exchange. Changes nothing.
 * @throws STORE_UNKNOWN, BACKUP_UNKNOWN, BACKUP_DAMAGED, STORE_UNREACHABLE, STORE_REFUSED naming everything that stands in
 * the way, CLUSTER_MISMATCH
 */
export async function planDbRestore(
  request: DbRestoreRequest,
  deps: PlanDeps & { readonly dataStores: () => Promise<readonly DataStore[]> },
): Promise<DbRestorePlanned> {
  const { stack, cluster, clock } = deps;
  const { options, onInvalid = stack.onInvalid } = request;
  requireKnownPlaceholders(stack);
  const store = chooseStore(await deps.dataStores(), request.store, stack.name);
  const [identity, restore] = await Promise.all([cluster.identity(), plannedRestore(store, request.backup)]);
  requireClusterOfStack(identity, stack, options);
  const plan = makePlan({
    stack,
    clusterUid: identity.uid,
    createdAt: new Date(clock.now()).toISOString(),
    scope: { kind: 'database' },
    target: { id: restore.digest, said: `backup ${restore.backup} of ${restore.store}`, labels: [] },
    live: digestOf([]),
    foreign: stack.foreign,
    changes: [],
    desired: [],
    warnings: [],
    rollingOut: new Set(),
    restores: [restore],
    // Nothing of the application is called failing, so nothing of it is held.
    options: { ...options, hold: false },
    onInvalid,
  });
  return { plan, identity };
}

/**
 * One store to one backup, with what is in both. `revision`: what the schema of the restored copy has to be.
 * @throws BACKUP_UNKNOWN, BACKUP_DAMAGED, STORE_UNREACHABLE, STORE_REFUSED naming everything that stands in the way
 */
export async function plannedRestore(store: DataStore, id: string, revision?: string | null): Promise<PlannedRestore> {
  const backup = await store.find(id);
  const { manifest } = backup;
  const obstacles = await store.obstacles(backup);
  if (obstacles.length > 0)
    throw new BackstayError('STORE_REFUSED', `${store.setting.name} cannot be taken back: ${obstacles.join('; ')}.`, {
      details: { store: store.setting.name, obstacles },
    });
  const { rows } = await store.inspect();
  return {
    store: store.setting.name,
    backup: manifest.id,
    digest: manifest.file.digest,
    takenAt: manifest.takenAt,
    atBackup: manifest.rows,
    now: rows,
    ...(revision === undefined ? {} : { revision }),
  };
}
