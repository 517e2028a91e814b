import { BackstayError } from '../errors/index.ts';
import { type Digest, digestOf, type Plan, type PlanOptions } from '../model/index.ts';
import { makePlan, type PlannedRestore } from '../plan/index.ts';
import type { ClusterIdentity, DataStore } from '../ports/index.ts';
import { backupsMarked, chooseStore, requireTables } from './db.ts';
import { takeInventory } from './inventory.ts';
import { otherSchemas } from './live-schema.ts';
import { betweenStores, quiesceFor } from './plan-quiesce.ts';
import { type PlanDeps, requireClusterOfStack, requireKnownPlaceholders } from './plan.ts';

export interface DbRestoreRequest {
  /** Absent: the only one. */
  readonly store?: string;
  /** Id, or `latest`; with `all` the marker that the backups of every store have in common. */
  readonly backup: string;
  /** Every store of the stack, in its order. */
  readonly all?: boolean;
  /** Only the rows of these tables, `documents` or `audit.events`. */
  readonly tables?: readonly string[];
  /** Keep the rows that were written since the backup: told first, row by row, and then done as it was told. */
  readonly preserveNewData?: boolean;
  /** Over the live data, where no second database may be made. */
  readonly inPlace?: boolean;
  /** With `inPlace`: the backup of now is only read again, for there is no room to restore it beside. */
  readonly readOnlyProof?: boolean;
  readonly options: PlanOptions;
  /** Leave the cluster unasked: it cannot answer, and the data cannot wait for it. */
  readonly withoutCluster?: boolean;
  readonly onInvalid?: 'halt' | 'return';
}

export interface DbRestorePlanned {
  readonly plan: Plan;
  readonly identity: ClusterIdentity;
}

const UNASKED: ClusterIdentity = { uid: '', version: '', server: 'the cluster is not asked' };

const WITHOUT_CLUSTER = [
  'the cluster is not asked: nothing is captured of it, no check is made, and what writes to the database is not stopped',
  'the lease is taken in the database server; a run that the cluster leases meanwhile is kept from this database by its fence',
];

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
  const chosen = await chosenFor(request, await deps.dataStores(), stack.name);
  const without = request.withoutCluster === true;
  const [inventory, restores] = await Promise.all([
    without ? undefined : takeInventory(cluster, stack),
    Promise.all(chosen.map(async ({ store, backup }) => await plannedFor(request, store, backup))),
  ]);
  const identity = inventory?.identity ?? UNASKED;
  if (!without) requireClusterOfStack(identity, stack, options);
  const concerned = restores.map(({ store }) => store);
  const quiesced = inventory && quiesceFor({ concerned, live: inventory.live, options }, stack);
  const backups = await Promise.all(
    chosen.map(async ({ store, backup }) => ({ store: store.setting.name, backup: await store.find(backup) })),
  );
  const plan = makePlan({
    stack,
    clusterUid: identity.uid,
    createdAt: new Date(clock.now()).toISOString(),
    scope: { kind: 'database' },
    target: { id: targetOf(restores), said: saidOf(request, restores), labels: [] },
    live: digestOf([]),
    foreign: stack.foreign,
    changes: [],
    desired: [],
    warnings: [
      ...(quiesced?.warnings ?? []),
      ...betweenStores(restores),
      ...(await otherSchemas(backups, deps)),
      ...(without ? [...WITHOUT_CLUSTER, ...lostInPlace(restores)] : []),
    ],
    rollingOut: new Set(),
    restores,
    ...quiesced?.parts,
    autoscalers: quiesced?.autoscalers ?? [],
    // Nothing of the application is called failing, so nothing of it is held.
    options: {
      ...options,
      hold: false,
      ...(without ? { databaseLease: concerned[0] ?? '', skipValidation: true } : {}),
    },
    onInvalid,
  });
  return { plan, identity };
}

/** Beside, what is written meanwhile stays in the former database; in place there is none. */
function lostInPlace(restores: readonly PlannedRestore[]): readonly string[] {
  return restores
    .filter(({ inPlace }) => inPlace !== undefined)
    .map(
      ({ store }) =>
        `${store}: what anybody writes between the backup of now and the restore over it is lost: it is in no backup and in no former database`,
    );
}

async function plannedFor(request: DbRestoreRequest, store: DataStore, id: string): Promise<PlannedRestore> {
  return request.inPlace === true ? await inPlace(request, store, id) : await keepingIf(request, store, id);
}

