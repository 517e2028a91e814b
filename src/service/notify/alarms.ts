import type { RunState } from '../../journal/index.ts';
import type { NotificationPolicy } from '../../model/index.ts';
import { deadlineOf, readable, standingOf } from '../../rollback/index.ts';
import { bounded, type Telling, valuesOfRun } from './telling.ts';

export interface Alarm {
  readonly telling: Telling;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
}

/**
 * What is told of a run because time has passed, by time: those that are due and those to come, if nothing happens before.
 * Pure: every machine finds the same, with the same ids. `now` only tells how the run stands with those who approve.
 */
export function alarmsOf(
  state: RunState,
  { escalation, stuckAfterMs }: Pick<NotificationPolicy, 'escalation' | 'stuckAfterMs'>,
  now: number,
): readonly Alarm[] {
  const clock = clockOf(state, now);
  const levels =
    clock === undefined
      ? []
      : escalation.map(({ afterMs, notify, contact }, index): Alarm => {
          const dueAt = clock.since + afterMs;
          const telling: Telling = {
            id: `${state.run}:${clock.name}+${afterMs / 1000}s:escalation`,
            notice: 'escalation',
            ...common(state, dueAt),
            to: notify,
            values: bounded({
              ...valuesOfRun(state, dueAt),
              level: String(index + 1),
              because: clock.because,
              ...(contact === undefined ? {} : { contact }),
            }),
          };
          return { telling, dueAt };
        });
  return [...levels, ...stuckOf(state, stuckAfterMs, now), ...lateOf(state, now)].toSorted((a, b) => a.dueAt - b.dueAt);
}

/** Neither over nor halted for a person. */
export function isOpen({ ended }: RunState): boolean {
  return ended === undefined || ended.outcome === 'mixed';
}

interface LevelClock {
  readonly name: 'waiting' | 'working';
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly because: string;
}

/**
 * Two clocks: while a run waits for its approval, from the moment it was asked for; then until it is done, from the moment
 * it was approved. A mixed run is not done: a person has to go on with it.
 */
function clockOf(state: RunState, now: number): LevelClock | undefined {
  if (!isOpen(state)) return undefined;
  const asked = Date.parse(state.startedAt);
  const standing = standingOf(state, now);
  if (standing.kind === 'waiting') return { name: 'waiting', since: asked, because: 'It waits for its approval.' };
  if (standing.kind === 'denied' || standing.kind === 'expired') return undefined;
  const because =
    state.ended === undefined ? `It is not done (${state.phase}).` : 'It ended mixed, and a person has to go on.';
  if (standing.kind !== 'granted' || standing.need.when === 'after') return { name: 'working', since: asked, because };
  const since = Math.max(asked, ...standing.given.map(({ at }) => Date.parse(at)));
  return { name: 'working', since, because };
}

/** By the last entry of any kind, so that each silence is told once. */
function stuckOf(state: RunState, stuckAfterMs: number, now: number): readonly Alarm[] {
  if (state.ended !== undefined) return [];
  const standing = standingOf(state, now);
  if (standing.kind === 'waiting') return [];
  const silentSince = Math.max(
    Date.parse(state.lastAt),
    standing.kind === 'expired' ? Date.parse(standing.at) : Number.NEGATIVE_INFINITY,
  );
  const dueAt = silentSince + stuckAfterMs;
  return [
    {
      dueAt,
      telling: {
        id: `${state.run}:${String(state.sequence).padStart(8, '0')}:run.stuck`,
        notice: 'run.stuck',
        ...common(state, dueAt),
        values: bounded({
          ...valuesOfRun(state, dueAt),
          because: `Nothing was journaled for ${readable(stuckAfterMs)}.`,
          next: `backstay resume ${state.run}`,
        }),
      },
    },
  ];
}

/** Once. A run that nobody approved in time is late as well, where its deadline passed before the approval ran out. */
function lateOf(state: RunState, now: number): readonly Alarm[] {
  const deadline = deadlineOf(state);
  if (deadline === undefined || !isOpen(state)) return [];
  const dueAt = Date.parse(deadline);
  const standing = standingOf(state, now);
  if (standing.kind === 'denied' || (standing.kind === 'expired' && dueAt > Date.parse(standing.at))) return [];
  const because = clockOf(state, now)?.because ?? 'It was not approved in time.';
  const next = standing.kind === 'waiting' ? { next: `backstay approve ${state.run}` } : {};
  const telling: Telling = {
    id: `${state.run}:deadline:run.late`,
    notice: 'run.late',
    ...common(state, dueAt),
    values: bounded({ ...valuesOfRun(state, dueAt), because, ...next }),
  };
  return [{ dueAt, telling }];
}

function common({ run, stack }: RunState, dueAt: number): Pick<Telling, 'subject' | 'run' | 'stack' | 'at' | 'effect'> {
  return { subject: run, run, stack, at: new Date(dueAt).toISOString(), effect: 'alarms' };
}
