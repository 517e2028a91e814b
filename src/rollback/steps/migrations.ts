import { BackstayError, isBackstayError } from '../../errors/index.ts';
import {
  type Backup,
  type Digest,
  isDigest,
  isLossless,
  isProven,
  type LossReport,
  shortId,
  type StepAction,
  markerOf,
} from '../../model/index.ts';
import { commandOf, isAccepted, lossInWords, spell } from '../../plan/index.ts';
import type { DataStore, Migrations } from '../../ports/index.ts';
import type { RunState } from '../../journal/index.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';
import { rehearse, requireAt, requireRevision, standsAt } from '../rehearsal.ts';
import { migrationsIfAny, migrationsOf, storeOf } from './stores.ts';

type TakeBackup = Extract<StepAction, { kind: 'db-backup' }>;
type Rehearse = Extract<StepAction, { kind: 'migrate-rehearse' }>;
type Migrate = Extract<StepAction, { kind: 'migrate' }>;
type MigrateBack = Extract<StepAction, { kind: 'migrate-back' }>;

/** Takes a backup, or finds the one that an earlier attempt of this run took, and proves it. */
export const dbBackup: Executor<TakeBackup> = async ({ store: name, prove, together }, context) => {
  const { run, signal, effect } = context;
  const marker = together === true ? markerOf(run) : run;
  const store = await storeOf(name, context);
  const earlier = (await store.backups()).find(
    (one): one is Backup => !('damaged' in one) && one.manifest.marker === marker,
  );
  const schema = earlier === undefined ? await (await migrationsIfAny(name, context))?.current() : undefined;
  const taken =
    earlier ??
    (await effect(async () => await store.backup({ marker, signal, ...(schema === undefined ? {} : { schema }) })));
  const { manifest } = await effect(async () => await store.prove(taken, prove, signal));
  return {
    outcome: 'done',
    touched: false,
    message: `backup ${manifest.id}, ${manifest.file.bytes} bytes, ${prove === 'read' ? 'read back' : 'restored and counted'}`,
    result: { backup: manifest.id, digest: manifest.file.digest },
  };
};

/** The way on a copy of the live data. What it would lose has to be accepted, or the run ends here with nothing changed. */
export const migrateRehearse: Executor<Rehearse> = async ({ store: name, way }, context) => {
  const { run, state, signal, effect } = context;
  const [store, migrations] = await Promise.all([storeOf(name, context), migrationsOf(name, context)]);
  const backup = await store.find(backupOf(state, name) ?? missingBackup(name));
  const rehearsed = await effect(
    async () => await rehearse({ store, migrations, backup, way, trial: `${run}-trial`, signal }),
  );
  const { report, before, after, migrateMs } = rehearsed;
  const result = { report: { ...report, lost: report.lost.map((part) => ({ ...part })) }, before, after, migrateMs };
  const lost = lossInWords(report);
  const took = `${way.steps.length} steps in ${migrateMs} ms on a copy`;
  if (lost === undefined) return { outcome: 'done', touched: false, message: `${took}; nothing is lost`, result };
  if (isAccepted(report.digest, state.plan.options.data?.acceptLoss))
    return { outcome: 'done', touched: false, message: `${took}; lost, as accepted: ${lost}`, result };
  const accepted = [...(state.plan.options.data?.acceptLoss ?? []), shortId(report.digest)];
  return {
    outcome: 'failed',
    touched: false,
    code: 'DATA_LOSS_UNACCEPTED',
    message: `${name} would lose ${lost}. Nothing was changed. To accept that: ${commandOf(state.plan, { acceptLoss: accepted })}`,
    result,
  };
};

