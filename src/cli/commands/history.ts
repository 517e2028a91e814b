import type { PastRun } from '../../actions/history.ts';
import type { CommandRun } from '../commands.ts';
import { openJournal } from '../../compose.ts';
import { age, duration } from '../render/time.ts';
import { table } from '../render/table.ts';

export const history: CommandRun = async ({ args, terminal }) => {
  const { history: list } = await import('../../actions/history.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    const runs = await list(args[0] === undefined ? {} : { stack: args[0] }, { journal: opened.journal });
    const items = runs.map((run) => ({ ...run, report: opened.reportPath(run.run) }));
    terminal.result('RunList', { items }, () =>
      items.length === 0
        ? 'no runs yet'
        : table(
            ['run', 'stack', 'age', 'outcome', 'took', 'target', 'by', 'reason'],
            items.map((run) =>
              run.kind === 'damaged'
                ? [run.run, run.stack, age(run.startedAt, Date.now()), terminal.out.bad('damaged'), '', '', '', run.why]
                : [
                    run.run,
                    run.stack,
                    age(run.startedAt, Date.now()),
                    `${run.outcome === 'succeeded' ? terminal.out.good(run.outcome) : terminal.out.warn(run.outcome)}${sinceThen(run)}`,
                    duration(run.durationMs),
                    run.target,
                    run.by,
                    run.reason ?? '',
                  ],
            ),
          ),
    );
    return 0;
  } finally {
    await opened.close();
  }
};

/** What happened to a run after its end. */
function sinceThen({ undone, finalized }: Extract<PastRun, { kind: 'run' }>): string {
  if (undone !== undefined) return ', undone';
  return finalized === undefined ? '' : ', final';
}

export const report: CommandRun = async ({ args, terminal }) => {
  const { writeReport } = await import('../../actions/report.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    const written = await writeReport(args[0] ?? '', opened.reportDeps);
    terminal.result('RunReport', { ...written.report, paths: written.paths }, () => written.markdown.trimEnd());
    return 0;
  } finally {
    await opened.close();
  }
};
