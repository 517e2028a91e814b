import { randomBytes } from 'node:crypto';
import type { Trigger } from '../journal/index.ts';
import type { Outcome, Plan } from '../model/index.ts';
import type { PrivateFiles } from '../ports/index.ts';
import { type Abandon, beforeId, changedStack, exitCodeOf, type RunResult, runPlan } from '../rollback/index.ts';
import { observedUntil } from './observe/index.ts';
import { afterWaiting } from './wait-for-approval.ts';
import { requireJournalOutside } from './journal-outside.ts';
import { requirePerson } from './require-person.ts';
import { type WrittenReport, writeReport } from './report.ts';
import { type RunActionDeps, runDepsOf, withLockOf } from './run-deps.ts';

export interface RollbackOptions {
  /** As it was shown and agreed to. */
  readonly plan: Plan;
  /** @default made from the time and chance */
  readonly run?: string;
  /** The unfinished run that keeps others from the stack, given up by its name. */
  readonly abandon?: Abandon;
  /** Who or what asks for it. @default 'person' */
  readonly trigger?: Trigger;
  /** The first signal: stop between steps. Its reason names the signal. */
  readonly signal?: AbortSignal;
  /** Stay until it is approved, where it has to be, and go on then. @default false */
  readonly wait?: boolean;
  /** The second signal: break off. */
  readonly abort?: AbortSignal;
}

export interface RollbackDeps extends RunActionDeps {
  readonly files: PrivateFiles;
  readonly stateDir: string;
}

export type RollbackResult =
  | { readonly kind: 'nothing-to-do'; readonly outcome: 'nothing-to-do'; readonly exitCode: 0 }
  | RunEnded;

export interface RunEnded {
  readonly kind: 'ended';
  readonly run: string;
  /** `waiting`: nothing was begun; it has to be approved first. */
  readonly outcome: Outcome | 'waiting';
  readonly exitCode: number;
  readonly reason?: string;
  readonly code?: string;
  /** The command that goes on, where a person is needed. */
  readonly next?: string;
  /** The command that takes the run back, where it changed the stack and can be undone. */
  readonly undo?: string;
  /** The command that watches what comes after it, where the stack file says what. */
  readonly observe?: string;
  readonly durationMs: number;
  /** Absent when it could not be written; the run is what it is all the same. */
  readonly report?: WrittenReport;
  readonly reportProblem?: string;
}

/**
 * Carries a plan out. A plan without changes starts no run and touches nothing.
 * @throws PLAN_REFUSED for a plan that was altered, PERSON_NEEDED, JOURNAL_INSIDE, JOURNAL_BROKEN; what a run meets is in its outcome.
 */
export async function rollback(options: RollbackOptions, wired: RollbackDeps): Promise<RollbackResult> {
  const { plan, signal, abort } = options;
  const deps = await withLockOf(plan, wired);
  // An undo may have nothing to change and still something to let go of.
  if (!actsOn(plan)) return { kind: 'nothing-to-do', outcome: 'nothing-to-do', exitCode: 0 };
  const { trigger = 'person' } = options;
  await requirePerson({ plan, trigger }, deps);
  await requireJournalOutside(plan, deps);
  const run = options.run ?? newRunId(deps.clock.now());
  const asked = { run, deps: runDepsOf(deps), ...given(signal, abort) };
  const { abandon } = options;
  const result = await runPlan({ ...asked, plan, trigger, ...(abandon === undefined ? {} : { abandon }) });
  return await endOf(options.wait === true ? await afterWaiting(result, asked) : result, deps);
}

/** Steps that act though no object differs: data goes back, pods that hang go. */
const ACTS: ReadonlySet<string> = new Set([
  'db-swap',
  'db-restore-in-place',
  'migrate',
  'db-backup',
  'resume-writers',
  'maintenance-off',
  'force-pods',
]);

/** Objects, data, or what another run holds: a plan for none of them is a plan for nothing. */
export function actsOn({ changes, undoes, steps }: Plan): boolean {
  return changes.length > 0 || undoes !== undefined || steps.some(({ action }) => ACTS.has(action.kind));
}

/** `20260101-120000-3f9a2c`: sorts by time, can be read out over the phone. */
export function newRunId(now: number): string {
  const time = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${time}-${randomBytes(3).toString('hex')}`;
}

export function given(
  signal?: AbortSignal,
  abort?: AbortSignal,
): { readonly signal?: AbortSignal; readonly abort?: AbortSignal } {
  return { ...(signal === undefined ? {} : { signal }), ...(abort === undefined ? {} : { abort }) };
}

export async function endOf(result: RunResult, deps: RollbackDeps): Promise<RunEnded> {
  const { run, outcome, reason, code, durationMs } = result;
  return {
    kind: 'ended',
    run,
    outcome,
    exitCode: exitCodeOf(result),
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    ...nextOf(result),
    ...undoOf(result),
    ...observeOf(result, deps),
    durationMs,
    ...(outcome === 'waiting' ? {} : await reportFor(result, deps)),
  };
}

function nextOf({ outcome, run }: RunResult): { readonly next?: string } {
  if (outcome === 'waiting') return { next: `backstay approve ${run}` };
  return outcome === 'mixed' ? { next: `backstay resume ${run}` } : {};
}

/** A person who meets a mixed run has two ways: on with `next`, back with this. */
function undoOf({ state, run }: RunResult): { readonly undo?: string } {
  return state.ended !== undefined && changedStack(state) && beforeId(state) !== undefined
    ? { undo: `backstay undo ${run}` }
    : {};
}

function observeOf({ state, run }: RunResult, { stack }: RollbackDeps): { readonly observe?: string } {
  const { observe: policy } = stack;
  return policy !== undefined && observedUntil(state, policy) !== undefined
    ? { observe: `backstay observe ${run}` }
    : {};
}

async function reportFor(result: RunResult, deps: RollbackDeps): Promise<Pick<RunEnded, 'report' | 'reportProblem'>> {
  try {
    return { report: await writeReport(result.run, deps) };
  } catch (error) {
    return { reportProblem: error instanceof Error ? error.message : String(error) };
  }
}
