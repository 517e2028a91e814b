import { BackstayError, isBackstayError } from '../errors/index.ts';
import { fold, type RunState } from '../journal/index.ts';
import type { Clock, JournalStore, LockHolder, UnfinishedRun } from '../ports/index.ts';
import { addFact } from './after-end.ts';

/** A person gives an unfinished run up, by its name. */
export interface Abandon {
  readonly run: string;
  readonly reason: string;
}

interface Admission {
  readonly stack: string;
  /** The run that wants the stack. */
  readonly run: string;
  readonly by: { readonly user: string; readonly host: string };
  readonly abandon?: Abandon;
}

interface Deps {
  readonly journal: JournalStore;
  readonly clock: Clock;
}

/**
 * Whether a run may take a stack that another one was left unfinished on. Where that run's journal is ours, it decides: a run
 * that ended, or did nothing yet, is no obstacle. A run that is given up by name learns it in its own journal, if that is
 * ours, before anything else is written. Returns the run that was given up. @throws STACK_UNFINISHED
 */
export async function admit(left: UnfinishedRun, request: Admission, deps: Deps): Promise<UnfinishedRun | undefined> {
  const { stack, run, by, abandon } = request;
  const known = await knownState(left.run, deps.journal);
  if (known !== undefined && known !== 'damaged' && isNoObstacle(known)) return undefined;
  if (abandon?.run !== left.run) throw unfinished(stack, left, { ours: known !== undefined, ...request }, deps.clock);
  if (known !== undefined && known !== 'damaged') {
    const { reason } = abandon;
    await addFact(
      left.run,
      (state) => (isOver(state) ? undefined : { kind: 'abandoned', by, reason, inFavourOf: run }),
      deps,
    );
  }
  return left;
}

/** Before anything is planned or asked: what `admit` would refuse, as far as one look can tell. @throws STACK_UNFINISHED */
export async function refuseUnfinished(
  left: UnfinishedRun,
  request: Pick<Admission, 'stack' | 'abandon'>,
  deps: Deps,
): Promise<void> {
  const known = await knownState(left.run, deps.journal);
  if (known !== undefined && known !== 'damaged' && isNoObstacle(known)) return;
  if (request.abandon?.run === left.run) return;
  throw unfinished(request.stack, left, { ours: known !== undefined, ...request }, deps.clock);
}

/** Whether a run, by our journal, was given up or came to an end. False too for one that the journal does not know. */
export async function isKnownToBeOver(run: string, journal: JournalStore): Promise<boolean> {
  const known = await knownState(run, journal);
  return known !== undefined && known !== 'damaged' && isOver(known);
}

export function isOver({ ended }: RunState): boolean {
  return ended !== undefined && ended.outcome !== 'mixed';
}

/**
 * The run that had the stack since this one left it; only then can live be elsewhere than this one's journal says.
 * Undefined: nobody did.
 */
export function passedOverBy(state: RunState, from: LockHolder | undefined): LockHolder | undefined {
  return state.leases.length === 0 || from === undefined || from.run === state.run ? undefined : from;
}

/** A journal that cannot be read decides nothing, and a guard that cannot decide refuses. */
async function knownState(run: string, journal: JournalStore): Promise<RunState | 'damaged' | undefined> {
  try {
    const entries = await journal.read(run);
    return entries.length === 0 ? undefined : fold(entries);
  } catch (error) {
    if (isBackstayError(error, 'JOURNAL_BROKEN')) return 'damaged';
    throw error;
  }
}

function isNoObstacle(state: RunState): boolean {
  if (isOver(state)) return true;
  const hasBegun = [...state.steps.values()].some(
    ({ step, attempts }) => attempts > 0 && step.phase !== 'planned' && step.phase !== 'locked',
  );
  return !hasBegun;
}

function unfinished(
  stack: string,
  left: UnfinishedRun,
  { ours, abandon }: { readonly ours: boolean; readonly abandon?: Abandon },
  clock: Clock,
): BackstayError {
  const { run, user, host, phase, journal, since } = left;
  const seconds = Math.round((clock.now() - Date.parse(since)) / 1000);
  const age = Number.isNaN(seconds) ? '' : ` ${Math.max(0, seconds)} s ago`;
  const where = [
    ...(phase === undefined ? [] : [`in phase ${phase}`]),
    ...(journal === '' ? [] : [`journal ${journal}`]),
  ];
  const who = user === '' && host === '' ? run : `${run} of ${user} on ${host}`;
  const named = abandon === undefined || abandon.run === run ? '' : ` --abandon names ${abandon.run}, which is not it.`;
  return new BackstayError(
    'STACK_UNFINISHED',
    `Run ${who} left stack ${stack} unfinished${age}${where.map((one) => `, ${one}`).join('')}.${named}`,
    {
      next: `${ours ? 'Run' : `On ${host === '' ? 'its machine' : host} run`} \`backstay resume ${run}\`; or give that run up for good with \`--abandon ${run} --reason TEXT\`.`,
      details: { stack, ...left, ours },
    },
  );
}
