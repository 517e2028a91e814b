import { BackstayError } from '../../errors/index.ts';
import { openJournal } from '../../compose.ts';
import type { CommandRun } from '../commands.ts';
import { durationMsOf, textOf } from '../plan-options.ts';
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

const GROUPINGS = ['trigger', 'stack', 'scope'] as const;
const DAY_MS = 86_400_000;

export const stats: CommandRun = async ({ args, options, terminal }) => {
  const said = textOf(options['by']) ?? 'trigger';
  const by = GROUPINGS.find((one) => one === said);
  if (by === undefined) throw new BackstayError('USAGE', `--by ${said} is not one of ${GROUPINGS.join(', ')}.`);
  const sinceMs = sinceOf(textOf(options['since']) ?? '90d');
  const { stats: count } = await import('../../actions/stats.ts');
  const opened = await openJournal(terminal.env, terminal.cwd, (line) => terminal.note(terminal.err.warn(line)));
  try {
    const stack = args[0] === undefined ? {} : { stack: args[0] };
    const counted = await count({ ...stack, sinceMs, by }, opened);
    terminal.result('RunStats', counted, () => renderStats(counted, terminal.out));
    return 0;
  } finally {
    await opened.close();
  }
};

/** `90d` beside what durations are elsewhere. */
function sinceOf(given: string): number {
  const days = /^(\d+(?:\.\d+)?)d$/.exec(given)?.[1];
  return days === undefined ? (durationMsOf(given, '--since') ?? 0) : Number(days) * DAY_MS;
}
