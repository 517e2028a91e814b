import type { Phase } from '../model/index.ts';

/** Which way is safe when a step of the phase fails. `halt`: a person decides. */
export type SafeWay = 'back' | 'on' | 'halt';

export interface PhaseRow {
  /** What is true once the phase's steps are done. */
  readonly holds: string;
  readonly onFailure: SafeWay;
  /** The way instead, where the plan says `onInvalid: return`: back to *before*, by the steps' reverses. */
  readonly byPolicy?: 'back';
  /** Why that way, in words for the person who meets it. */
  readonly because: string;
}

/**
 * The contract of a run, phase by phase. The order is PHASES' own. A step that proves that it changed nothing may go back
 * where the table says halt: see decide.ts.
 */
export const PHASE_TABLE = {
  planned: {
    holds: 'the plan is frozen and hashed',
    onFailure: 'back',
    because: 'nothing was done yet',
  },
  locked: {
    holds: 'the lease is ours, the precondition of the runbook holds, and live is what the plan saw',
    onFailure: 'back',
    because: 'nothing was changed yet',
  },
  frozen: {
    holds: 'rollouts and ingest are paused',
    onFailure: 'back',
    because: 'a pause is taken back without loss',
  },
  safeguarded: {
    holds: 'the before snapshot is stored and the way back is proven',
    onFailure: 'back',
    because: 'nothing was changed but the pauses',
  },
  quiesced: {
    holds: 'nothing writes to the data stores',
    onFailure: 'back',
    because: 'the data is as it was',
  },
  restored: {
    holds: 'the data stores are at the target',
    onFailure: 'halt',
    because: 'data may have moved, and only a person can weigh its loss',
  },
  applied: {
    holds: 'the objects in scope equal the target',
    onFailure: 'halt',
    because: 'a part of the objects may be at the target and a part not',
  },
  resumed: {
    holds: 'ingest and rollouts go on',
    onFailure: 'on',
    because: 'the target is in place, and stopping here only keeps the stack closed for longer',
  },
  validated: {
    holds: 'the checks passed at the target',
    onFailure: 'halt',
    byPolicy: 'back',
    because: 'the target is in place and does not do what it should',
  },
  completed: {
    holds: 'the result is recorded and told',
    onFailure: 'on',
    because: 'the stack has arrived; only the telling is left',
  },
} as const satisfies Record<Phase, PhaseRow>;

/** From here on an act may leave the stack between two states. */
const FIRST_PHASE_OF_EFFECT: readonly Phase[] = ['restored', 'applied', 'resumed', 'validated', 'completed'];

export function mayLeaveMixed(phase: Phase): boolean {
  return FIRST_PHASE_OF_EFFECT.includes(phase);
}
