import { downtimeInShort } from '../actions/report/words.ts';
import type { Approval, Person, RunState, Trigger } from '../journal/index.ts';
import type { Outcome, Phase, Plan } from '../model/index.ts';
import {
  type ApprovalStanding,
  beforeId,
  changedStack,
  exitCodeOf,
  hasBegun,
  reportOf,
  type ReportedStep,
  type RunReport,
  standingOf,
} from '../rollback/index.ts';
import type { Cancel, Claim, Problem } from './dispatch/claim.ts';

/** A run as people look at it: what its journal says, and which service carries it. */
export interface RunView {
  readonly run: string;
  readonly stack: string;
  /** `unfinished`: cut off, or at work where no service sees it. */
  readonly state: 'waiting' | 'queued' | 'running' | 'unfinished' | 'ended';
  readonly phase: Phase;
  readonly direction: RunState['direction'];
  readonly outcome?: Outcome;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly code?: string;
  readonly steps: readonly StepView[];
  readonly plan: Plan;
  readonly approval?: ApprovalView;
  readonly checks: RunReport['checks'];
  readonly probes: RunState['probes'];
  /** What came after it. Absent: nobody watched. */
  readonly observation?: RunState['observation'];
  readonly by: Person;
  readonly trigger: Trigger;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt?: string;
  /** `0.0 s measured`; absent where no probe measured. */
  readonly downtime?: string;
  /** The command that goes on, where a person is needed. */
  readonly next?: string;
  /** The command that takes it back, where there is something to take back. */
  readonly undo?: string;
  readonly undoes?: string;
  readonly undone?: RunState['undone'];
  readonly finalized?: RunState['finalized'];
  readonly resumes: RunState['resumed'];
  readonly notes: RunState['notes'];
  /** Absent: no service carries it. */
  readonly carried?: CarriedView;
  /** Somebody asked it to stop. */
  readonly cancel?: Cancel;
  /** Of the last entry of its journal. */
  readonly sequence: number;
}

export interface StepView extends Pick<ReportedStep, 'id' | 'phase' | 'title' | 'status' | 'message' | 'reverse'> {
  readonly takenBack: boolean;
  readonly attempts: number;
  /** ISO 8601, of the last attempt. */
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly durationMs?: number;
  readonly expectedMs?: number;
}

export interface ApprovalView {
  readonly standing: ApprovalStanding['kind'];
  readonly severity: string;
  readonly roles: readonly string[];
  readonly count: number;
  readonly given: readonly Approval[];
  /** ISO 8601: when it runs out, or is overdue. */
  readonly until: string;
}

export interface CarriedView {
  /** The machine whose service has it. */
  readonly host?: string;
  readonly by: string;
  /** Why the last process ended without the run's end. */
  readonly problem?: Omit<Problem, 'isFinal'>;
  /** ISO 8601: when it is tried again. */
  readonly notBefore?: string;
  /** Nothing goes on before a person says so. */
  readonly stuck?: true;
}

/** How long ago a run that no service carries may have written its last entry to count as at work. Milliseconds. */
const AT_WORK_MS = 60_000;

/** Pure. `now` is in milliseconds since the epoch. */
export function runView(
  state: RunState,
  { claim, cancel, now }: { readonly claim?: Claim; readonly cancel?: Cancel; readonly now: number },
): RunView {
  const report = reportOf(state);
  const { ended, plan, undoes, undone, finalized } = state;
  const downtime = downtimeInShort(report);
  return {
    run: state.run,
    stack: state.stack,
    state: whereItIs(state, claim, now),
    phase: state.phase,
    direction: state.direction,
    ...(ended === undefined ? {} : endOf(state, ended)),
    steps: report.steps.map(stepView),
    plan,
    ...approvalView(state, now),
    checks: report.checks,
    probes: state.probes,
    ...(state.observation === undefined ? {} : { observation: state.observation }),
    by: state.by,
    trigger: state.trigger,
    startedAt: state.startedAt,
    ...(downtime === undefined ? {} : { downtime }),
    ...nextOf(state, now),
    ...(undoes === undefined ? {} : { undoes }),
    ...(undone === undefined ? {} : { undone }),
    ...(finalized === undefined ? {} : { finalized }),
    resumes: state.resumed,
    notes: state.notes,
    ...(claim === undefined ? {} : { carried: carriedView(claim) }),
    ...(cancel === undefined ? {} : { cancel }),
    sequence: state.sequence,
  };
}

function whereItIs(state: RunState, claim: Claim | undefined, now: number): RunView['state'] {
  if (state.ended !== undefined) return 'ended';
  if (!hasBegun(state)) {
    if (standingOf(state, now).kind === 'waiting') return 'waiting';
    if (claim !== undefined && claim.process === undefined) return 'queued';
  }
  if (claim !== undefined) return claim.stuck === true ? 'unfinished' : 'running';
  return now - Date.parse(state.workedAt) < AT_WORK_MS ? 'running' : 'unfinished';
}

function endOf(state: RunState, { outcome, reason, code, at }: NonNullable<RunState['ended']>): Partial<RunView> {
  const signal = state.turn?.signal === undefined ? {} : { signal: state.turn.signal };
  return {
    outcome,
    exitCode: exitCodeOf({ outcome, ...(code === undefined ? {} : { code }), ...signal }),
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    endedAt: at,
  };
}

function stepView({ beganAt, ...step }: ReportedStep): StepView {
  return { ...step, ...(beganAt === undefined ? {} : { startedAt: beganAt }) };
}

function approvalView(state: RunState, now: number): { readonly approval?: ApprovalView } {
  const need = state.plan.approval;
  if (need === undefined) return {};
  const { severity, roles, count, expiresMs } = need;
  const until = new Date(Date.parse(state.startedAt) + expiresMs).toISOString();
  const standing = standingOf(state, now).kind;
  return { approval: { standing, severity, roles, count, given: state.approvals, until } };
}

function nextOf(state: RunState, now: number): Pick<RunView, 'next' | 'undo'> {
  const { run, ended, undone, finalized } = state;
  if (ended === undefined)
    return !hasBegun(state) && standingOf(state, now).kind === 'waiting' ? { next: `backstay approve ${run}` } : {};
  const isOpen =
    undone === undefined && finalized === undefined && changedStack(state) && beforeId(state) !== undefined;
  return {
    ...(ended.outcome === 'mixed' ? { next: `backstay resume ${run}` } : {}),
    ...(isOpen ? { undo: `backstay undo ${run}` } : {}),
  };
}

function carriedView({ by, owner, problem, notBefore, stuck }: Claim): CarriedView {
  return {
    by,
    ...(owner === undefined ? {} : { host: owner.host }),
    ...(problem === undefined ? {} : { problem: withoutFinal(problem) }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(stuck === undefined ? {} : { stuck }),
  };
}

function withoutFinal({ isFinal: _isFinal, ...problem }: Problem): Omit<Problem, 'isFinal'> {
  return problem;
}
