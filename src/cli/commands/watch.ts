import { openJournal } from '../../compose.ts';
import type { CommandRun } from '../commands.ts';
import { reporterOf } from '../run-output.ts';
import { tellWatched } from '../render/runs.ts';
import { age } from '../render/time.ts';

/** Milliseconds without an entry after which a run may well have nobody at work on it. */
const QUIET = 60_000;

/** The same picture as the run's own process shows. Ctrl-C ends the watching, never the run. */
export const watch: CommandRun = async (invocation) => {
  const { args, terminal, process } = invocation;
  const { watch: follow } = await import('../../actions/watch.ts');
  const [run = ''] = args;
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(signal);
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const result = await follow(
      {
        run,
        signal: stop.signal,
        onCaughtUp: ({ lastAt }) => {
          if (Date.now() - Date.parse(lastAt) < QUIET) return;
          const since = age(lastAt, Date.now());
          terminal.note(
            terminal.err.warn(`nothing was written for ${since}; if nobody is at work on it: backstay resume ${run}`),
          );
        },
      },
      { journal: opened.journal, reporter: reporterOf(invocation) },
    );
    if (result.kind === 'stopped') {
      terminal.note(`stopped watching; the run is what it was. Watch it again with: backstay watch ${run}`);
      return stop.signal.reason === 'SIGTERM' ? 143 : 130;
    }
    return tellWatched(result, terminal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await opened.close();
  }
};
