import { isBackstayError } from '../errors/index.ts';
import type { RunState } from '../journal/index.ts';
import type { Outcome } from '../model/index.ts';
import { stateOfRun } from './after-end.ts';
import { hasBegun } from './approval.ts';
import type { RunDeps } from './deps.ts';
import { Recorder } from './recorder.ts';
import { between } from './run-result.ts';

interface End {
  readonly outcome: Extract<Outcome, 'cancelled' | 'failed'>;
  readonly reason: string;
  readonly code?: string;
}

/**
 * Ends a run of which nothing was begun, for whoever asked for it. A process that takes it up in this moment finds its next
 * entry taken, and stops; if its entry was first, the run has begun and is left alone. Returns the state as it is then.
 * @throws RUN_UNKNOWN, JOURNAL_BROKEN
 */
export async function endUnbegun(
  run: string,
  end: End,
  { journal, clock }: Pick<RunDeps, 'journal' | 'clock'>,
): Promise<RunState> {
  for (;;) {
    const state = await stateOfRun(run, { journal });
    if (state.ended !== undefined || hasBegun(state)) return state;
    const recorder = new Recorder({ journal, clock, reporter: SILENT, run, stack: state.stack, state });
    try {
      await recorder.append({ kind: 'run-ended', ...end });
      const durationMs = between(recorder.state.startedAt, recorder.state.lastAt);
      recorder.emit({ type: 'run.ended', outcome: end.outcome, durationMs, reason: end.reason });
      await recorder.settled();
      return recorder.state;
    } catch (error) {
      if (!isBackstayError(error, 'JOURNAL_BROKEN')) throw error;
      if ((await stateOfRun(run, { journal })).sequence === state.sequence) throw error;
    }
  }
}

const SILENT = { report: () => undefined };
