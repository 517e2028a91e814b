import type { ErrorCode } from '../errors/index.ts';
import type { RunState } from '../journal/index.ts';
import { type Digest, shortId } from '../model/index.ts';
import { hasChangedObjects } from './decide.ts';
import { beforeId } from './steps/record-after.ts';

export type UndoAnswer =
  | {
      readonly kind: 'undoable';
      /** Where the stack goes: what it was before the run acted. Absent: the run left the cluster unasked, and went on data alone. */
      readonly before?: Digest;
      /** The run ended mixed: undoing it gives it up, and no resume goes on with it. */
      readonly abandons: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly code: Extract<
        ErrorCode,
        'RUN_UNFINISHED' | 'NOTHING_TO_UNDO' | 'ALREADY_UNDONE' | 'RUN_FINALIZED' | 'RUN_OVERTAKEN'
      >;
      readonly message: string;
      readonly next: string;
    };

/**
 * Whether a run can be undone. Pure: from its state and those of all other runs of its stack. The store is asked
 * afterwards whether the snapshot is still whole.
 */
export function judgeUndo(state: RunState, others: readonly RunState[]): UndoAnswer {
  const { run, stack, ended, undone, finalized } = state;
  if (ended === undefined) {
    return refused('RUN_UNFINISHED', `Run ${run} has not ended.`, `Run \`backstay resume ${run}\` first.`);
  }
  if (undone !== undefined) {
    const last = lastOfChain(state, others);
    return refused(
      'ALREADY_UNDONE',
      `Run ${run} was undone by run ${undone.byRun} at ${undone.at}.`,
      `Run \`backstay undo ${last}\` if its effect is wanted back.`,
    );
  }
  if (finalized !== undefined) {
    const why = finalized.because === 'retention' ? 'its retention passed' : `${finalized.by.user} finalized it`;
    return refused(
      'RUN_FINALIZED',
      `The way back of run ${run} was closed at ${finalized.at}: ${why}.`,
      `Choose what there is: \`backstay rollback ${stack} --list-versions\`.`,
    );
  }
  const before = beforeId(state);
  const isOfDataAlone = state.plan.options.databaseLease !== undefined;
  if (!changedStack(state) || (before === undefined && !isOfDataAlone)) {
    return refused(
      'NOTHING_TO_UNDO',
      `Run ${run} ended ${ended.outcome}: it changed nothing.`,
      'Nothing is to be done.',
    );
  }
  const later = newestStanding(state, others);
  if (later !== undefined) {
    const way = later.ended === undefined || later.ended.outcome === 'mixed' ? 'resume' : 'undo';
    return refused(
      'RUN_OVERTAKEN',
      `Run ${later.run} (to ${later.plan.target.said}) came after run ${run} and changed the stack.`,
      `Run \`backstay ${way} ${later.run}\` first${before === undefined ? '' : `, or go to where it began: \`backstay rollback ${stack} --to ${shortId(before)}\``}.`,
    );
  }
  return { kind: 'undoable', ...(before === undefined ? {} : { before }), abandons: ended.outcome === 'mixed' };
}

const CHANGES_DATA: ReadonlySet<string> = new Set(['db-swap', 'db-restore-in-place', 'db-unswap', 'migrate']);

/** Whether the stack is another one since the run: something was changed, and the run did not take it back itself. */
export function changedStack(state: RunState): boolean {
  const outcome = state.ended?.outcome;
  if (outcome === 'failed' || outcome === 'cancelled' || outcome === 'returned') return false;
  const { changes, steps } = state.plan;
  const data = steps.some(({ action }) => CHANGES_DATA.has(action.kind));
  return (changes.length > 0 || data) && hasChangedObjects(state);
}

/** Newest first, by when they began. */
export function newestRuns(runs: readonly RunState[]): readonly RunState[] {
  return runs.toSorted((a, b) =>
    a.startedAt === b.startedAt ? compare(b.run, a.run) : compare(b.startedAt, a.startedAt),
  );
}

/** The newest later run whose effect is still there. One that was undone later, and what undid it, cancel each other. */
function newestStanding(state: RunState, others: readonly RunState[]): RunState | undefined {
  const later = newestRuns(others).filter(
    (other) => other.run !== state.run && newestRuns([state, other])[0] === other && changedStack(other),
  );
  const undoneLater = new Set(later.filter(({ undone }) => undone !== undefined).map(({ run }) => run));
  return later.find(
    (other) => !undoneLater.has(other.run) && !(other.undoes !== undefined && undoneLater.has(other.undoes)),
  );
}

/** The run at the end of "undone by": undoing that one changes the stack. */
function lastOfChain(state: RunState, others: readonly RunState[]): string {
  const known = new Map(others.map((other) => [other.run, other]));
  const seen = new Set<string>();
  let last = state.run;
  for (let next = state.undone?.byRun; next !== undefined && !seen.has(next); next = known.get(next)?.undone?.byRun) {
    seen.add(next);
    last = next;
  }
  return last;
}

function refused(code: Extract<UndoAnswer, { kind: 'refused' }>['code'], message: string, next: string): UndoAnswer {
  return { kind: 'refused', code, message, next };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
