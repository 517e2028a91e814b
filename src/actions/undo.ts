import { BackstayError } from '../errors/index.ts';
import type { RunState } from '../journal/index.ts';
import type { Plan, PlanOptions } from '../model/index.ts';
import type { JournalStore } from '../ports/index.ts';
import { type Abandon, backupOf, judgeUndo, lostInMigration, runsOf, stateOfRun } from '../rollback/index.ts';
import { type PlanDeps, planRollback, type PlanResult } from './plan.ts';
import { planUndoData } from './undo-data.ts';
import { rollback, type RollbackDeps, type RollbackOptions, type RunEnded } from './rollback.ts';

export interface UndoRequest {
  readonly run: string;
  /** `hold` counts for nothing here: an undo holds no version. */
  readonly options: PlanOptions;
  /** What is done when the checks fail at *before*. @default the stack's policy */
  readonly onInvalid?: 'halt' | 'return';
  readonly signal?: AbortSignal;
}

export interface UndoPlanned {
  readonly plan: Plan;
  readonly inventory: Extract<PlanResult, { kind: 'planned' }>['inventory'];
  /** The run ended mixed; it is given up for this one. */
  readonly abandons: boolean;
}

interface JournalDeps {
  readonly journal: JournalStore;
}

/**
 * The plan of one more transition: from live to what the stack was before the run acted, in that run's scope. Changes
 * nothing. @throws RUN_UNKNOWN, RUN_UNFINISHED, NOTHING_TO_UNDO, ALREADY_UNDONE, RUN_FINALIZED, RUN_OVERTAKEN, and what
 * planning throws; of the snapshot SNAPSHOT_REMOVED, SNAPSHOT_TAMPERED.
 */
export async function planUndo(request: UndoRequest, deps: PlanDeps & JournalDeps): Promise<UndoPlanned> {
  const { run, options, onInvalid, signal } = request;
  const state = await stateOfRun(run, deps);
  const { before, abandons } = await undoable(state, deps);
  requireBeside(state);
  if (before === undefined) {
    const wanted = onInvalid === undefined ? {} : { onInvalid };
    const { plan, identity } = await planUndoData(
      { undoes: run, exchanged: exchangedBy(state), options, ...wanted },
      deps,
    );
    return { plan, inventory: { identity, objects: 0, flags: [] }, abandons };
  }
  const planned = await planRollback(
    {
      target: before,
      scope: state.plan.scope,
      options: withLost({ ...options, hold: false }, lostInMigration(state)),
      undoes: run,
      exchanged: exchangedBy(state),
      ...(onInvalid === undefined ? {} : { onInvalid }),
      ...(signal === undefined ? {} : { signal }),
    },
    deps,
  );
  if (planned.kind !== 'planned')
    throw new BackstayError('INTERNAL', `a plan that undoes a run came back ${planned.kind}`);
  return { plan: planned.plan, inventory: planned.inventory, abandons };
}

/** What a migration dropped is only in the backup that the run took before it; whoever names a scenario wins. */
function withLost(options: PlanOptions, lost: Readonly<Record<string, string>>): PlanOptions {
  const { data = {} } = options;
  const scenario = data.scenario;
  const open = Object.entries(lost).filter(
    ([store]) =>
      data.restore?.[store] === undefined && (typeof scenario === 'object' ? scenario[store] : scenario) === undefined,
  );
  if (open.length === 0) return options;
  return { ...options, data: { ...data, restore: { ...Object.fromEntries(open), ...data.restore } } };
}

/** What was restored in place has nothing beside: going back is a restore as well, with a backup of now before it. */
function requireBeside(state: RunState): void {
  const { stack, steps, reverses, run } = state;
  for (const { step, attempts, touched } of steps.values()) {
    const { id, action } = step;
    if (action.kind !== 'db-restore-in-place' || attempts === 0 || touched === false) continue;
    if (reverses.get(id)?.status === 'done') continue;
    const { store } = action;
    throw new BackstayError('STORE_UNSUPPORTED', `Run ${run} restored ${store} in place: nothing was set aside.`, {
      next: `Go back to the backup that it took before: \`backstay db restore ${stack} ${backupOf(state, store) ?? 'BACKUP'} ${store} --in-place\`.`,
      details: { run, store },
    });
  }
}

/** Data stores whose live data is what the run put there. */
function exchangedBy({ steps, reverses }: RunState): readonly string[] {
  return [...steps.values()].flatMap(({ step, attempts }) =>
    step.action.kind === 'db-swap' && attempts > 0 && reverses.get(step.id)?.status !== 'done'
      ? [step.action.store]
      : [],
  );
}

/**
 * Carries an undo out, as it was planned and agreed to. What makes it impossible is asked again: time has passed.
 * @throws as `planUndo` and `rollback`
 */
export async function undo(options: RollbackOptions, deps: RollbackDeps): Promise<RunEnded> {
  const { plan } = options;
  if (plan.undoes === undefined) throw new BackstayError('INTERNAL', 'this plan undoes no run');
  // It learns so when this run has the lease, before anything else is written.
  const abandon = await abandonFor(plan, deps);
  const ended = await rollback({ ...options, ...(abandon === undefined ? {} : { abandon }) }, deps);
  if (ended.kind !== 'ended') throw new BackstayError('INTERNAL', `an undo came back ${ended.kind}`);
  return ended;
}

/**
 * The run that the undo of a mixed one gives up. Nothing for a plan that undoes none, and where the run ended for good.
 * @throws as `planUndo` where the run can be undone no more
 */
export async function abandonFor({ undoes, options }: Plan, deps: JournalDeps): Promise<Abandon | undefined> {
  if (undoes === undefined) return undefined;
  const { abandons } = await undoable(await stateOfRun(undoes, deps), deps);
  return abandons ? { run: undoes, reason: options.reason ?? 'undone' } : undefined;
}

async function undoable(
  state: RunState,
  deps: JournalDeps,
): Promise<Extract<ReturnType<typeof judgeUndo>, { kind: 'undoable' }>> {
  const answer = judgeUndo(state, await runsOf(state.stack, deps, state.startedAt));
  if (answer.kind === 'undoable') return answer;
  throw new BackstayError(answer.code, answer.message, { next: answer.next, details: { run: state.run } });
}
