import { BackstayError } from '../errors/index.ts';
import type { RunState } from '../journal/index.ts';
import type { Digest, Removal, Stack } from '../model/index.ts';
import type { Clock, JournalStore, SnapshotStore } from '../ports/index.ts';
import {
  addFact,
  expiredRuns,
  type Kept,
  type Keeping,
  keptSnapshots,
  leftBy,
  runsOf,
  stateOfRun,
} from '../rollback/index.ts';
import { parted } from './snapshots.ts';

export interface FinalizeDeps {
  readonly stack: Stack;
  readonly by: { readonly user: string; readonly host: string };
  readonly journal: JournalStore;
  readonly store: SnapshotStore;
  readonly clock: Clock;
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
  const gone = plan.kind === 'open' ? plan.removes : [];
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
            removed: removed.map((id) => `snapshot ${id}`),
          }
        : undefined,
    deps,
  );
  return { run, removed, bytes };
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
    sightings: sightings.filter(({ signature }) => signature.state === 'trusted'),
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
  };
}

function rowOf(one: Kept, sizes: ReadonlyMap<Digest, number>): KeptRow {
  const ends = one.reasons.map(({ until }) => until);
  const last = ends.every((until) => until !== undefined) ? ends.toSorted().at(-1) : undefined;
  return { ...one, bytes: sizes.get(one.id) ?? 0, ...(last === undefined ? {} : { until: last }) };
}
