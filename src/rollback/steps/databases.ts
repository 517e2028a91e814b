import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { StepAction } from '../../model/index.ts';
import type { DataStore } from '../../ports/index.ts';
import type { Executor, StepResult } from '../executor.ts';
import { requireRevision } from '../rehearsal.ts';
import { migrationsIfAny, storeOf } from './stores.ts';

type Restore = Extract<StepAction, { kind: 'db-restore' }>;
type DropBeside = Extract<StepAction, { kind: 'db-drop-beside' }>;
type Swap = Extract<StepAction, { kind: 'db-swap' }>;
type Unswap = Extract<StepAction, { kind: 'db-unswap' }>;

/** Restores beside the live data and proves it. Nothing of the live data is touched, however it ends. */
export const dbRestore: Executor<Restore> = async ({ store: name, backup: id, digest, revision, tables }, context) => {
  const { run, signal, effect } = context;
  const store = await storeOf(name, context);
  return await untouched(async () => {
    const backup = await store.find(id);
    if (backup.manifest.file.digest !== digest)
      throw new BackstayError('BACKUP_DAMAGED', `backup ${id} is not the one that the plan was made for`);
    const restored = await effect(async () => await store.restoreBeside(backup, run, signal, tables));
    const { database } = restored;
    const migrations = revision === undefined ? undefined : await migrationsIfAny(name, context);
    if (migrations !== undefined && revision !== undefined) {
      try {
        await requireRevision(migrations, revision, { database, what: `backup ${id}` });
      } catch (error) {
        await effect(async () => await store.finalize(run));
        throw error;
      }
    }
    return {
      outcome: 'done',
      // What stands beside takes room: it goes when the run goes back.
      touched: true,
      message: restored.proof.message,
      result: { database: restored.database, rows: restored.rows, restoreMs: restored.proof.durationMs },
    };
  });
};

/** Reverse of `db-restore`. After an exchange there is nothing beside that is not the way back, and that stays. */
export const dbDropBeside: Executor<DropBeside> = async ({ store: name }, context) => {
  const { run, effect } = context;
  const store = await storeOf(name, context);
  if ((await store.stateOf(run)) !== 'before') return { outcome: 'skipped', message: 'nothing beside the live data' };
  const removed = await effect(async () => await store.finalize(run));
  return { outcome: 'done', message: `removed: ${removed.join(', ')}` };
};

/** One transaction on the server; which name is whose says whether it happened, whatever the journal knows. */
export const dbSwap: Executor<Swap> = async ({ store: name }, context) => {
  const { run, effect } = context;
  const store = await storeOf(name, context);
  const before = await store.stateOf(run);
  try {
    // Also what an earlier attempt exchanged: it may have ended before the server that it stopped was up again.
    const { kept, unavailableMs } = await effect(async () => await store.swap(run));
    if (before === 'swapped') return { outcome: 'done', message: 'exchanged by an earlier attempt' };
    return {
      outcome: 'done',
      message: `exchanged; not to be reached for ${unavailableMs} ms; the former data is ${kept}`,
      result: { kept, unavailableMs },
    };
  } catch (error) {
    if (isBackstayError(error, 'LEASE_LOST')) throw error;
    // The server is asked, not the error: a connection that was lost says nothing about the COMMIT.
    const now = await store.stateOf(run).catch(() => undefined);
    if (now === undefined) throw error;
    if (now !== 'swapped') return failed(error);
    if (await answers(store)) return { outcome: 'done', message: 'exchanged; the answer was lost on the way' };
    // What was restored is live, and nobody can read it: this has to be taken back.
    return { ...failed(error), touched: true };
  }
};

/** Whether the live data is served: a server that was told what to serve need not be able to. */
async function answers(store: DataStore): Promise<boolean> {
  return await store.sessions().then(
    () => true,
    () => false,
  );
}

/** Takes the exchange of this run back, or that of the run that is undone. */
export const dbUnswap: Executor<Unswap> = async ({ store: name, run: other }, context) => {
  const store = await storeOf(name, context);
  const run = other ?? context.run;
  const state = await store.stateOf(run);
  if (state !== 'swapped' && state !== 'undone')
    return { outcome: 'skipped', touched: false, message: `run ${run} has exchanged nothing` };
  const { kept, unavailableMs } = await context.effect(async () => await store.undoSwap(run));
  if (state === 'undone') return { outcome: 'done', message: 'taken back by an earlier attempt' };
  return {
    outcome: 'done',
    message: `the former data is live again after ${unavailableMs} ms; what was restored is ${kept}`,
    result: { kept, unavailableMs },
  };
};

async function untouched(work: () => Promise<StepResult>): Promise<StepResult> {
  try {
    return { touched: false, ...(await work()) };
  } catch (error) {
    if (isBackstayError(error, 'LEASE_LOST')) throw error;
    return failed(error);
  }
}

function failed(error: unknown): StepResult {
  const message = error instanceof Error ? error.message : String(error);
  return { outcome: 'failed', touched: false, message, ...(isBackstayError(error) ? { code: error.code } : {}) };
}
