import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { Expectation } from '../journal/index.ts';
import {
  type Backup,
  expectedTotal,
  type MigrationWay,
  type PlanOptions,
  type Scenario,
  type SchemaRevision,
  type Scope,
  type Snapshot,
  type Stack,
  type Step,
  type StoreScenario,
} from '../model/index.ts';
import {
  askedAfter,
  chooseScenario,
  exchanging,
  isUnknown,
  migrating,
  type PlannedMigration,
  type PlannedRestore,
  restoringBeside,
  safeguarding,
  sameSchema,
  type ScenarioChoice,
  spell,
  type StoreFacts,
  type Unknown,
} from '../plan/index.ts';
import type { Clock, DataStore, Migrations } from '../ports/index.ts';
import { backupsMarked, chooseStore } from './db.ts';
import { plannedRestore } from './db-restore.ts';
import { liveSchema, migrationsIn } from './live-schema.ts';

export interface DataRequest {
  readonly target: Snapshot;
  readonly scope: Scope;
  readonly options: PlanOptions;
  /** The run that is taken back. */
  readonly undoes?: string;
  /** Data stores that go back by an exchange: their schema goes with their data. */
  readonly exchanged?: readonly string[];
}

export interface DataDeps {
  readonly stack: Stack;
  readonly clock: Clock;
  /** Absent: there are none. */
  readonly dataStores?: () => Promise<readonly DataStore[]>;
  readonly migrations?: () => Promise<readonly Migrations[]>;
}

/** What a plan does about data stores; empty where their schemas are the target's and nothing was asked for. */
export interface PlannedData {
  readonly restores: readonly PlannedRestore[];
  readonly migrations: readonly PlannedMigration[];
  readonly scenarios: readonly StoreScenario[];
  readonly warnings: readonly string[];
}

const NOTHING: PlannedData = { restores: [], migrations: [], scenarios: [], warnings: [] };

/** Scopes in which the application goes back and its databases stay. */
const LEAVES_DATA: ReadonlySet<string> = new Set(['application', 'workers', 'workloads', 'infrastructure']);

/**
 * Chooses for every store between leaving, migrating and restoring it. Changes nothing. @throws SCENARIO_UNDECIDED naming
 * each store and what can be chosen, USAGE for choices that this scope has no place for, STORE_UNKNOWN, STORE_REFUSED,
 * BACKUP_UNKNOWN, BACKUP_DAMAGED
 */
export async function planData(request: DataRequest, deps: DataDeps, expected: Expectation): Promise<PlannedData> {
  const { target, scope, undoes, exchanged = [] } = request;
  const options = await withMarked(request.options, deps);
  const { data } = options;
  const chooses = (scope.kind === 'full' || scope.kind === 'database') && (options.hold || undoes !== undefined);
  if (!chooses) {
    if (data?.scenario !== undefined || data?.restore !== undefined)
      throw new BackstayError('USAGE', '--scenario and --restore go with a rollback of scope full or database.');
    return LEAVES_DATA.has(scope.kind) ? { ...NOTHING, warnings: await leftAsTheyAre(target, scope, deps) } : NOTHING;
  }
  const stores = deps.stack.stores.length === 0 ? [] : ((await deps.dataStores?.()) ?? []);
  requireNames(stores, options, deps.stack);
  const migrations = await migrationsIn(deps);
  const concerned = stores.filter(
    ({ setting: { name } }) =>
      !exchanged.includes(name) &&
      (migrations.some(({ store }) => store === name) || data?.restore?.[name] !== undefined),
  );
  const choices = await Promise.all(
    concerned.map(async (store) => {
      const by = migrations.find((one) => one.store === store.setting.name);
      return { store, choice: chooseScenario(await factsOf(store, by, { ...request, options }, deps, expected)) };
    }),
  );
  refuseUndecided(choices.map(({ choice }) => choice));
  const planned = await Promise.all(choices.map(async ({ store, choice }) => await plannedFor(store, choice, options)));
  return {
    restores: planned.flatMap(({ restores }) => restores),
    migrations: planned.flatMap((one) => one.migrations),
    scenarios: planned.flatMap(({ scenarios }) => scenarios),
    warnings: planned.flatMap(({ warnings }) => warnings),
  };
}

async function plannedFor(store: DataStore, choice: ScenarioChoice, options: PlanOptions): Promise<PlannedData> {
  if (choice.kind !== 'chosen') return NOTHING;
  const { said, way, backup } = choice;
  const skipBackup = options.data?.skipBackup === true ? { skipBackup: true as const } : {};
  return {
    restores: backup === undefined ? [] : [await plannedRestore(store, backup.id, backup.revision)],
    migrations: way === undefined ? [] : [{ store: said.store, way, ...skipBackup }],
    scenarios: [said],
    warnings: [
      ...(said.scenario === 'A' && said.forcedBy !== undefined
        ? [`${said.store} keeps a schema that nobody has declared to fit the target`]
        : []),
      ...(way !== undefined && options.data?.skipBackup === true
        ? [`${said.store} is migrated without a backup of this run and without a rehearsal`]
        : []),
    ],
  };
}