/** @throws STORE_UNSUPPORTED, STORE_REFUSED naming everything that stands in the way */
async function inPlace({ readOnlyProof }: DbRestoreRequest, store: DataStore, id: string): Promise<PlannedRestore> {
  const { name, kind } = store.setting;
  const backup = await store.find(id);
  if (store.lookInPlace === undefined || backup.manifest.tables !== undefined)
    throw new BackstayError('STORE_UNSUPPORTED', `${name}: only a whole PostgreSQL database is restored in place.`, {
      details: { store: name, kind },
    });
  const { obstacles, stays, wayBack } = await store.lookInPlace(backup);
  requireNone(obstacles, name);
  const { manifest } = backup;
  const { rows } = await store.inspect();
  return {
    store: name,
    backup: manifest.id,
    digest: manifest.file.digest,
    takenAt: manifest.takenAt,
    atBackup: manifest.rows,
    // What the backup does not hold stays, and is told as such.
    now: Object.fromEntries(Object.entries(rows).filter(([table]) => !stays.includes(table))),
    inPlace: { wayBack: readOnlyProof === true ? 'read' : wayBack, stays },
  };
}

function requireNone(obstacles: readonly string[], store: string): void {
  if (obstacles.length === 0) return;
  throw new BackstayError('STORE_REFUSED', `${store} cannot be taken back: ${obstacles.join('; ')}.`, {
    details: { store, obstacles },
  });
}

/** @throws STORE_UNSUPPORTED, STORE_REFUSED naming the tables whose new rows cannot be kept */
async function keepingIf(
  { preserveNewData, tables }: DbRestoreRequest,
  store: DataStore,
  id: string,
): Promise<PlannedRestore> {
  const planned = await plannedRestore(store, id, undefined, tables);
  if (preserveNewData !== true) return planned;
  const { name, kind } = store.setting;
  if (store.newRows === undefined || planned.tables !== undefined)
    throw new BackstayError('STORE_UNSUPPORTED', `${name}: new rows are kept of a whole PostgreSQL database only.`, {
      details: { store: name, kind },
    });
  const newRows = await store.newRows(await store.find(planned.backup));
  if (newRows.refused.length === 0) return { ...planned, newRows };
  throw new BackstayError('STORE_REFUSED', `New rows of ${name} cannot be kept: ${newRows.refused.join('; ')}.`, {
    next: 'Leave --preserve-new-data out: what was written since then stays in the former database until the run is finalized.',
    details: { store: name, refused: newRows.refused },
  });
}

/** @throws STORE_UNKNOWN, BACKUP_UNKNOWN naming the stores that have no whole backup with the marker */
async function chosenFor(
  { all, backup, store }: DbRestoreRequest,
  stores: readonly DataStore[],
  stack: string,
): Promise<readonly { readonly store: DataStore; readonly backup: string }[]> {
  if (all !== true) return [{ store: chooseStore(stores, store, stack), backup }];
  const marked = await backupsMarked(stores, backup, stack);
  return stores.map((one) => ({ store: one, backup: marked[one.setting.name] ?? backup }));
}

function targetOf(restores: readonly PlannedRestore[]): Digest {
  const [first, ...others] = restores;
  return first !== undefined && others.length === 0 ? first.digest : digestOf(restores.map(({ digest }) => digest));
}

function saidOf({ all, backup }: DbRestoreRequest, restores: readonly PlannedRestore[]): string {
  const [first] = restores;
  if (all !== true) return `backup ${first?.backup ?? backup} of ${first?.store ?? ''}`;
  return `the backups of ${restores.map(({ store }) => store).join(', ')} with marker ${backup}`;
}

/**
 * One store to one backup, with what is in both. `revision`: what the schema of the restored copy has to be. `asked`: only
 * these tables; a backup of single tables is always taken so.
 * @throws BACKUP_UNKNOWN, BACKUP_DAMAGED, STORE_UNREACHABLE, STORE_REFUSED naming everything that stands in the way
 */
export async function plannedRestore(
  store: DataStore,
  id: string,
  revision?: string | null,
  asked?: readonly string[],
): Promise<PlannedRestore> {
  requireTables(store, asked);
  const backup = await store.find(id);
  const { manifest } = backup;
  requireNone(await store.obstacles(backup, asked), store.setting.name);
  const { rows } = await store.inspect();
  const tables = asked === undefined ? manifest.tables : fullNames(asked, Object.keys(manifest.rows));
  const of = (counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
    Object.fromEntries(Object.entries(counts).filter(([name]) => tables === undefined || tables.includes(name)));
  return {
    store: store.setting.name,
    backup: manifest.id,
    digest: manifest.file.digest,
    takenAt: manifest.takenAt,
    atBackup: of(manifest.rows),
    now: of(rows),
    ...(revision === undefined ? {} : { revision }),
    ...(tables === undefined ? {} : { tables }),
  };
}

/** As the counts name them; what people type may lack the schema. The store has refused what is not there or there twice. */
function fullNames(asked: readonly string[], known: readonly string[]): readonly string[] {
  const named = (name: string): string =>
    known.find((one) => one === name) ?? known.find((one) => one.endsWith(`.${name}`)) ?? name;
  return [...new Set(asked.map(named))].sort();
}
