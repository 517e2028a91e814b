import { resolve } from 'node:path';
import { textOf } from '../plan-options.ts';
import type { CommandRun } from '../commands.ts';
import { openJournal } from '../../compose.ts';
import { reportFormatOf } from '../review-options.ts';
import { leftOut, tellRuns } from '../render/runs.ts';

export const history: CommandRun = async ({ args, terminal }) => {
  const { history: list } = await import('../../actions/history.ts');
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  try {
    const runs = await list(args[0] === undefined ? {} : { stack: args[0] }, { journal: opened.journal });
    const items = runs.map((run) => ({ ...run, report: opened.reportPath(run.run) }));
    tellRuns(items, terminal);
    return 0;
  } finally {
    await opened.close();
  }
};

export const report: CommandRun = async ({ args, options, terminal }) => {
  const format = reportFormatOf(options);
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