/** The live schema. The server is asked where it stands before and after, whatever the journal or the tool says. */
export const migrate: Executor<Migrate> = async ({ store: name, way }, context) => {
  const { signal, effect, attempt } = context;
  const [store, migrations] = await Promise.all([storeOf(name, context), migrationsOf(name, context)]);
  const seen = await migrations.current();
  if (standsAt(seen, way.to) && attempt > 1)
    return { outcome: 'done', message: `at ${spell(seen)}, by an earlier attempt` };
  if (attempt === 1 && !standsAt(seen, way.from))
    return {
      outcome: 'failed',
      touched: false,
      code: 'PLAN_STALE',
      message: `${name} is at ${spell(seen)}, and the plan saw it at ${spell({ revision: way.from })}`,
    };
  const proven = await provenBackup(name, store, context);
  if (proven.kind === 'unproven')
    return { outcome: 'failed', touched: false, code: 'BACKUP_UNPROVEN', message: proven.why };
  try {
    const { revision, durationMs } = await effect(async () => await migrations.migrate(way, { signal }));
    requireAt(revision, way.to, { store: name, what: name });
    return {
      outcome: 'done',
      message: `at ${spell({ revision: way.to })} after ${durationMs} ms`,
      result: { revision: way.to, migrateMs: durationMs },
    };
  } catch (error) {
    if (isBackstayError(error, 'LEASE_LOST')) throw error;
    return await failedMigration(error, { name, store, migrations, way }, context);
  }
};

interface Failing {
  readonly name: string;
  readonly store: DataStore;
  readonly migrations: Migrations;
  readonly way: Migrate['way'];
}

/** A tool's error says nothing of the database: the revision, and the schema where it was rehearsed, tell what was changed. */
async function failedMigration(
  error: unknown,
  { name, store, migrations, way }: Failing,
  { state, signal }: StepContext,
): Promise<StepResult> {
  const now = await migrations.current().catch(() => undefined);
  if (now !== undefined && standsAt(now, way.to))
    return { outcome: 'done', message: `at ${spell(now)}; the answer was lost on the way` };
  const unchanged = now !== undefined && standsAt(now, way.from) && (await isAsRehearsed(name, store, state));
  const said = (error instanceof Error ? error.message : String(error)).replace(/[.\s]*$/, '.');
  const where = unchanged
    ? `${name} is as it was`
    : `${name} is at ${now === undefined ? 'a revision that cannot be asked' : spell(now)}`;
  return {
    outcome: 'failed',
    ...(unchanged ? { touched: false } : {}),
    code: codeOf(error, signal),
    message: `${said} ${where}. ${await restoreInstead({ name, store, way }, state)}`,
  };
}

/** The exact command that restores instead of migrating: a backup of the schema that the target ran with, the newest there is. */
async function restoreInstead(
  { name, store, way }: Pick<Failing, 'name' | 'store' | 'way'>,
  { plan }: RunState,
): Promise<string> {
  const known = await store.backups().catch((): Awaited<ReturnType<DataStore['backups']>> => []);
  const found = known.find(
    (one): one is Backup =>
      !('damaged' in one) &&
      one.manifest.tables === undefined &&
      one.manifest.schema !== undefined &&
      standsAt(one.manifest.schema, way.to),
  );
  const restoring = (backup: string): string =>
    commandOf(plan, { scenario: { [name]: 'C' }, restore: { [name]: backup } });
  if (found !== undefined) return `To restore instead: ${restoring(found.manifest.id)}`;
  const at = spell({ revision: way.to });
  return `There is no backup of ${name} at ${at}. One of an earlier moment: backstay db backup ${plan.stack} ${name} --at TIME; then: ${restoring('BACKUP')}`;
}

function codeOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'CANCELLED';
  return isBackstayError(error) ? error.code : 'MIGRATION_FAILED';
}

/**
 * Back to where `migrate` began. Up again by the same code where nothing was lost on the way down; else, or where that fails,
 * the backup of this run is restored beside and made live, so that nothing half is left.
 */
export const migrateBack: Executor<MigrateBack> = async ({ store: name, way }, context) => {
  const { run, state, signal, effect } = context;
  const [store, migrations] = await Promise.all([storeOf(name, context), migrationsOf(name, context)]);
  if ((await store.stateOf(run)) === 'swapped')
    return { outcome: 'done', message: `the backup of this run is live, by an earlier attempt` };
  const seen = await migrations.current().catch(() => undefined);
  const rehearsal = rehearsalOf(state, name);
  if (
    seen !== undefined &&
    standsAt(seen, way.from) &&
    (rehearsal === undefined || (await isAsRehearsed(name, store, state)))
  )
    return { outcome: 'done', message: `at ${spell(seen)}, as before` };
  if (rehearsal?.lossless !== false && seen !== undefined && !standsAt(seen, way.from)) {
    const up = await goBack(migrations, way.from, context);
    if (up === undefined)
      return { outcome: 'done', message: `at ${spell({ revision: way.from })} again, by its own code` };
    if (backupOf(state, name) === undefined) throw up;
  }
  const backup = await store.find(backupOf(state, name) ?? missingBackup(name));
  await effect(async () => await store.restoreBeside(backup, run, signal));
  const { kept, unavailableMs } = await effect(async () => await store.swap(run));
  await requireRevision(migrations, way.from, { what: name });
  return {
    outcome: 'done',
    message: `backup ${backup.manifest.id} is live after ${unavailableMs} ms; what was migrated is ${kept}`,
    result: { kept, unavailableMs },
  };
};

