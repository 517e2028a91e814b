import type { Direction, RunState, StepState, TurnCause } from '../journal/index.ts';
import type { Outcome, Phase, Step } from '../model/index.ts';
import { hasBegun, needInWords, standingOf } from './approval.ts';
import { mayLeaveMixed, PHASE_TABLE, type PhaseRow } from './phases.ts';

/** What a run does next. Each is journaled before it takes effect. */
export type Command =
  | { readonly kind: 'enter'; readonly phase: Phase }
  | { readonly kind: 'step'; readonly step: Step; readonly attempt: number; readonly reverse: boolean }
  | {
      readonly kind: 'turn';
      readonly direction: Exclude<Direction, 'forward'>;
      readonly reason: string;
      readonly cause: TurnCause;
      readonly code?: string;
      readonly signal?: string;
    }
  /** Nothing may begin before somebody agreed. The process ends; the wait is in the journal. `until` is ISO 8601. */
  | { readonly kind: 'wait'; readonly until: string; readonly reason: string }
  | { readonly kind: 'end'; readonly outcome: Outcome; readonly reason?: string; readonly code?: string }
  | { readonly kind: 'ended' };

/** What reached the run from outside since the last command. */
export interface Outside {
  /** The signal that asked it to stop, such as `SIGINT`. */
  readonly stop?: string;
  /** The lease went to somebody else: no effect may follow, not even a reverse. */
  readonly leaseLost?: string;
  /** Milliseconds since the epoch: what approvals run out by. @default the time of the last entry */
  readonly now?: number;
}

/**
 * The machine: the same state and the same outside always give the same command. A stop is obeyed between steps; once
 * the run goes back it goes all the way, because a half taken back pause is worse than a short wait.
 */
export function decide(state: RunState, outside: Outside = {}): Command {
  if (state.ended !== undefined) return { kind: 'ended' };
  if (outside.leaseLost !== undefined && state.turn?.cause !== 'lease-lost') {
    return { kind: 'turn', direction: 'halt', reason: outside.leaseLost, cause: 'lease-lost', code: 'LEASE_LOST' };
  }
  switch (state.direction) {
    case 'forward':
      return forward(state, outside);
    case 'back':
      return back(state);
    case 'halt':
      return halted(state);
  }
}

function forward(state: RunState, outside: Outside): Command {
  const failed = [...state.steps.values()].find((s) => s.status === 'failed' && wayOf(state, s) !== 'on');
  if (failed !== undefined) return turnFor(state, failed);
  const next = [...state.steps.values()].find((s) => s.status === 'pending' || s.status === 'begun');
  if (next === undefined) return arrive(state);
  const held = hasBegun(state) ? undefined : untilApproved(state, outside);
  if (held !== undefined) return held;
  if (outside.stop !== undefined) return stopFor(state, outside.stop);
  if (next.step.phase !== state.phase) return { kind: 'enter', phase: next.step.phase };
  return { kind: 'step', step: next.step, attempt: next.attempts + 1, reverse: false };
}

/** What keeps a run from beginning, by the policy of its severity; undefined: nothing does. */
function untilApproved(state: RunState, { now = Date.parse(state.lastAt) }: Outside): Command | undefined {
  const standing = standingOf(state, now);
  switch (standing.kind) {
    case 'waiting':
      return {
        kind: 'wait',
        until: standing.until,
        reason: `waits for ${needInWords(standing.need, standing.given.length)}`,
      };
    case 'denied': {
      const { by, role, reason } = standing.by;
      return {
        kind: 'end',
        outcome: 'failed',
        code: 'APPROVAL_DENIED',
        reason: `denied by ${by.user} as ${role}${reason === undefined ? '' : `: ${reason}`}`,
      };
    }
    case 'expired':
      return {
        kind: 'end',
        outcome: 'failed',
        code: 'APPROVAL_EXPIRED',
        reason: `was not approved and begun by ${standing.at}`,
      };
    default:
      return undefined;
  }
}

function turnFor(state: RunState, failed: StepState): Command {
  const returns = isReturn(state, failed);
  const direction = returns || wayOf(state, failed) === 'back' ? 'back' : 'halt';
  const said = failed.message ?? 'no reason was given';
  return {
    kind: 'turn',
    direction,
    reason: `${failed.step.title}: ${said}`,
    cause: returns ? 'invalid' : 'failed',
    ...(failed.code === undefined ? {} : { code: failed.code }),
  };
}

function stopFor(state: RunState, signal: string): Command {
  const direction = isPastReturn(state) ? 'halt' : 'back';
  return { kind: 'turn', direction, reason: `stopped by ${signal}`, cause: 'cancelled', code: 'CANCELLED', signal };
}

/** The table's way, except that a step which changed nothing lets the run go back as long as no other changed anything. */
function wayOf(state: RunState, failed: StepState): 'back' | 'on' | 'halt' {
  const way = PHASE_TABLE[failed.step.phase].onFailure;
  return way === 'halt' && !isPastReturn(state) ? 'back' : way;
}

/**
 * Whether the failure of a validation sends the run back to *before*, though objects were changed. A step that a person
 * broke off found nothing out about the target: that halts as ever.
 */
