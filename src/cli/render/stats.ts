import type { StatsResult } from '../../actions/stats.ts';
import type { Style } from './style.ts';
import { table } from './table.ts';
import { duration } from './time.ts';

type Figures = StatsResult['all'];

const BAR = 16;

/** Figures in one line each, with bars for how often; the same as JSON has every digit. */
export function renderStats(stats: StatsResult, style: Style): string {
  const { all, groups, by, stack, since, damaged } = stats;
  const where = stack === undefined ? '' : ` of ${stack}`;
  const lines =
    all.runs === 0
      ? [`no runs${where} since ${since.slice(0, 10)}; \`backstay history\` lists every run there is`]
      : [
          `${style.bold(`${all.runs} run${all.runs === 1 ? '' : 's'}`)}${where} since ${since.slice(0, 10)}: ${rate(all.perWeek)} a week, ${rate(all.perMonth)} a month`,
          '',
          table(
            [by, 'runs', '', 'success', 'mean', 'median', 'p95', 'downtime', 'worst'],
            [
              ...groups.map((group) => row(group.name, group, all.runs, style)),
              ...(groups.length > 1 ? [row('all', all, all.runs, style)] : []),
            ],
          ),
        ];
  if (damaged.length > 0)
    lines.push('', style.warn(`not counted, because their journals are damaged: ${damaged.join(', ')}`));
  return lines.join('\n');
}

function row(name: string, figures: Figures, most: number, style: Style): readonly string[] {
  const { runs, successRate, duration: took, downtime } = figures;
  return [
    name,
    String(runs),
    style.accent('█'.repeat(Math.max(1, Math.round((runs / most) * BAR)))),
    successRate === undefined ? '' : success(successRate, style),
    ...(took === undefined ? ['', '', ''] : [took.mean, took.median, took.p95].map(duration)),
    ...(downtime === undefined
      ? [style.dim('not measured'), '']
      : [duration(downtime.totalMs), duration(downtime.maxMs)]),
  ];
}

function success(part: number, style: Style): string {
  const text = `${Math.floor(part * 100)} %`;
  if (part >= 0.95) return style.good(text);
  return part >= 0.8 ? style.warn(text) : style.bad(text);
}

function rate(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1);
}
