import type { Outcome, Scope } from '../model/index.ts';
import { downtimeOf } from './downtime.ts';
import type { Trigger } from './entry.ts';
import type { RunState } from './state.ts';

/** What figures are made from. */
export interface RunFigure {
  readonly stack: string;
  readonly trigger: Trigger;
  readonly scope: Scope['kind'];
  /** ISO 8601. */
  readonly startedAt: string;
  readonly outcome: Outcome | 'unfinished';
  readonly durationMs: number;
  /** Of the worst route; absent where no probe measured. */
  readonly downMs?: number;
  /** Of the route about which least is known; absent where no probe measured. */
  readonly unknownMs?: number;
}

export type Grouping = 'trigger' | 'stack' | 'scope';

export interface Figures {
  readonly runs: number;
  readonly perWeek: number;
  /** 30 days. */
  readonly perMonth: number;
  /** Runs that came to an end of their own; the others are at work, cut off or for a person to finish. */
  readonly ended: number;
  readonly succeeded: number;
  /** 0 to 1, of those that ended; absent where none did. */
  readonly successRate?: number;
  /** Milliseconds, of those that ended. */
  readonly duration?: Spread;
  /** Of the runs that were measured. */
  readonly downtime?: {
    readonly measured: number;
    readonly totalMs: number;
    readonly meanMs: number;
    readonly maxMs: number;
  };
}

interface Spread {
  readonly mean: number;
  readonly median: number;
  readonly p95: number;
}

export interface Stats {
  /** ISO 8601; what came before does not count. */
  readonly since: string;
  readonly until: string;
  readonly all: Figures;
  /** The most frequent first. */
  readonly groups: readonly ({ readonly name: string } & Figures)[];
}

export function figureOf(state: RunState): RunFigure {
  const { stack, trigger, plan, startedAt, ended, workedAt } = state;
  const downtime = downtimeOf(state);
  return {
    stack,
    trigger,
    scope: plan.scope.kind,
    startedAt,
    outcome: ended?.outcome ?? 'unfinished',
    durationMs: Date.parse(ended?.at ?? workedAt) - Date.parse(startedAt),
    ...(downtime.length === 0
      ? {}
      : {
          downMs: Math.max(...downtime.map(({ downMs }) => downMs)),
          unknownMs: Math.max(...downtime.map(({ unknownMs }) => unknownMs)),
        }),
  };
}

const DAY_MS = 86_400_000;

/** Pure. Frequencies count over the whole time asked for, or from the first run when that is later. */
export function statsOf(
  runs: readonly RunFigure[],
  { now, sinceMs, by }: { readonly now: number; readonly sinceMs: number; readonly by: Grouping },
): Stats {
  const since = now - sinceMs;
  const wanted = runs.filter(({ startedAt }) => Date.parse(startedAt) >= since && Date.parse(startedAt) <= now);
  const first = Math.min(now, ...wanted.map(({ startedAt }) => Date.parse(startedAt)));
  // A first run of yesterday does not make seven a week: less than a week counts as one.
  const days = Math.min(sinceMs, Math.max(now - first, 7 * DAY_MS)) / DAY_MS;
  const groups = Map.groupBy(wanted, (run) => run[by]);
  return {
    since: new Date(since).toISOString(),
    until: new Date(now).toISOString(),
    all: figuresOf(wanted, days),
    groups: [...groups]
      .map(([name, members]) => ({ name, ...figuresOf(members, days) }))
      .sort((a, b) => b.runs - a.runs || (a.name < b.name ? -1 : 1)),
  };
}

function figuresOf(runs: readonly RunFigure[], days: number): Figures {
  const ended = runs.filter(({ outcome }) => outcome !== 'unfinished' && outcome !== 'mixed');
  const succeeded = ended.filter(({ outcome }) => outcome === 'succeeded' || outcome === 'nothing-to-do').length;
  const duration = spreadOf(ended.map(({ durationMs }) => durationMs));
  const down = runs.flatMap(({ downMs }) => (downMs === undefined ? [] : [downMs]));
  const totalMs = down.reduce((sum, ms) => sum + ms, 0);
  return {
    runs: runs.length,
    perWeek: days === 0 ? 0 : (runs.length / days) * 7,
    perMonth: days === 0 ? 0 : (runs.length / days) * 30,
    ended: ended.length,
    succeeded,
    ...(ended.length === 0 ? {} : { successRate: succeeded / ended.length }),
    ...(duration === undefined ? {} : { duration }),
    ...(down.length === 0
      ? {}
      : { downtime: { measured: down.length, totalMs, meanMs: totalMs / down.length, maxMs: Math.max(...down) } }),
  };
}

/** Nearest rank for p95, so that it is a duration that there was; undefined for none. */
function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { mean, median: medianOf(sorted), p95: sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0 };
}

/** Of at least one value, in order. */
export function medianOf(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
