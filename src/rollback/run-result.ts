import type { RunState } from '../journal/index.ts';
import type { Outcome } from '../model/index.ts';
import type { Command } from './decide.ts';

export interface RunResult {
  readonly run: string;
  /** `waiting`: nothing was begun, and nothing will be before it is approved. */
  readonly outcome: Outcome | 'waiting';
  readonly reason?: string;
  /** Code of the error that decided the outcome. */
  readonly code?: string;
  /** The signal that stopped the run. */
  readonly signal?: string;
  readonly state: RunState;
  /** Milliseconds from its creation to its end, times between resumes included. */
  readonly durationMs: number;
}

/** Of a run that is over. */
export function resultOf(state: RunState): RunResult {
  const { ended } = state;
  if (ended === undefined) throw new TypeError(`run ${state.run} has not ended`);
  return {
    run: state.run,
    outcome: ended.outcome,
    ...(ended.reason === undefined ? {} : { reason: ended.reason }),
    ...(ended.code === undefined ? {} : { code: ended.code }),
    ...(state.turn?.signal === undefined ? {} : { signal: state.turn.signal }),
    state,
    durationMs: between(state.startedAt, ended.at),
  };
}

/** Of a run that may not begin yet. */
export function waitingResult(state: RunState, { reason }: Extract<Command, { kind: 'wait' }>): RunResult {
  return {
    run: state.run,
    outcome: 'waiting',
    reason,
    code: 'APPROVAL_NEEDED',
    state,
    durationMs: between(state.startedAt, state.lastAt),
  };
}

/** Milliseconds. */
export function between(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from);
}
