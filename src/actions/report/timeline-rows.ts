import { displayName, type CheckResult, type ObjectKey } from '../../model/index.ts';
import type { ReportedStep, RunReport } from '../../rollback/index.ts';
import { spell } from './words.ts';

/** How a bar is meant; its colour and pattern follow from it, and its words say the same. */
export type Tone = 'plain' | 'other' | 'good' | 'bad' | 'warn' | 'quiet' | 'unknown' | 'back';

export interface Bar {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
  /** In full, for whoever points at it. */
  readonly said: string;
  /** Stands in the bar or beside it. */
  readonly label?: string;
}

export interface Lane {
  readonly title: string;
  readonly rows: readonly { readonly label: string; readonly bars: readonly Bar[] }[];
  /** What was left out. */
  readonly more?: string;
}

const MOST_OBJECTS = 12;
const MOST_CHECKS = 18;

/** Pure: what the timeline of a report shows, in its order. */
export function lanesOf(report: RunReport): readonly Lane[] {
  return [
    { title: 'Phases', rows: [{ label: 'phase', bars: phaseBars(report) }] },
    {
      title: 'Downtime',
      rows: report.downtime.map(({ probe, spans }) => ({ label: probe, bars: spans.map(spanBar) })),
    },
    {
      title: 'Steps',
      rows: report.steps.filter(({ beganAt }) => beganAt !== undefined).map((step) => stepRow(step, report)),
    },
    objectLane(report),
    checkLane(report),
  ].filter(({ rows }) => rows.some(({ bars }) => bars.length > 0));
}

function phaseBars({ phases }: RunReport): readonly Bar[] {
  return phases.map(({ phase, from, durationMs }, i) => {
    const begin = Date.parse(from);
    const tone = i % 2 === 0 ? 'plain' : 'other';
    return { from: begin, to: begin + durationMs, tone, said: `${phase}, ${spell(durationMs)}`, label: phase };
  });
}

const SPAN_TONES = { up: 'good', down: 'bad', unknown: 'unknown' } as const;

function spanBar({ verdict, from, to, reason }: RunReport['downtime'][number]['spans'][number]): Bar {
  const [begin, end] = [Date.parse(from), Date.parse(to)];
  const said = `${verdict} for ${spell(end - begin)}: ${reason}`;
  const label = verdict === 'up' ? {} : { label: `${verdict} ${spell(end - begin)}` };
  return { from: begin, to: end, tone: SPAN_TONES[verdict], said, ...label };
}

const STEP_TONES: Readonly<Record<ReportedStep['status'], Tone>> = {
  pending: 'quiet',
  begun: 'unknown',
  done: 'plain',
  skipped: 'quiet',
  failed: 'bad',
  warned: 'warn',
};

function stepRow(step: ReportedStep, report: RunReport): Lane['rows'][number] {
  const { title, status, beganAt, endedAt, message, reverse } = step;
  const last = report.endedAt ?? report.phases.map(({ from, durationMs }) => Date.parse(from) + durationMs).at(-1);
  const until = (end: string | undefined): number =>
    end === undefined ? new Date(last ?? 0).getTime() : Date.parse(end);
  const barOf = (began: string, ended: string | undefined, tone: Tone, what: string, why?: string): Bar => {
    const [from, to] = [Date.parse(began), Math.max(Date.parse(began), until(ended))];
    const took = spell(to - from);
    return { from, to, tone, said: `${title}: ${what}, ${took}${why === undefined ? '' : `. ${why}`}`, label: took };
  };
  const bars = beganAt === undefined ? [] : [barOf(beganAt, endedAt, STEP_TONES[status], status, message)];
  const back =
    reverse?.beganAt === undefined
      ? []
      : [
          barOf(
            reverse.beganAt,
            reverse.endedAt,
            reverse.status === 'failed' ? 'bad' : 'back',
            'taken back',
            reverse.message,
          ),
        ];
  return { label: title, bars: [...bars, ...back] };
}

function objectLane({ objects }: RunReport): Lane {
  const tone = (state: string): Tone =>
    state === 'failed' ? 'bad' : state === 'ready' || state === 'done' ? 'plain' : 'unknown';
  // The slowest are what a reader looks for; shown in the order in which they began.
  const slowest = [...objects].sort((a, b) => lengthOf(b) - lengthOf(a)).slice(0, MOST_OBJECTS);
  const rows = objects
    .filter((one) => slowest.includes(one))
    .map((object) => {
      const name = displayName(object.key as ObjectKey);
      const bar = {
        from: Date.parse(object.from),
        to: Date.parse(object.to),
        tone: tone(object.state),
        said: `${name}: ${object.state} after ${spell(lengthOf(object))}`,
        label: `${object.state === 'ready' || object.state === 'done' ? '' : `${object.state} `}${spell(lengthOf(object))}`,
      };
      return { label: name, bars: [bar] };
    });
  return { title: 'Objects', rows, ...leftOut(objects.length - rows.length, 'object', 'quicker') };
}

function checkLane({ checks: { before, after } }: RunReport): Lane {
  const names = [...new Set([...after, ...before].map(({ name }) => name))];
  const isBad = (name: string): boolean => after.some((one) => one.name === name && one.verdict !== 'pass');
  const shown =
    names.length <= MOST_CHECKS
      ? names
      : [...names.filter(isBad), ...names.filter((one) => !isBad(one))].slice(0, MOST_CHECKS);
  const rows = shown.map((name) => ({
    label: name,
    bars: [...before, ...after].filter((one) => one.name === name).map(checkBar),
  }));
  return { title: 'Checks', rows, ...leftOut(names.length - rows.length, 'check', 'passing') };
}

const CHECK_TONES = { pass: 'good', fail: 'bad', unknown: 'warn' } as const;

function checkBar({ name, verdict, reason, at, durationMs }: CheckResult): Bar {
  const from = Date.parse(at);
  return {
    from,
    to: from + durationMs,
    tone: CHECK_TONES[verdict],
    said: `${name}: ${verdict}. ${reason}`,
    label: verdict,
  };
}

function leftOut(count: number, noun: string, which: string): { readonly more?: string } {
  return count <= 0 ? {} : { more: `and ${count} ${which} ${noun}${count === 1 ? '' : 's'}, in the tables` };
}

function lengthOf({ from, to }: { readonly from: string; readonly to: string }): number {
  return Date.parse(to) - Date.parse(from);
}
