import { BackstayError, isBackstayError } from '../errors/index.ts';
import { fold, type JournalFact, type RunState } from '../journal/index.ts';
import type { Clock, JournalStore } from '../ports/index.ts';
import { Recorder } from './recorder.ts';

interface Deps {
  readonly journal: JournalStore;
  readonly clock: Clock;
}

/** Two people may note something at one time; more rounds than this are no coincidence. */
const ROUNDS = 3;

/** @throws RUN_UNKNOWN, JOURNAL_BROKEN */
export async function stateOfRun(run: string, { journal }: Pick<Deps, 'journal'>): Promise<RunState> {
  const entries = await journal.read(run);
  if (entries.length > 0) return fold(entries);
  throw new BackstayError('RUN_UNKNOWN', `There is no run ${run === '' ? 'without an id' : run}.`, {
    next: 'Run `backstay history` to list the runs.',
  });
}

/**
 * Adds a fact to a run that nobody carries any more, as its state says: `factOf` is asked again when somebody else added
 * one meanwhile, and answers undefined when there is nothing to add. Returns the state with it. @throws RUN_UNKNOWN,
 * JOURNAL_BROKEN
 */
export async function addFact(
  run: string,
  factOf: (state: RunState) => JournalFact | undefined,
  deps: Deps,
): Promise<RunState> {
  for (let round = 1; ; round += 1) {
    const state = await stateOfRun(run, deps);
    const fact = factOf(state);
    if (fact === undefined) return state;
    const { journal, clock } = deps;
    const recorder = new Recorder({ journal, clock, reporter: SILENT, run, stack: state.stack, state });
    try {
      await recorder.append(fact);
      return recorder.state;
    } catch (error) {
      const { sequence } = await stateOfRun(run, deps);
      if (!isBackstayError(error, 'JOURNAL_BROKEN') || sequence === state.sequence || round === ROUNDS) throw error;
    }
  }
}

const SILENT = { report: () => undefined };

/**
 * Every run of a stack, as its journal has it. A damaged journal of a run that began before `needed` is left out, as
 * nothing depends on it; a later one is thrown. @default needed: all
 */
export async function runsOf(
  stack: string,
  { journal }: Pick<Deps, 'journal'>,
  needed = '',
): Promise<readonly RunState[]> {
  const states: RunState[] = [];
  for (const { run, startedAt } of await journal.runs(stack)) {
    try {
      states.push(fold(await journal.read(run)));
    } catch (error) {
      if (!isBackstayError(error, 'JOURNAL_BROKEN') || startedAt >= needed) throw error;
    }
  }
  return states;
}
