import type { RunState } from '../../journal/index.ts';
import { shortId } from '../../model/index.ts';
import type { StepContext } from '../executor.ts';
import { beforeId } from './record-after.ts';

/** What `{{placeholders}}` of a hook stand for at this moment of the run. */
export function placeholderValues({
  run,
  state,
  deps,
}: Pick<StepContext, 'run' | 'state' | 'deps'>): Record<string, string> {
  const { target, options } = state.plan;
  const before = beforeId(state);
  return {
    run,
    stack: state.stack,
    from: shortId(before ?? state.plan.live),
    to: target.labels[0] ?? shortId(target.id),
    reason: options.reason ?? 'none given',
    incident: options.incident ?? 'none given',
    outcome: outcomeSoFar(state),
    duration: readable(deps.clock.now() - Date.parse(state.startedAt)),
  };
}

function outcomeSoFar(state: RunState): string {
  if (state.direction === 'back') return state.turn?.cause === 'invalid' ? 'returned' : 'failed';
  if ([...state.steps.values()].some((s) => s.status === 'failed')) return 'mixed';
  if (state.phase !== 'completed') return 'running';
  return state.plan.options.skipValidation ? 'unvalidated' : 'succeeded';
}

/** `850 ms`, `12 s`, `3 min 4 s`. */
export function readable(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
}
