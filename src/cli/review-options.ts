import { BackstayError } from '../errors/index.ts';
import { durationMsOf, textOf } from './plan-options.ts';

type Options = Readonly<Record<string, unknown>>;

const REPORT_FORMATS = ['markdown', 'html', 'json'] as const;

/** `--format` of a report. */
export function reportFormatOf(options: Options): (typeof REPORT_FORMATS)[number] {
  const said = textOf(options['format']) ?? 'markdown';
  const format = REPORT_FORMATS.find((one) => one === said);
  if (format !== undefined) return format;
  throw new BackstayError('USAGE', `--format ${said} is not one of ${REPORT_FORMATS.join(', ')}.`);
}

const GROUPINGS = ['trigger', 'stack', 'scope'] as const;
const DAY_MS = 86_400_000;

/** `--by` and `--since` of the figures; `90d` beside what durations are elsewhere. */
export function statsAskedOf(options: Options): {
  readonly by: (typeof GROUPINGS)[number];
  readonly sinceMs: number;
} {
  const said = textOf(options['by']) ?? 'trigger';
  const by = GROUPINGS.find((one) => one === said);
  if (by === undefined) throw new BackstayError('USAGE', `--by ${said} is not one of ${GROUPINGS.join(', ')}.`);
  const given = textOf(options['since']) ?? '90d';
  const days = /^(\d+(?:\.\d+)?)d$/.exec(given)?.[1];
  return { by, sinceMs: days === undefined ? (durationMsOf(given, '--since') ?? 0) : Number(days) * DAY_MS };
}