/** Undefined when it stands there again; else why not. */
async function goBack(migrations: Migrations, to: string | null, { signal, effect }: StepContext): Promise<unknown> {
  try {
    const way = await migrations.wayTo(to);
    const { revision } = await effect(async () => await migrations.migrate(way, { signal }));
    requireAt(revision, to, { store: migrations.store, what: migrations.store });
    return undefined;
  } catch (error) {
    if (isBackstayError(error, 'LEASE_LOST')) throw error;
    signal.throwIfAborted();
    return error;
  }
}

/** Rule 1: nothing destructive before the way back is proven, unless the plan was made without one. */
async function provenBackup(
  name: string,
  store: DataStore,
  { state }: StepContext,
): Promise<{ readonly kind: 'proven' } | { readonly kind: 'unproven'; readonly why: string }> {
  if (state.plan.options.data?.skipBackup === true) return { kind: 'proven' };
  const id = backupOf(state, name);
  if (id === undefined) return { kind: 'unproven', why: `this run has taken no backup of ${name}` };
  if (isProven(await store.find(id), 'restored')) return { kind: 'proven' };
  return { kind: 'unproven', why: `backup ${id} of ${name} was never restored` };
}

function missingBackup(name: string): never {
  throw new BackstayError('BACKUP_UNPROVEN', `this run has taken no backup of ${name}`);
}

/** Whether the live schema is the one that was rehearsed from; without a rehearsal nobody can tell. */
async function isAsRehearsed(name: string, store: DataStore, state: RunState): Promise<boolean> {
  const before = rehearsalOf(state, name)?.before;
  if (before === undefined) return false;
  const now = await store.shape().catch(() => undefined);
  return now?.schema === before;
}

/** What the rehearsal of this run told of a store; undefined where there was none. */
export function reportedLoss(state: RunState, name: string): LossReport | undefined {
  const { report } = (resultOf(state, 'migrate-rehearse', name) ?? {}) as { readonly report?: LossReport };
  return report;
}

/**
 * Stores that a run migrated with a loss, each with the backup that it took before: migrating them again brings the schema
 * back, and not what was in it.
 */
export function lostInMigration(state: RunState): Readonly<Record<string, string>> {
  const lost = [...state.steps.values()].flatMap(({ step: { id, action }, attempts }) => {
    if (action.kind !== 'migrate' || attempts === 0 || state.reverses.get(id)?.status === 'done') return [];
    const backup = backupOf(state, action.store);
    return backup === undefined || rehearsalOf(state, action.store)?.lossless !== false ? [] : [[action.store, backup]];
  });
  return Object.fromEntries(lost) as Readonly<Record<string, string>>;
}

interface Rehearsal {
  readonly before: Digest;
  readonly lossless: boolean;
}

function rehearsalOf(state: RunState, name: string): Rehearsal | undefined {
  const { before } = (resultOf(state, 'migrate-rehearse', name) ?? {}) as { readonly before?: unknown };
  const report = reportedLoss(state, name);
  if (typeof before !== 'string' || !isDigest(before) || report === undefined) return undefined;
  return { before, lossless: isLossless(report) };
}

/** Id of the backup that this run took. */
export function backupOf(state: RunState, name: string): string | undefined {
  const { backup } = (resultOf(state, 'db-backup', name) ?? {}) as { readonly backup?: unknown };
  return typeof backup === 'string' ? backup : undefined;
}

function resultOf(state: RunState, kind: 'db-backup' | 'migrate-rehearse', name: string): unknown {
  return [...state.steps.values()].find(({ step: { action } }) => action.kind === kind && action.store === name)
    ?.result;
}
