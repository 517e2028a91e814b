import type { RunState } from '../../journal/index.ts';
import { standingOf } from '../../rollback/index.ts';

/** `waiting`: for an approval. `unfinished`: a run stopped part of the way, and nobody goes on with it. */
export type StackState = 'idle' | 'running' | 'waiting' | 'unfinished';

export interface Carried {
  /** A service has it to carry, and is not stuck with it. */
  readonly claimed: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds without a sign of life after which a run that a command carries is taken for dead: its lease's time. */
  readonly leaseMs: number;
}

/** Of the stack's newest run: no other is begun while one is unfinished. Pure. */
export function stateOf(state: RunState | undefined, { claimed, now, leaseMs }: Carried): StackState {
  if (state === undefined) return 'idle';
  const { ended } = state;
  if (ended !== undefined && ended.outcome !== 'mixed') return 'idle';
  if (ended === undefined && standingOf(state, now).kind === 'waiting') return 'waiting';
  if (claimed) return 'running';
  const isAtWork = ended === undefined && now - Date.parse(state.lastAt) < leaseMs;
  return isAtWork ? 'running' : 'unfinished';
}
