import type { Direction, RunState, TurnCause } from '../journal/index.ts';
import type { LockHolder } from '../ports/index.ts';
import { stateOfRun } from './after-end.ts';
import { hasBegun } from './approval.ts';
import { assertIntact, isUntouched, type NewRun, recordNew } from './create.ts';
import { type Command, decide, type Outside } from './decide.ts';
import type { RunDeps } from './deps.ts';
import { startProber } from './prober.ts';
import { Recorder } from './recorder.ts';
import { between, resultOf, type RunResult, waitingResult } from './run-result.ts';
import { carryOutStep, type RunOptions } from './run-step.ts';
import { Session } from './session.ts';
import { signalName } from './signal-name.ts';
import { isOver, passedOverBy } from './unfinished.ts';

/** What reading and ending a run takes, without carrying it. */
export interface JournalOptions {
  readonly run: string;
  readonly deps: Pick<RunDeps, 'journal' | 'journalName' | 'clock' | 'reporter'>;
}

/**
 * Carries a plan out, journaling intent before each act and its result before the next. Never throws for what a run may
 * meet: that is an outcome. @throws PLAN_REFUSED for a plan that was altered, JOURNAL_BROKEN when nothing can be journaled.
 */
export async function runPlan(options: RunOptions & NewRun): Promise<RunResult> {
  const recorder = recorderFor(options, options.plan.stack);
  await recordNew(recorder, options, options.deps.by);
  return await drive(recorder, options, new Session(options));
}

/**
 * Goes on with a run that was cut off or halted, from its first step without an end.
 * @throws RUN_UNKNOWN, JOURNAL_BROKEN, LEASE_HELD and STACK_UNFINISHED (before anything is journaled), LEASE_LOST when another
 * process goes on with the run.
 */
export async function resumeRun(options: RunOptions): Promise<RunResult> {
  const { deps } = options;
  const known = await stateOfRun(options.run, options.deps);
  if (isOver(known)) return resultOf(known);
  assertIntact(known.plan);
  const first = decide(known, { now: deps.clock.now() });
  if (first.kind === 'wait') return waitingResult(known, first);
  if (first.kind === 'end' && !hasBegun(known)) return await endUnapproved(options);
  const session = new Session({
    ...options,
    phase: known.phase,
    ...(known.abandons === undefined ? {} : { abandon: known.abandons }),
  });
  const { takeover } = await session.acquire(known.stack);
  let isLeft = true;
  try {
    // Read again under the lease: whoever held it until now may have written more.
    const state = await stateOfRun(options.run, options.deps);
    const recorder = recorderFor(options, state.stack, state);
    const successor = passedOverBy(state, takeover?.from);
    if (successor !== undefined && !isOver(state)) await giveUp(recorder, successor);
    if (isOver(recorder.state)) {
      isLeft = false;
      return resultOf(recorder.state);
    }
    const isFirst = isUntouched(state);
    // Who takes up a run that nobody had to wait for does not resume anything.
    if (!isFirst || state.approvals.length > 0) await recorder.append({ kind: 'resumed', by: deps.by });
    if (!hasBegun(state)) tellDecisions(recorder);
    const message = `${isFirst ? 'started' : 'resumed'} by ${deps.by.user} on ${deps.by.host}`;
    recorder.emit({ type: 'run.message', level: 'info', message });
    return await drive(recorder, options, session);
  } finally {
    await session.release(isLeft);
  }
}

/** The stack went to another run, where this one was given up: what it left is not there any more. */
async function giveUp(recorder: Recorder, { run, user, host }: LockHolder): Promise<void> {
  const reason = `the stack was taken over by run ${run}`;
  await recorder.append({ kind: 'abandoned', by: { user, host }, reason, inFavourOf: run });
}

/**
 * Ends a run that was denied, or not approved in time, before it began. It holds no lease, so that another process may do the
 * same at the same moment: whose entry is not the next one reads again.
 */
