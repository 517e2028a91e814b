import { BackstayError } from '../errors/index.ts';
import type { RunState } from '../journal/index.ts';
import type { Digest, ObjectRef, Removal, Stack } from '../model/index.ts';
import type { Clock, Cluster, DataStore, JournalStore, SnapshotStore } from '../ports/index.ts';
import {
  addFact,
  expiredRuns,
  heldDeliveries,
  type Kept,
  type Keeping,
  keptSnapshots,
  leftBy,
  letDeliveriesGo,
  runsOf,
  stateOfRun,
} from '../rollback/index.ts';
import { chooseStore } from './db.ts';
import { parted, trustedAmong } from './snapshots.ts';

export interface FinalizeDeps {
  readonly stack: Stack;
  readonly by: { readonly user: string; readonly host: string };
  readonly journal: JournalStore;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** Asked only where a run keeps Argo CD or Flux from syncing. */
  readonly cluster: () => Promise<Cluster>;
  /** Asked only where a run exchanged a database. */
  readonly dataStores: () => Promise<readonly DataStore[]>;
}

/** A content of the store, with what keeps it. */
export interface KeptRow extends Kept {
  /** With its secrets, as stored. */
  readonly bytes: number;
  /** ISO 8601: when the last reason ends by itself; absent: some reason does not. */
  readonly until?: string;
}

export interface RunToFinalize {
  readonly run: string;
  /** Removed with it. */
  readonly removes: readonly KeptRow[];
  /** Not removed, since something else keeps it. */
  readonly stays: readonly KeptRow[];
  /** What the run keeps from bringing Git's version back, and that goes on with it then. */
  readonly letsGo: readonly ObjectRef[];
  /** Data stores whose former data is dropped, each with the run that exchanged it. */
  readonly exchanges: readonly Exchange[];
}

export interface Exchange {
  readonly store: string;
  readonly run: string;
}

export type FinalizePlan =
  | ({ readonly kind: 'open' } & RunToFinalize)
  | { readonly kind: 'finalized'; readonly run: string; readonly at: string };

export interface Expired {
  readonly runs: readonly RunToFinalize[];
  /** Snapshots that nothing keeps any more, beside those of the runs. */
  readonly snapshots: readonly KeptRow[];
}

export interface Finalized {
  readonly run: string;
  readonly removed: readonly Digest[];
  readonly bytes: number;
  /** Databases that were kept for undoing and are dropped now. */
  readonly databases: readonly string[];
  /** What syncs again, and what stays as it is with the reason. */
  readonly given: readonly ObjectRef[];
  readonly left: readonly { readonly ref: ObjectRef; readonly why: string }[];
}

/**
 * What the store keeps of a stack, why and until when; newest first. @throws SNAPSHOT_TAMPERED when a record cannot be
 * read: what it says about labels and holds is then unknown; JOURNAL_BROKEN
 */
export async function kept(deps: FinalizeDeps): Promise<readonly KeptRow[]> {
  const keeping = await keepingOf(deps);
  const sizes = await deps.store.sizes(deps.stack.name);
  return keptSnapshots(keeping).map((one) => rowOf(one, sizes));
}

/**
 * What closing the way back of a run would remove. Changes nothing. @throws RUN_UNKNOWN, RUN_UNFINISHED (also for a mixed
 * one: a person brings it to an end first), and as `kept`
 */
export async function planFinalize(run: string, deps: FinalizeDeps): Promise<FinalizePlan> {
  const state = await stateOfRun(run, deps);
  if (state.finalized !== undefined) return { kind: 'finalized', run, at: state.finalized.at };
  requireEnd(state);
  return { kind: 'open', ...toFinalize(state, await keepingOf(deps), await deps.store.sizes(deps.stack.name)) };
}

/**
 * Closes the way back of a run, for good. Killed at any moment, a repeat finishes it.
 * @throws as `planFinalize`
 */
export async function finalize(
  run: string,
  deps: FinalizeDeps,
  because: Removal['because'] = 'finalized',
): Promise<Finalized> {
  const { stack, store } = deps;
  const plan = await planFinalize(run, deps);
  const { given, left } = plan.kind === 'open' ? await letGo(plan, deps) : { given: [], left: [] };
  const gone = plan.kind === 'open' ? plan.removes : [];
  const databases = plan.kind === 'open' ? await dropFormer(plan.exchanges, deps) : [];
  let bytes = 0;
  for (const { id } of gone) bytes += (await store.prune(stack.name, id, { because, run })).bytes;
  // A former attempt may have removed what this one did not find any more.
  const all = parted(await store.list(stack.name)).sightings;
  const removed = [
    ...new Set(all.flatMap(({ record }) => (record.removed?.run === run ? [record.id] : []))),
  ].toSorted();
  for (const id of removed.filter((one) => gone.every((row) => row.id !== one))) {
    bytes += await finishRemoval(id, { because, run }, deps);
  }
  await addFact(
    run,
    ({ finalized }) =>
      finalized === undefined
        ? {
            kind: 'finalized',
            by: deps.by,
            because: because === 'retention' ? 'retention' : 'person',
            removed: [...removed.map((id) => `snapshot ${id}`), ...databases.map((name) => `database ${name}`)],
          }
        : undefined,
    deps,
  );
  return { run, removed, bytes, databases, given, left };
}

