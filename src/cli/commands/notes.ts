import { BackstayError } from '../../errors/index.ts';
import { openJournal } from '../../compose.ts';
import type { CommandRun } from '../commands.ts';
import { textOf } from '../plan-options.ts';
import { statsAskedOf } from '../review-options.ts';
import { renderStats } from '../render/stats.ts';

const TOPICS = [
  ['rootCause', 'root-cause'],
  ['impact', 'impact'],
  ['dataLoss', 'data-loss'],
  ['followUp', 'follow-up'],
] as const;

/** `note RUN --root-cause TEXT …`: what people found out, into the journal and the report. */
export const note: CommandRun = async ({ args, options, terminal }) => {
  const notes = TOPICS.flatMap(([option, topic]) => {
    const text = textOf(options[option])?.trim();
    return text === undefined ? [] : [{ topic, text }];
  });
  if (notes.length === 0 || notes.some(({ text }) => text === '')) {
    throw new BackstayError('USAGE', 'A note needs --root-cause, --impact, --data-loss or --follow-up, and a text.');
  }
  const { note: add } = await import('../../actions/note.ts');
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  try {
    const { report, paths } = await add(
      { run: args[0] ?? '', notes },
      { ...opened.reportDeps, by: opened.by, clock: opened.clock },
    );
    terminal.result('RunNoted', { run: report.run, noted: notes, report: paths }, () =>
      [`noted for run ${report.run}: ${notes.map(({ topic }) => topic).join(', ')}`, `  report  ${paths.html}`].join(
        '\n',
      ),
    );
    return 0;
  } finally {
    await opened.close();
  }
};

export const stats: CommandRun = async ({ args, options, terminal }) => {
  const asked = statsAskedOf(options);
  const { stats: count } = await import('../../actions/stats.ts');
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  try {
    const stack = args[0] === undefined ? {} : { stack: args[0] };
    const counted = await count({ ...stack, ...asked }, opened);
    terminal.result('RunStats', counted, () => renderStats(counted, terminal.out));
    return 0;
  } finally {
    await opened.close();
  }
};
