import type { RunEnded } from '../actions/rollback.ts';
import { openJournal } from '../compose.ts';
import type { Reporter } from '../ports/index.ts';
import type { Invocation } from './commands.ts';
import type { Terminal } from './output.ts';
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
  const data = { ...rest, ...(report ? { report: report.paths, downtime: report.report.downtime } : {}) };
  const afterwards = ended.observe === undefined ? [] : [`  watch   ${ended.observe}`];
  const written =
    report === undefined
      ? [`  the report could not be written: ${ended.reportProblem ?? ''}`]
      : [
          ...(report.downtime === undefined ? [] : [`  downtime  ${report.downtime}`]),
          `  report  ${report.paths.markdown}`,
          `          ${report.paths.html}`,
        ];
  return tellOutcome(ended, data, [...written, ...afterwards], terminal);
}

export type RunOutcome = RunEnded['outcome'];

type Told = Pick<RunEnded, 'run' | 'outcome' | 'exitCode' | 'reason' | 'next' | 'undo' | 'durationMs'>;

/** How a run ended, who must go on and how. `written` are lines about its report. */
export function tellOutcome(ended: Told, data: object, written: readonly string[], terminal: Terminal): number {
  terminal.result('Rollback', data, () => {
    const { out } = terminal;
    const { run, outcome, exitCode, reason, next, undo, durationMs } = ended;
    const paint = exitCode === 0 ? out.good : outcome === 'waiting' ? out.warn : out.bad;
    return [
      `${paint(outcome)}  run ${run}  ${duration(durationMs)}`,
      ...(reason === undefined ? [] : [`  ${reason}`]),
      ...(next === undefined ? [] : [`  ${out.bold('next:')} ${next}`]),
      ...(undo === undefined ? [] : [next === undefined ? `  undo    ${undo}` : `    ${out.bold('or:')} ${undo}`]),
      ...(outcome === 'waiting' ? [] : written),
    ].join('\n');
  });
  return ended.exitCode;
}
