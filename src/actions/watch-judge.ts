import { WATCH_LEAST_SAMPLES, type WatchSetting } from '../model/index.ts';

/*
 * When a watch fires. Pure: times are milliseconds since the epoch. What cannot be measured never fires, and never ends what
 * fires already.
 */

/** What one measurement found. */
export type Tick =
  | { readonly kind: 'value'; readonly at: number; readonly value: number }
  | { readonly kind: 'answer'; readonly at: number; readonly isGood: boolean; readonly latencyMs: number }
  | { readonly kind: 'unknown'; readonly at: number };

type Answer = Extract<Tick, { kind: 'answer' }>;

export interface WatchState {
  /** Of the window, oldest first. */
  readonly answers: readonly Answer[];
  /** Beyond the limit since then, at every measurement. */
  readonly beyondSince?: number;
  readonly lastAt?: number;
  /** ISO 8601; what the alert says of its beginning. */
  readonly firingSince?: string;
}

export const QUIET: WatchState = { answers: [] };

export interface Judged {
  readonly state: WatchState;
  /** What is compared; absent: unknown. */
  readonly value?: number;
  /** Absent: there is no baseline yet. */
  readonly limit?: number;
  /** What is to be told, if anything. */
  readonly tells?: 'firing' | 'resolved';
}

/** A measurement that comes later than so many intervals was not made without interruption. */
const LONGEST_GAP = 3;

/** The state after one more measurement. `usual`: what was measured while the stack was well. */
export function judge(setting: WatchSetting, before: WatchState, tick: Tick, usual: number | undefined): Judged {
  const answers = answersOf(setting, before.answers, tick);
  const value = valueOf(setting, answers, tick);
  const limit = limitOf(setting.above, usual);
  const { beyondSince: _, ...rest } = before;
  const next: WatchState = { ...rest, answers, lastAt: tick.at };
  const seen = { ...(value === undefined ? {} : { value }), ...(limit === undefined ? {} : { limit }) };
  if (value === undefined || limit === undefined) return { state: next, ...seen };
  if (value <= limit) {
    const { firingSince, ...calm } = next;
    return firingSince === undefined ? { state: next, ...seen } : { state: calm, ...seen, tells: 'resolved' };
  }
  const isWhole = before.lastAt !== undefined && tick.at - before.lastAt <= LONGEST_GAP * setting.everyMs;
  const beyondSince = isWhole ? (before.beyondSince ?? tick.at) : tick.at;
  const state = { ...next, beyondSince };
  if (before.firingSince !== undefined || tick.at - beyondSince < setting.forMs) return { state, ...seen };
  return { state: { ...state, firingSince: new Date(tick.at).toISOString() }, ...seen, tells: 'firing' };
}

function answersOf({ measure }: WatchSetting, before: readonly Answer[], tick: Tick): readonly Answer[] {
  if (measure.kind !== 'error-rate' && measure.kind !== 'latency') return [];
  const all = tick.kind === 'answer' ? [...before, tick] : before;
  return all.filter(({ at }) => at > tick.at - measure.windowMs);
}

/** A measurement that failed makes the figure unknown, though its window may hold enough: nothing is decided blind. */
function valueOf({ measure }: WatchSetting, answers: readonly Answer[], tick: Tick): number | undefined {
  if (tick.kind === 'unknown') return undefined;
  if (tick.kind === 'value') return tick.value;
  if (measure.kind === 'failing') return tick.isGood ? 0 : 1;
  if (measure.kind === 'error-rate') {
    if (answers.length < WATCH_LEAST_SAMPLES) return undefined;
    return answers.filter(({ isGood }) => !isGood).length / answers.length;
  }
  // What failed took no time that says anything; that it fails is for the error rate.
  const times = answers.filter(({ isGood }) => isGood).map(({ latencyMs }) => latencyMs);
  return times.length < WATCH_LEAST_SAMPLES ? undefined : percentile(times, 0.95);
}

function limitOf(above: WatchSetting['above'], usual: number | undefined): number | undefined {
  if ('value' in above) return above.value;
  if (usual === undefined) return undefined;
  if ('overBaseline' in above) return usual + above.overBaseline;
  // So many times nothing is nothing, and everything is more.
  return usual > 0 ? usual * above.timesBaseline : undefined;
}

/** The smallest value that so large a share of all does not exceed. */
function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