async function factsOf(
  store: DataStore,
  migrations: Migrations | undefined,
  { target, scope, options }: DataRequest,
  { stack, clock }: DataDeps,
  expected: Expectation,
): Promise<StoreFacts> {
  const { name } = store.setting;
  const live = await liveSchema(migrations);
  const wanted = target.content.schemas?.find((one) => one.store === name);
  // A backup of single tables is no state of the database that an application could go back to.
  const backups = (await store.backups()).filter(
    (one): one is Backup => !('damaged' in one) && one.manifest.tables === undefined,
  );
  const restore = options.data?.restore?.[name];
  const way = await wayBetween(live, wanted, migrations);
  const forced = forcedFor(name, options, stack);
  return {
    store: name,
    ...(migrations === undefined ? {} : { setting: migrations.setting }),
    live,
    target: wanted,
    images: target.content.images.map(({ image }) => image),
    way,
    backups: backups.map(({ manifest: { id, takenAt, schema } }) => ({
      id,
      takenAt,
      ...(schema === undefined ? {} : { schema }),
    })),
    now: clock.now(),
    backupMaxAgeMs: stack.data.backupMaxAgeMs,
    checks: askedAfter({ stack, scope, options }),
    ...(forced === undefined ? {} : { forced }),
    // Found here and not by the choice, so that a damaged one is named as such.
    ...(restore === undefined ? {} : { restore: (await store.find(restore)).manifest.id }),
    takes: (scenario) => expectedTotal(stepsOf(scenario, name, way).map((step) => withTime(step, expected)))?.ms,
  };
}

function withTime(step: Omit<Step, 'phase'>, expected: Expectation): Pick<Step, 'expected'> {
  const known = expected(step);
  return known === undefined ? {} : { expected: known };
}

/** As the plan would have them, as far as their times can be asked. */
function stepsOf(scenario: Scenario, store: string, way: StoreFacts['way']): readonly Omit<Step, 'phase'>[] {
  if (scenario === 'B') {
    const migrations = isUnknown(way) ? [] : [{ store, way }];
    return [...safeguarding(migrations), ...migrating(migrations)];
  }
  if (scenario === 'A') return [];
  const restore: PlannedRestore = { store, backup: '', digest: 'sha256:', takenAt: '', atBackup: {}, now: {} };
  return [...restoringBeside([restore]), ...exchanging([restore])];
}

async function wayBetween(
  live: SchemaRevision | Unknown,
  target: SchemaRevision | undefined,
  migrations: Migrations | undefined,
): Promise<MigrationWay | Unknown> {
  if (migrations === undefined || target === undefined || isUnknown(live))
    return { unknown: 'there is no way to ask for' };
  if (sameSchema(live, target)) return { unknown: 'there is nothing to migrate' };
  try {
    return await migrations.wayTo(target.revision);
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return { unknown: error.message };
  }
}

function forcedFor(name: string, { data }: PlanOptions, stack: Stack): StoreFacts['forced'] {
  const given = typeof data?.scenario === 'object' ? data.scenario[name] : data?.scenario;
  if (given !== undefined) return { scenario: given, by: 'user' };
  return stack.data.scenario === undefined ? undefined : { scenario: stack.data.scenario, by: 'stack' };
}

function requireNames(stores: readonly DataStore[], { data }: PlanOptions, stack: Stack): void {
  const byStore = typeof data?.scenario === 'object' ? Object.keys(data.scenario) : [];
  for (const name of [...byStore, ...Object.keys(data?.restore ?? {})]) chooseStore(stores, name, stack.name);
}

/** Each store to its own of the backups that were taken together; one that is named for itself goes to that. */
async function withMarked(options: PlanOptions, { stack, dataStores }: DataDeps): Promise<PlanOptions> {
  const { data } = options;
  if (data?.restoreAll === undefined) return options;
  const marked = await backupsMarked((await dataStores?.()) ?? [], data.restoreAll, stack.name);
  return { ...options, data: { ...data, restore: { ...marked, ...data.restore } } };
}

function refuseUndecided(choices: readonly ScenarioChoice[]): void {
  const refused = choices.filter((choice) => choice.kind === 'refused');
  if (refused.length === 0) return;
  throw new BackstayError('SCENARIO_UNDECIDED', refused.map(({ message }) => message).join(' '), {
    next: refused.map(({ next }) => next).join(' '),
  });
}

/** A rollback of the application alone leaves every schema as it is: said, where it is not that of the target. */
async function leftAsTheyAre({ content }: Snapshot, scope: Scope, deps: DataDeps): Promise<readonly string[]> {
  const { schemas = [] } = content;
  if (schemas.length === 0) return [];
  const seen = await Promise.all((await migrationsIn(deps)).map(async (one) => await liveSchema(one)));
  return seen.flatMap((live) => {
    const target = isUnknown(live) ? undefined : schemas.find(({ store }) => store === live.store);
    if (target === undefined || isUnknown(live) || sameSchema(live, target)) return [];
    const said = scope.kind === 'workloads' ? 'named workloads' : `scope ${scope.kind}`;
    return [
      `the schema of ${live.store} is at ${spell(live)}, and the target ran with ${spell(target)}: ${said} leaves it alone`,
    ];
  });
}
