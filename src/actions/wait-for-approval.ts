import { advance, type RunState } from '../journal/index.ts';
import { resumeRun, type RunOptions, type RunResult, signalName, standingOf } from '../rollback/index.ts';

/**
 * Stays with a run that waits until somebody decided in whatever process or its time is over, and goes on with it. Holds
 * neither lease nor journal meanwhile. The signal ends the waiting, not the run: that waits on.
 */
export async function afterWaiting(result: RunResult, options: RunOptions): Promise<RunResult> {
  if (result.outcome !== 'waiting') return result;
  await untilDecided(result.state, options);
  const { signal } = options;
  if (signal?.aborted !== true) return await resumeRun(options);
  return { ...result, signal: signalName(signal.reason) };
}

async function untilDecided({ run }: RunState, { deps, signal }: RunOptions): Promise<void> {
  const { journal, clock } = deps;
  const over = new AbortController();
  const either = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  let state: RunState | undefined;
  try {
    for await (const entry of journal.follow(run, 0, either)) {
      state = advance(state, entry);
      const standing = standingOf(state, clock.now());
      if (state.ended !== undefined || standing.kind !== 'waiting') return;
      if (entry.sequence > 1) continue;
      // Nobody writes an entry when the time is over.
      void clock.delay(Date.parse(standing.until) - clock.now(), either).then(
        () => over.abort(),
        () => undefined,
      );
    }
  } finally {
    over.abort();
  }
}
