import type { Json, RunEventBody, Step, StepAction } from '../model/index.ts';
import type { RunState } from '../journal/index.ts';
import type { RunDeps } from './deps.ts';

/** What an executor may use. Effects go through `effect`, which asks for the lease first (rule 4). */
export interface StepContext {
  readonly run: string;
  readonly state: RunState;
  readonly step: Step;
  readonly attempt: number;
  readonly deps: RunDeps;
  /** Aborted when the step should break off: a second signal, or the lease is lost. */
  readonly signal: AbortSignal;
  readonly report: (event: RunEventBody) => void;
  /** Throws LEASE_LOST instead of acting when the stack is no longer ours. */
  readonly effect: <T>(act: () => Promise<T>) => Promise<T>;
}

/** How a step ended. Expected ends are data; anything thrown fails the step, with what it touched unknown. */
export interface StepResult {
  readonly outcome: 'done' | 'skipped' | 'failed' | 'warned';
  readonly message?: string;
  readonly code?: string;
  /** False: proven to have changed nothing. @default true */
  readonly touched?: boolean;
  /** Journaled, so never a secret in it. */
  readonly result?: Json;
}

/** Observe, act only if needed, verify: running it twice has one effect. */
export type Executor<A extends StepAction = StepAction> = (action: A, context: StepContext) => Promise<StepResult>;

export type Executors = { readonly [K in StepAction['kind']]: Executor<Extract<StepAction, { kind: K }>> };
