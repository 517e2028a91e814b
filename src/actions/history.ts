import { isBackstayError } from '../errors/index.ts';
import { figureOf, fold, type RunState, type Trigger } from '../journal/index.ts';
import type { Outcome, Phase } from '../model/index.ts';
import type { JournalStore } from '../ports/index.ts';
import { stateOfRun } from '../rollback/index.ts';

export type PastRun =
  | {
      readonly kind: 'run';
      readonly run: string;
      readonly stack: string;
      readonly startedAt: string;
      /** `unfinished`: at work now, or cut off; `backstay resume` tells which. */
      readonly outcome: Outcome | 'unfinished';
      readonly phase: Phase;
      /** Milliseconds until its end, or until its last entry. */
      readonly durationMs: number;
      readonly trigger: Trigger;
      /** Milliseconds for which the worst route was down; absent where no probe measured. */
      readonly downMs?: number;
      readonly target: string;
      readonly by: string;
      readonly reason?: string;
      /** Whether `backstay resume` would go on with it. */
      readonly resumable: boolean;
      /** The run that it took back. */
      readonly undoes?: string;
      readonly undone?: NonNullable<RunState['undone']>;
      /** Its way back was closed. */
      readonly finalized?: Pick<NonNullable<RunState['finalized']>, 'at' | 'because'>;
      /** Kinds of entries that a newer program wrote and this one left unread; absent: none. */
      readonly unread?: readonly string[];
    }
  | {
      readonly kind: 'damaged';
      readonly run: string;
      readonly stack: string;
      readonly startedAt: string;
      readonly why: string;
    };

export interface HistoryOptions {
  readonly stack?: string;
  /** The newest so many. @default all */
  readonly limit?: number;
}

/** The runs there were, newest first. A run whose journal cannot be read is listed as such, not hidden. */
export async function history(
  options: HistoryOptions,
  { journal }: { readonly journal: JournalStore },
): Promise<readonly PastRun[]> {
  const runs = await journal.runs(options.stack);
  const wanted = runs.slice(0, options.limit ?? runs.length);
  return await Promise.all(wanted.map(async (known) => await pastRun(known, journal)));
}

/** One run of the journal's list. */
export async function pastRun(
  known: { readonly run: string; readonly stack: string; readonly startedAt: string },
  journal: JournalStore,
): Promise<PastRun> {
  try {
    const state = fold(await journal.read(known.run));
    const { plan, ended, by, phase, undoes, undone, finalized } = state;
    return {
      kind: 'run',
      ...known,
      outcome: ended?.outcome ?? 'unfinished',
      phase,
      durationMs: Date.parse(ended?.at ?? state.lastAt) - Date.parse(state.startedAt),
      trigger: state.trigger,
      ...downOf(state),
      target: plan.target.said,
      by: `${by.user}@${by.host}`,
      ...(plan.options.reason === undefined ? {} : { reason: plan.options.reason }),
      resumable: ended === undefined || ended.outcome === 'mixed',
      ...(undoes === undefined ? {} : { undoes }),
      ...(undone === undefined ? {} : { undone }),
      ...(finalized === undefined ? {} : { finalized: { at: finalized.at, because: finalized.because } }),
      ...(state.unread.length === 0 ? {} : { unread: [...new Set(state.unread)] }),
    };
  } catch (error) {
    if (!isBackstayError(error, 'JOURNAL_BROKEN')) throw error;
    return { kind: 'damaged', ...known, why: error.message };
  }
}

function downOf(state: RunState): { readonly downMs?: number } {
  const { downMs } = figureOf(state);
  return downMs === undefined ? {} : { downMs };
}

/** What a newer program wrote of a run and this one does not show. */
export async function unreadOf(
  run: string,
  { journal }: { readonly journal: JournalStore },
): Promise<readonly string[]> {
  return [...new Set(fold(await journal.read(run)).unread)];
}

/** The stack of a run: what has to be composed before it can be resumed. @throws RUN_UNKNOWN, JOURNAL_BROKEN */
export async function stackOfRun(run: string, { journal }: { readonly journal: JournalStore }): Promise<string> {
  return (await stateOfRun(run, { journal })).plan.stack;
}
