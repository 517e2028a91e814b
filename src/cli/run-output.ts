import type { RunEnded } from '../actions/rollback.ts';
import { openJournal } from '../compose.ts';
import type { Reporter } from '../ports/index.ts';
import type { Invocation } from './commands.ts';
import { progressReporter } from './render/progress.ts';
import { duration } from './render/time.ts';

/** The stack of a run, by the journal. @throws RUN_UNKNOWN */
export async function stackOf(run: string, { terminal }: Invocation): Promise<string> {
  const { stackOfRun } = await import('../actions/history.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    return await stackOfRun(run, opened);
  } finally {
    await opened.close();
  }
}

/**
 * Lines on stderr for people; with `jsonl` every event as one object on stdout. Times are those of the run, seconds since its
 * first event, whenever the watching began.
 */
export function reporterOf({ terminal, globals }: Invocation): Reporter {
  if (terminal.format === 'jsonl')
    return { report: (event) => terminal.line({ apiVersion: 'backstay.dev/v1', kind: 'RunEvent', ...event }) };
  if (globals.quiet === true) return { report: () => undefined };
  return progressReporter((line) => terminal.note(line), terminal.err);
}

export function tellEnd(ended: RunEnded, { terminal }: Invocation): number {
  const { report, ...rest } = ended;
  terminal.result(
    'Rollback',
    { ...rest, ...(report ? { report: report.paths, downtime: report.report.downtime } : {}) },
    () => {
      const { out } = terminal;
      const good = ended.exitCode === 0;
      return [
        `${good ? out.good(ended.outcome) : ended.outcome === 'waiting' ? out.warn(ended.outcome) : out.bad(ended.outcome)}  run ${ended.run}  ${duration(ended.durationMs)}`,
        ...(ended.reason === undefined ? [] : [`  ${ended.reason}`]),
        ...(ended.next === undefined ? [] : [`  ${out.bold('next:')} ${ended.next}`]),
        ...(ended.undo === undefined
          ? []
          : [ended.next === undefined ? `  undo    ${ended.undo}` : `    ${out.bold('or:')} ${ended.undo}`]),
        ...(ended.outcome === 'waiting'
          ? []
          : report === undefined
            ? [`  the report could not be written: ${ended.reportProblem ?? ''}`]
            : [
                ...(report.downtime === undefined ? [] : [`  downtime  ${report.downtime}`]),
                `  report  ${report.paths.markdown}`,
                `          ${report.paths.html}`,
              ]),
      ].join('\n');
    },
  );
  return ended.exitCode;
}
