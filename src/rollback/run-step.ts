import { randomUUID } from 'node:crypto';
import { isBackstayError } from '../errors/index.ts';
import type { Step } from '../model/index.ts';
import { type Command, reverseOf } from './decide.ts';
import type { RunDeps } from './deps.ts';
import type { Executor, Executors, StepContext, StepResult } from './executor.ts';
import type { Recorder } from './recorder.ts';
import type { Session } from './session.ts';
import { EXECUTORS } from './steps/index.ts';

export interface RunOptions {
  readonly run: string;
  readonly deps: RunDeps;
  /** The first signal: the run stops between steps. Its reason names the signal (`new Error('SIGTERM')`). */
  readonly signal?: AbortSignal;
  /** The second signal: the step at work breaks off. */
  readonly abort?: AbortSignal;
  /** @default the real ones */
  readonly executors?: Executors;
}

/** Intent, act, result: the journal has each before the next begins. */
export async function carryOutStep(
  command: Extract<Command, { kind: 'step' }>,
  recorder: Recorder,
  options: RunOptions,
  session: Session,
): Promise<void> {
  const { step, attempt, reverse } = command;
  const { clock } = options.deps;
  const operation = randomUUID();
  const direction = reverse ? ({ reverse: true } as const) : {};
  const title = reverse ? titleOfReverse(step) : step.title;
  const phase = recorder.state.phase;
  await recorder.append({ kind: 'step-begin', operation, step: step.id, attempt, ...direction });
  recorder.emit({ type: 'step.started', step: step.id, title, phase });
  const began = clock.monotonic();
  const result = await perform(command, recorder, options, session);
  const { outcome, message } = result;
  await recorder.append({ kind: 'step-end', operation, step: step.id, ...result, ...direction });
  recorder.emit({
    type: 'step.ended',
    step: step.id,
    outcome,
    durationMs: clock.monotonic() - began,
    ...(message === undefined ? {} : { message }),
  });
}

async function perform(
  { step, attempt, reverse }: Extract<Command, { kind: 'step' }>,
  recorder: Recorder,
  options: RunOptions,
  session: Session,
): Promise<StepResult> {
  const action = reverse ? reverseOf(step) : step.action;
  if (action === undefined) throw new TypeError(`step ${step.id} has no reverse`);
  const { deps } = options;
  const execute = (options.executors ?? EXECUTORS)[action.kind] as Executor;
  const context: StepContext = {
    run: options.run,
    state: recorder.state,
    step,
    attempt,
    deps: { ...deps, lock: session.lock },
    signal: session.signal,
    report: (event) => recorder.emit(event),
    effect: async (act) => {
      await session.assertHeld();
      session.signal.throwIfAborted();
      return await act();
    },
  };
  try {
    return await execute(action, context);
  } catch (error) {
    return failureOf(error, session);
  }
}

function failureOf(error: unknown, session: Session): StepResult {
  if (isBackstayError(error)) {
    if (error.code === 'LEASE_LOST') session.loseLease(error.message);
    // A run that another one keeps from the stack ends here: how to go on must stand in its reason.
    const message = error.code === 'STACK_UNFINISHED' ? `${error.message} ${error.next}` : error.message;
    return { outcome: 'failed', message, code: error.code };
  }
  if (session.signal.aborted) return { outcome: 'failed', message: 'broken off', code: 'CANCELLED' };
  const message = error instanceof Error ? error.message : String(error);
  return { outcome: 'failed', message: `defect: ${message}`, code: 'INTERNAL' };
}

function titleOfReverse(step: Step): string {
  return reverseOf(step)?.kind === 'return-before' ? 'Return to what was before' : `take back: ${step.title}`;
}
