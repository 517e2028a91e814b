import type { Outcome, Phase } from '../model/index.ts';

/** Which way is safe when a step of the phase fails. `halt`: a person decides. */
export type SafeWay = 'back' | 'on' | 'halt';

/** `next`: the next phase that the plan has steps in. `wait`: the process ends, and the run waits for a person's approval. */
export type Exit = 'next' | 'back' | 'halt' | 'wait' | Outcome;

export interface PhaseRow {
  /** What is true once the phase's steps are done. */
  readonly holds: string;
  readonly onFailure: SafeWay;
  /** The way instead, where the plan says `onInvalid: return`: back to *before*, by the steps' reverses. */
  readonly byPolicy?: 'back';
  /** Why that way, in words for the person who meets it. */
  readonly because: string;
  /** Every way out, and when it is taken. A test asks `decide` for them. */
  readonly leaves: Readonly<Partial<Record<Exit, string>>>;
}

const STOPPED_OR_FAILED = 'a step failed, or somebody stopped the run';
const LOST = 'the lease went to somebody else';
const MAYBE_CHANGED =
  'a step failed, or somebody stopped the run, and something may have been changed; or the lease was lost';
const SURELY_UNCHANGED =
  'a step failed, or somebody stopped the run, and nothing was changed that a reverse does not take back';

/**
 * The contract of a run, phase by phase. The order is PHASES' own. A step that proves that it changed nothing may go back
 * where the table says halt: see decide.ts.
 */
export const PHASE_TABLE = {
  planned: {
    holds: 'the plan is frozen and hashed',
    onFailure: 'back',
    because: 'nothing was done yet',
    leaves: {
      next: 'nobody has to agree, or enough people did',
      wait: 'the policy of its severity asks for an approval',
      failed: 'it was denied, or not approved in time',
      back: 'somebody stopped the run',
    },
  },
  locked: {
    holds: 'the lease is ours, the precondition of the runbook holds, and live is what the plan saw',
    onFailure: 'back',
    because: 'nothing was changed yet',
    leaves: { next: 'live is what the plan saw', back: STOPPED_OR_FAILED, halt: LOST },
  },
  frozen: {
    holds: 'rollouts and ingest are paused',
    onFailure: 'back',
    because: 'a pause is taken back without loss',
    leaves: { next: 'all are paused', back: STOPPED_OR_FAILED, halt: LOST },
  },
  safeguarded: {
    holds: 'the before snapshot is stored and the way back is proven',
    onFailure: 'back',
    because: 'nothing was changed but the pauses',
    leaves: { next: 'the way back is proven', back: STOPPED_OR_FAILED, halt: LOST },
  },
  quiesced: {
    holds: 'nothing writes to the data stores',
    onFailure: 'back',
    because: 'the data is as it was',
    leaves: { next: 'all are silent', back: STOPPED_OR_FAILED, halt: LOST },
  },
  restored: {
    holds: 'the data stores are at the target',
    onFailure: 'halt',
    because: 'data may have moved, and only a person can weigh its loss',
    leaves: { next: 'the data is at the target', back: SURELY_UNCHANGED, halt: MAYBE_CHANGED },
  },
  applied: {
    holds: 'the objects in scope equal the target',
    onFailure: 'halt',
    because: 'a part of the objects may be at the target and a part not',
    leaves: { next: 'every object equals the target', back: SURELY_UNCHANGED, halt: MAYBE_CHANGED },
  },
  resumed: {
    holds: 'ingest and rollouts go on',
    onFailure: 'on',
    because: 'the target is in place, and stopping here only keeps the stack closed for longer',
    leaves: {
      next: 'all go on; or a step failed, which is told at the end',
      back: 'somebody stopped the run, and nothing was changed that a reverse does not take back',
      halt: 'somebody stopped the run, and something may have been changed; or the lease was lost',
    },
  },
  validated: {
    holds: 'the checks passed at the target',
    onFailure: 'halt',
    byPolicy: 'back',
    because: 'the target is in place and does not do what it should',
    leaves: {
      next: 'the checks passed, or warned only',
      back: 'a check failed and the plan says return; or nothing was changed that a reverse does not take back',
      halt: MAYBE_CHANGED,
    },
  },
  completed: {
    holds: 'the result is recorded and told',
    onFailure: 'on',
    because: 'the stack has arrived; only the telling is left',
    leaves: {
      succeeded: 'all is recorded and told',
      unvalidated: 'all is recorded and told, and no check was asked',
      mixed: 'a step of this phase or of resumed failed',
      back: 'somebody stopped the run, and nothing was changed that a reverse does not take back',
      halt: 'somebody stopped the run, and something may have been changed; or the lease was lost',
    },
  },
} as const satisfies Record<Phase, PhaseRow>;

/** From here on an act may leave the stack between two states. */
const FIRST_PHASE_OF_EFFECT: readonly Phase[] = ['restored', 'applied', 'resumed', 'validated', 'completed'];

export function mayLeaveMixed(phase: Phase): boolean {
  return FIRST_PHASE_OF_EFFECT.includes(phase);
}