/** What is past its retention. Changes nothing. */
export async function planExpired(deps: FinalizeDeps): Promise<Expired> {
  const keeping = await keepingOf(deps);
  const sizes = await deps.store.sizes(deps.stack.name);
  const expired = expiredRuns(keeping);
  const closing = new Set(expired.map(({ run }) => run));
  const runs = expired.map((state) => toFinalize(state, { ...keeping, closing }, sizes));
  const withRuns = new Set(runs.flatMap(({ removes }) => removes.map(({ id }) => id)));
  const snapshots = keptSnapshots({ ...keeping, closing })
    .filter(({ id, reasons }) => reasons.length === 0 && !withRuns.has(id))
    .map((one) => rowOf(one, sizes));
  return { runs, snapshots };
}

/** Removes what is past its retention: as shown by `planExpired`, and looked at again for each. */
export async function finalizeExpired(
  expired: Expired,
  deps: FinalizeDeps,
): Promise<{ readonly runs: readonly Finalized[]; readonly snapshots: readonly Digest[]; readonly bytes: number }> {
  const runs: Finalized[] = [];
  for (const { run } of expired.runs) runs.push(await finalize(run, deps, 'retention'));
  const snapshots: Digest[] = [];
  let bytes = runs.reduce((sum, one) => sum + one.bytes, 0);
  const still = new Map((await kept(deps)).map((row) => [row.id, row]));
  for (const { id } of expired.snapshots.filter((row) => still.get(row.id)?.reasons.length === 0)) {
    bytes += (await deps.store.prune(deps.stack.name, id, { because: 'retention' })).bytes;
    snapshots.push(id);
  }
  return { runs, snapshots, bytes };
}

async function letGo(
  { run, letsGo }: RunToFinalize,
  { cluster, journal }: FinalizeDeps,
): Promise<Pick<Finalized, 'given' | 'left'>> {
  if (letsGo.length === 0) return { given: [], left: [] };
  const { plan } = await stateOfRun(run, { journal });
  // No lease: each write depends on the version it was read at, and lets nothing go that another run holds too.
  const effect = async <T>(act: () => Promise<T>): Promise<T> => await act();
  return await letDeliveriesGo(plan, {
    run,
    deps: { cluster: await cluster() },
    signal: new AbortController().signal,
    effect,
  });
}

/** Of the run itself, or of the one that it undid. */
function exchangesOf({ run, plan: { steps } }: RunState): readonly Exchange[] {
  return steps.flatMap(({ action }) => {
    // A migration that was taken back by a backup has set the migrated data aside.
    if (action.kind === 'db-swap' || action.kind === 'db-restore-in-place' || action.kind === 'migrate')
      return [{ store: action.store, run }];
    return action.kind === 'db-unswap' ? [{ store: action.store, run: action.run ?? run }] : [];
  });
}

async function dropFormer(
  exchanges: readonly Exchange[],
  { dataStores, stack }: FinalizeDeps,
): Promise<readonly string[]> {
  const dropped: string[] = [];
  for (const { store, run } of exchanges)
    dropped.push(...(await chooseStore(await dataStores(), store, stack.name).finalize(run)));
  return dropped;
}

/** Only where it is still meant to be gone: the same content may have been captured again since. */
async function finishRemoval(id: Digest, why: Removal, { stack, store }: FinalizeDeps): Promise<number> {
  const gone = await store.get(stack.name, id).then(
    () => false,
    (error: unknown) => error instanceof BackstayError && error.code === 'SNAPSHOT_REMOVED',
  );
  return gone ? (await store.prune(stack.name, id, why)).bytes : 0;
}

async function keepingOf({ stack, journal, store, clock }: FinalizeDeps): Promise<Keeping> {
  const { sightings, damaged } = parted(await store.list(stack.name));
  const [first] = damaged.filter(({ path }) => !path.endsWith('index.json'));
  if (first !== undefined) {
    throw new BackstayError(
      'SNAPSHOT_TAMPERED',
      `What is kept of ${stack.name} is uncertain, because a record is unreadable: ${first.damaged}`,
      { at: { file: first.path } },
    );
  }
  return {
    sightings: trustedAmong(sightings),
    runs: await runsOf(stack.name, { journal }),
    retention: stack.retention,
    now: clock.now(),
  };
}

function requireEnd({ run, ended }: RunState): void {
  if (ended !== undefined && ended.outcome !== 'mixed') return;
  throw new BackstayError(
    'RUN_UNFINISHED',
    ended === undefined ? `Run ${run} has not ended.` : `Run ${run} ended mixed: its way back may be needed.`,
    { next: `Run \`backstay resume ${run}\`${ended === undefined ? '' : ` or \`backstay undo ${run}\``} first.` },
  );
}

function toFinalize(state: RunState, keeping: Keeping, sizes: ReadonlyMap<Digest, number>): RunToFinalize {
  const rows = leftBy(state, keeping).map((one) => rowOf(one, sizes));
  return {
    run: state.run,
    removes: rows.filter(({ reasons }) => reasons.length === 0),
    stays: rows.filter(({ reasons }) => reasons.length > 0),
    letsGo: heldDeliveries(state.plan),
    exchanges: exchangesOf(state),
  };
}

function rowOf(one: Kept, sizes: ReadonlyMap<Digest, number>): KeptRow {
  const ends = one.reasons.map(({ until }) => until);
  const last = ends.every((until) => until !== undefined) ? ends.toSorted().at(-1) : undefined;
  return { ...one, bytes: sizes.get(one.id) ?? 0, ...(last === undefined ? {} : { until: last }) };
}
