import { exitCodeOfRun } from '../../actions/watch.ts';
import type { RemoteRun } from '../commands.ts';
import { tellWatched } from '../render/runs.ts';
import { followRun, tellRemoteEnd } from './follow.ts';

/** Ctrl-C ends the watching, never the run. */
export const watch: RemoteRun = async (invocation, remote) => {
  const { args, terminal, process } = invocation;
  const [run = ''] = args;
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(signal);
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const seen = await followRun({ run, signal: stop.signal }, invocation, remote);
    if (seen?.carried?.stuck === true && seen.outcome === undefined) return tellRemoteEnd(seen, invocation);
    if (seen?.outcome === undefined) {
      terminal.note(`stopped watching; the run is what it was. Watch it again with: backstay watch ${run}`);
      return stop.signal.reason === 'SIGTERM' ? 143 : 130;
    }
    const { outcome, reason, code, next, startedAt, endedAt } = seen;
    const why = { ...(reason === undefined ? {} : { reason }), ...(code === undefined ? {} : { code }) };
    return tellWatched(
      {
        kind: 'ended',
        run,
        outcome,
        exitCode: seen.exitCode ?? exitCodeOfRun({ outcome, ...why }),
        ...why,
        ...(next === undefined ? {} : { next }),
        durationMs: Date.parse(endedAt ?? startedAt) - Date.parse(startedAt),
      },
      terminal,
    );
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
};