function isReturn(state: RunState, failed: StepState): boolean {
  const row: PhaseRow = PHASE_TABLE[failed.step.phase];
  if (state.plan.onInvalid !== 'return' || row.byPolicy !== 'back' || failed.code === 'CANCELLED') return false;
  return [...state.steps.values()].some((s) => needsReverse(s) && isReturnStep(s));
}

/** Whether something may have been changed that no reverse of a step takes back, unless the run returns to *before*. */
export function hasChangedObjects(state: RunState): boolean {
  return [...state.steps.values()].some((s) => mayLeaveMixed(s.step.phase) && mayHaveActed(s));
}

/** Their own reverse takes all of it back: databases, and what was stopped or closed for their sake. */
const TAKEN_BACK: ReadonlySet<string> = new Set([
  'db-swap',
  'db-restore-in-place',
  'migrate',
  'resume-writers',
  'maintenance-off',
]);

/** As `hasChangedObjects`, but for what a reverse takes back wholly. */
function isPastReturn(state: RunState): boolean {
  const steps = new Map([...state.steps].filter(([, { step }]) => !TAKEN_BACK.has(step.action.kind)));
  return hasChangedObjects({ ...state, steps });
}

function arrive(state: RunState): Command {
  if (state.phase !== 'completed') return { kind: 'enter', phase: 'completed' };
  const failed = [...state.steps.values()].filter((s) => s.status === 'failed');
  if (failed.length > 0) {
    const names = failed.map((s) => `${s.step.title} (${s.message ?? 'failed'})`).join('; ');
    return {
      kind: 'end',
      outcome: 'mixed',
      reason: `the target is in place, but not done: ${names}`,
      ...codeOf(failed),
    };
  }
  return { kind: 'end', outcome: state.plan.options.skipValidation ? 'unvalidated' : 'succeeded' };
}

function back(state: RunState): Command {
  // Half returned, the stack stays closed for whoever looks at it; a resume goes on with the return, then with the rest.
  const halfReturned = [...state.reverses.values()].some((s) => s.status === 'failed' && isReturnStep(s));
  const next = halfReturned
    ? undefined
    : [...state.steps.values()].reverse().find((s) => needsReverse(s) && isOpen(state.reverses.get(s.step.id)));
  if (next !== undefined) {
    const attempt = (state.reverses.get(next.step.id)?.attempts ?? 0) + 1;
    return { kind: 'step', step: next.step, attempt, reverse: true };
  }
  const stuck = [...state.reverses.values()].filter((s) => s.status === 'failed');
  const reason = state.turn?.reason ?? 'went back';
  if (stuck.length > 0) {
    const names = stuck.map((s) => `${s.step.title} (${s.message ?? 'failed'})`).join('; ');
    return { kind: 'end', outcome: 'mixed', reason: `${reason}; could not be taken back: ${names}`, ...codeOf(stuck) };
  }
  return {
    kind: 'end',
    outcome: outcomeOfBack(state.turn?.cause),
    reason,
    ...(state.turn?.code === undefined ? {} : { code: state.turn.code }),
  };
}

function outcomeOfBack(cause: TurnCause | undefined): Outcome {
  if (cause === 'invalid') return 'returned';
  return cause === 'cancelled' ? 'cancelled' : 'failed';
}

/** Halted with nothing to take back and nothing changed is a plain failure; anything else is for a person. */
function halted(state: RunState): Command {
  const clean = !hasChangedObjects(state) && ![...state.steps.values()].some(needsReverse);
  const reason = state.turn?.reason ?? 'halted';
  return {
    kind: 'end',
    outcome: clean ? 'failed' : 'mixed',
    reason,
    ...(state.turn?.code === undefined ? {} : { code: state.turn.code }),
  };
}

/** The action that takes a step back, where there is one. */
export function reverseOf(step: Step): Step['reverse'] {
  if (step.reverse !== undefined) return step.reverse;
  if (step.action.kind === 'pause-rollouts') return { kind: 'resume-rollouts', workloads: step.action.workloads };
  if (step.action.kind === 'hook' && step.action.hook.reverse !== undefined) {
    const { reverse, ...hook } = step.action.hook;
    return { kind: 'hook', hook: { ...hook, name: `${hook.name} (back)`, action: reverse } };
  }
  return undefined;
}

/** A step that failed or was cut off may have had its effect all the same, so it is taken back too. */
function needsReverse(s: StepState): boolean {
  return mayHaveActed(s) && reverseOf(s.step) !== undefined;
}

/** A skip says that nothing was left to do, which an attempt that was cut off may have seen to. */
function mayHaveActed({ attempts, status, touched }: StepState): boolean {
  return attempts > 0 && touched !== false && (status !== 'skipped' || touched === true);
}

function isReturnStep({ step }: StepState): boolean {
  const kind = reverseOf(step)?.kind;
  return kind === 'return-before' || kind === 'db-unswap' || kind === 'migrate-back';
}

function isOpen(reverse: StepState | undefined): boolean {
  return reverse === undefined || reverse.status === 'pending' || reverse.status === 'begun';
}

function codeOf(steps: readonly StepState[]): { readonly code?: string } {
  const code = steps.find((s) => s.code !== undefined)?.code;
  return code === undefined ? {} : { code };
}
