import type { RunState, Trigger } from '../journal/index.ts';
import type { Plan } from '../model/index.ts';
import { type Abandon, createRun, standingOf, stateOfRun } from '../rollback/index.ts';
import { requireJournalOutside } from './journal-outside.ts';
import { requirePerson } from './require-person.ts';
import { actsOn, newRunId, type RollbackDeps } from './rollback.ts';
import { withLockOf } from './run-deps.ts';
import { abandonFor } from './undo.ts';
import { requireFinished } from './unfinished.ts';

/** As much as it takes to ask for a run; no engine, as nothing is carried out. */
export type RequestDeps = Pick<
  RollbackDeps,
  | 'stack'
  | 'by'
  | 'journal'
  | 'journalName'
  | 'journalAddress'
  | 'snapshotsAddress'
  | 'lock'
  | 'databaseLock'
  | 'cluster'
  | 'store'
  | 'clock'
  | 'reporter'
>;

export interface RequestOptions {
  /** As it was shown and agreed to; one that undoes a run is an undo. */
  readonly plan: Plan;
  /** A run of this id that is there already, with this very plan, is the answer. @default made from the time and chance */
  readonly run?: string;
  /** @default 'person' */
  readonly trigger?: Trigger;
  readonly abandon?: Abandon;
}

export type RequestResult = { readonly kind: 'nothing-to-do'; readonly outcome: 'nothing-to-do' } | RequestedRun;

export interface RequestedRun {
  readonly kind: 'created';
  readonly run: string;
  /** `waiting`: it has to be approved before it may begin. */
  readonly state: 'waiting' | 'queued';
  /** Of a run that waits; ISO 8601. */
  readonly until?: string;
}

/**
 * Journals a run that another process carries out, with the refusals of `rollback` and `undo`; whether live moved is found
 * out by the run itself. @throws STACK_UNFINISHED, PLAN_REFUSED, PERSON_NEEDED, JOURNAL_INSIDE, JOURNAL_BROKEN; of an undo what
 * `planUndo` says of its run.
 */
export async function requestRun(options: RequestOptions, wired: RequestDeps): Promise<RequestResult> {
  const { plan, trigger = 'person' } = options;
  if (!actsOn(plan)) return { kind: 'nothing-to-do', outcome: 'nothing-to-do' };
  const known = options.run === undefined ? undefined : await existing(options.run, plan, wired);
  if (known !== undefined) return requested(known, wired);
  const deps = await withLockOf(plan, wired);
  const mixed = await abandonFor(plan, deps);
  const abandon = mixed ?? options.abandon;
  const given = abandon === undefined ? {} : { abandon };
  // What ended mixed and is undone keeps others from the stack, and is given up for this run.
  if (mixed === undefined) await requireFinished({ stack: plan.stack, ...given }, deps);
  await requirePerson({ plan, trigger }, deps);
  await requireJournalOutside(plan, deps);
  const run = options.run ?? newRunId(deps.clock.now());
  return requested(await createRun({ run, plan, trigger, ...given }, deps), deps);
}

/** Asked a second time, by whoever did not hear the answer. */
async function existing(run: string, { hash }: Plan, { journal }: RequestDeps): Promise<RunState | undefined> {
  if ((await journal.read(run)).length === 0) return undefined;
  const state = await stateOfRun(run, { journal });
  return state.plan.hash === hash ? state : undefined;
}

function requested(state: RunState, { clock }: Pick<RequestDeps, 'clock'>): RequestedRun {
  const standing = standingOf(state, clock.now());
  return standing.kind === 'waiting'
    ? { kind: 'created', run: state.run, state: 'waiting', until: standing.until }
    : { kind: 'created', run: state.run, state: 'queued' };
}