export async function endUnapproved(options: JournalOptions): Promise<RunResult> {
  for (;;) {
    const state = await stateOfRun(options.run, options.deps);
    const command = decide(state, { now: options.deps.clock.now() });
    if (command.kind === 'ended') return resultOf(state);
    if (command.kind === 'wait') return waitingResult(state, command);
    if (command.kind !== 'end') throw new TypeError(`run ${state.run} may begin`);
    const recorder = recorderFor(options, state.stack, state);
    try {
      tellDecisions(recorder);
      await end(command, recorder);
      await recorder.settled();
      return resultOf(recorder.state);
    } catch (error) {
      if ((await stateOfRun(options.run, options.deps)).sequence === state.sequence) throw error;
    }
  }
}

/** Told by whoever goes on with the run, so that those who decide write one entry each and never race with it. */
function tellDecisions(recorder: Recorder): void {
  for (const { decision, by, role, reason } of recorder.state.approvals) {
    const why = reason === undefined ? {} : { reason };
    recorder.emit({ type: 'approval.given', decision, user: by.user, role, ...why });
  }
}

async function drive(recorder: Recorder, options: RunOptions, session: Session): Promise<RunResult> {
  const first = decide(recorder.state, outside(options, session));
  if (first.kind === 'wait') {
    await recorder.settled();
    return waitingResult(recorder.state, first);
  }
  const prober = startProber(options.deps, (event) => recorder.emit(event));
  try {
    await session.journalTo(recorder);
    for (;;) {
      const command = decide(recorder.state, outside(options, session));
      if (command.kind === 'ended' || command.kind === 'wait') break;
      // Its last word stands before the run's.
      if (command.kind === 'end') prober.stop();
      await carryOut(command, recorder, options, session);
    }
    await recorder.settled();
    return resultOf(recorder.state);
  } catch (error) {
    throw await session.explain(error);
  } finally {
    prober.stop();
    await session.release(!isOver(recorder.state));
  }
}

async function carryOut(command: Command, recorder: Recorder, options: RunOptions, session: Session): Promise<void> {
  switch (command.kind) {
    case 'enter':
      leavePhase(recorder);
      await recorder.append({ kind: 'phase-entered', phase: command.phase });
      session.enter(command.phase);
      recorder.emit({ type: 'phase.entered', phase: command.phase });
      return;
    case 'step':
      await carryOutStep(command, recorder, options, session);
      return;
    case 'turn': {
      const { kind: _kind, ...turn } = command;
      await recorder.append({ kind: 'direction', ...turn });
      const message = `${turnWords(turn.direction, turn.cause)}: ${turn.reason}`;
      recorder.emit({ type: 'run.message', level: 'warn', message });
      return;
    }
    case 'end': {
      await end(command, recorder);
      return;
    }
    case 'wait':
    case 'ended':
  }
}

function turnWords(direction: Direction, cause: TurnCause | undefined): string {
  if (direction === 'halt') return 'halted';
  return cause === 'invalid' ? 'returning to before' : 'going back';
}

async function end(command: Extract<Command, { kind: 'end' }>, recorder: Recorder): Promise<void> {
  leavePhase(recorder);
  const { kind: _kind, ...said } = command;
  await recorder.append({ kind: 'run-ended', ...said });
  const durationMs = between(recorder.state.startedAt, recorder.state.lastAt);
  const reason = said.reason === undefined ? {} : { reason: said.reason };
  recorder.emit({ type: 'run.ended', outcome: said.outcome, durationMs, ...reason });
}

function leavePhase(recorder: Recorder): void {
  const visit = recorder.state.phases.at(-1);
  // Entering `planned` is not told: a run starts in it and does nothing there.
  if (visit === undefined || visit.phase === 'planned') return;
  const durationMs = between(visit.enteredAt, recorder.state.lastAt);
  recorder.emit({ type: 'phase.left', phase: visit.phase, durationMs });
}

function outside({ signal, deps }: RunOptions, session: Session): Outside {
  return {
    now: deps.clock.now(),
    ...(signal?.aborted === true ? { stop: signalName(signal.reason) } : {}),
    ...(session.leaseLost === undefined ? {} : { leaseLost: session.leaseLost }),
  };
}

function recorderFor({ deps, run }: JournalOptions, stack: string, state?: RunState): Recorder {
  const { journal, clock, reporter } = deps;
  return new Recorder({ journal, clock, reporter, run, stack, ...(state === undefined ? {} : { state }) });
}
