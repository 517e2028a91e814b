import { resolve } from 'node:path';
import type { PastRun } from '../../actions/history.ts';
import { BackstayError } from '../../errors/index.ts';
import { textOf } from '../plan-options.ts';
import type { CommandRun } from '../commands.ts';
import { openJournal } from '../../compose.ts';
import { age, duration } from '../render/time.ts';
import { table } from '../render/table.ts';

export const history: CommandRun = async ({ args, terminal }) => {
  const { history: list } = await import('../../actions/history.ts');
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  try {
    const runs = await list(args[0] === undefined ? {} : { stack: args[0] }, { journal: opened.journal });
    const items = runs.map((run) => ({ ...run, report: opened.reportPath(run.run) }));
    terminal.result('RunList', { items }, () =>
      items.length === 0
        ? 'no runs yet'
        : table(
            ['run', 'stack', 'age', 'outcome', 'took', 'down', 'target', 'by', 'reason'],
            items.map((run) =>
              run.kind === 'damaged'
                ? [
                    run.run,
                    run.stack,
                    age(run.startedAt, Date.now()),
                    terminal.out.bad('damaged'),
                    '',
                    '',
                    '',
                    '',
                    run.why,
                  ]
                : [
                    run.run,
                    run.stack,
                    age(run.startedAt, Date.now()),
                    `${run.outcome === 'succeeded' ? terminal.out.good(run.outcome) : terminal.out.warn(run.outcome)}${sinceThen(run)}`,
                    duration(run.durationMs),
                    run.downMs === undefined ? '' : duration(run.downMs),
                    run.target,
                    run.trigger === 'person' ? run.by : `${run.trigger}: ${run.by}`,
                    run.reason ?? '',
                  ],
            ),
          ),
    );
    for (const run of runs) {
      if (run.kind === 'run' && run.unread !== undefined)
        terminal.note(terminal.err.warn(leftOut(run.run, run.unread)));
    }
    return 0;
  } finally {
    await opened.close();
  }
};

function leftOut(run: string, kinds: readonly string[]): string {
  return `run ${run} has entries of a newer backstay that are not shown: ${kinds.join(', ')}`;
}

/** What happened to a run after its end. */
function sinceThen({ undone, finalized }: Extract<PastRun, { kind: 'run' }>): string {
  if (undone !== undefined) return ', undone';
  return finalized === undefined ? '' : ', final';
}

const REPORT_FORMATS = ['markdown', 'html', 'json'] as const;

export const report: CommandRun = async ({ args, options, terminal }) => {
  const said = textOf(options['format']) ?? 'markdown';
  const format = REPORT_FORMATS.find((one) => one === said);
  if (format === undefined)
    throw new BackstayError('USAGE', `--format ${said} is not one of ${REPORT_FORMATS.join(', ')}.`);
  const out = textOf(options['out']);
  const [{ writeReport }, { unreadOf }] = await Promise.all([
    import('../../actions/report.ts'),
    import('../../actions/history.ts'),
  ]);
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  try {
    const written = await writeReport(args[0] ?? '', opened.reportDeps);
    const texts = { markdown: written.markdown, html: written.html, json: JSON.stringify(written.report, null, 2) };
    const text = `${texts[format].trimEnd()}\n`;
    if (out !== undefined) await opened.reportDeps.files.write(resolve(terminal.cwd, out), text);
    terminal.result('RunReport', { ...written.report, paths: written.paths }, () =>
      out === undefined ? text.trimEnd() : `report of run ${written.report.run} written to ${out}`,
    );
    const unread = await unreadOf(args[0] ?? '', opened);
    if (unread.length > 0) terminal.note(terminal.err.warn(leftOut(args[0] ?? '', unread)));
    return 0;
  } finally {
    await opened.close();
  }
};
