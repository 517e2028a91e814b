import { BackstayError, isBackstayError } from '../errors/index.ts';
import { type Approval, fold, type Person, type RunState } from '../journal/index.ts';
import type { ApprovalNeed, Digest, Plan, Stack } from '../model/index.ts';
import type { Clock, JournalStore, Reporter } from '../ports/index.ts';
import {
  addFact,
  type ApprovalStanding,
  type Decider,
  endUnapproved,
  mayDecide,
  needInWords,
  personNamed,
  Recorder,
  standingOf,
  stateOfRun,
} from '../rollback/index.ts';

export interface ApproveDeps {
  readonly stack: Pick<Stack, 'name' | 'approvals'>;
  readonly by: Person;
  /** Roles of the policy that somebody has by their access, beside those that the stack file gives them. @default none */
  readonly roles?: readonly string[];
  /** As `Decider` has it. @default none */
  readonly alsoKnownAs?: readonly string[];
  readonly journal: JournalStore;
  readonly journalName: string;
  readonly clock: Clock;
  readonly reporter: Reporter;
}

export interface ApproveOptions {
  readonly run: string;
  readonly decision: 'approved' | 'denied';
  readonly reason?: string;
  /** What the person saw: the plan's hash, or at least 12 hex digits of it. Another plan is refused. */
  readonly plan?: string;
  /** The run's last entry as the person saw it. Anything that was written since makes them look again. */
  readonly sequence?: number;
}

export interface Review {
  readonly plan: Plan;
  /** The role in which this person decides. */
  readonly role: string;
  readonly need: ApprovalNeed;
  readonly requestedBy: Person;
  readonly requestedAt: string;
}

export interface Decided {
  readonly run: string;
  readonly decision: 'approved' | 'denied';
  readonly role: string;
  readonly by: Person;
  readonly plan: Digest;
  readonly standing: ApprovalStanding['kind'];
  /** How many more people have to agree. */
  readonly missing: number;
  /** The command that goes on. */
  readonly next?: string;
}

/**
 * What there is to decide, for whoever is asked; changes nothing.
 * @throws RUN_UNKNOWN, APPROVAL_REFUSED, APPROVAL_EXPIRED, JOURNAL_BROKEN
 */
export async function reviewApproval(
  { run, plan }: Pick<ApproveOptions, 'run' | 'plan'>,
  deps: ApproveDeps,
): Promise<Review> {
  const state = await stateOfRun(run, deps);
  const { role, need } = requireMay(state, plan, deps);
  return { plan: state.plan, role, need, requestedBy: state.by, requestedAt: state.startedAt };
}

/**
 * Writes the decision into the run's journal, bound to the plan's hash. A denied run is over. Two people at the same moment:
 * the second one's entry is not the next one, and is decided anew. Throws as `reviewApproval` does.
 */
export async function approve(options: ApproveOptions, deps: ApproveDeps): Promise<Decided> {
  const { run, decision, reason } = options;
  const said = reason === undefined ? {} : { reason };
  let role = '';
  const state = await addFact(
    run,
    (seen) => {
      requireUnchanged(seen, options);
      ({ role } = requireMay(seen, options.plan, deps));
      return { kind: 'approval', decision, plan: seen.plan.hash, by: deps.by, role, ...said };
    },
    deps,
  );
  // A run that waited is gone on with from here, maybe in this very moment: who does that tells of the decision.
  if (state.ended === undefined) return await outcomeOf(state, decision, role, deps);
  const recorder = new Recorder({ ...deps, run, stack: state.stack, state });
  recorder.emit({ type: 'approval.given', decision, user: deps.by.user, role, ...said });
  await recorder.settled();
  return await outcomeOf(recorder.state, decision, role, deps);
}

function requireUnchanged({ run, sequence }: RunState, seen: ApproveOptions): void {
  if (seen.sequence === undefined || seen.sequence === sequence) return;
  throw new BackstayError('CONDITION_FAILED', `Something happened to run ${run} since you looked at it.`, {
    details: { run, seen: seen.sequence, sequence },
  });
}

async function outcomeOf(
  state: RunState,
  decision: Decided['decision'],
  role: string,
  deps: ApproveDeps,
): Promise<Decided> {
  const standing = standingOf(state, deps.clock.now());
  if (standing.kind === 'denied' && state.ended === undefined) await endUnapproved({ run: state.run, deps });
  const missing =
    standing.kind === 'waiting' || standing.kind === 'due' ? standing.need.count - standing.given.length : 0;
  return {
    run: state.run,
    decision,
    role,
    by: deps.by,
    plan: state.plan.hash,
    standing: standing.kind,
    missing,
    ...(standing.kind === 'granted' && state.ended === undefined ? { next: `backstay resume ${state.run}` } : {}),
  };
}

export interface PendingApproval {
  readonly run: string;
  readonly stack: string;
  readonly standing: 'waiting' | 'due' | 'overdue' | 'expired' | 'approved';
  readonly severity: string;
  readonly roles: readonly string[];
  /** How many people agreed, and how many have to. */
  readonly given: number;
  readonly count: number;
  /** ISO 8601. */
  readonly until: string;
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly target: string;
  readonly plan: Digest;
  readonly waived?: 'emergency' | 'break-glass';
  readonly reason?: string;
  /** In one line: what is missing. */
  readonly said: string;
}

/** What waits for somebody: runs that may not begin yet, approved ones that nobody went on with, and approvals that are due. */
export async function listApprovals(
  stack: string | undefined,
  { journal, clock }: Pick<ApproveDeps, 'journal' | 'clock'>,
): Promise<readonly PendingApproval[]> {
  const runs = await journal.runs(stack);
  const all = await Promise.all(runs.map(async ({ run }) => await pendingOf(run, journal, clock.now())));
  return all.filter((one) => one !== undefined);
}

async function pendingOf(run: string, journal: JournalStore, now: number): Promise<PendingApproval | undefined> {
  let state: RunState;
  try {
    state = fold(await journal.read(run));
  } catch (error) {
    // `backstay history` tells of damaged runs; here they must not hide the others.
    if (isBackstayError(error, 'JOURNAL_BROKEN')) return undefined;
    throw error;
  }
  const standing = standingOf(state, now);
  if (standing.kind === 'not-needed' || standing.kind === 'denied') return undefined;
  const { need } = standing;
  const isOpen =
    need.when === 'after' ? standing.kind === 'due' : state.ended === undefined && state.phase === 'planned';
  if (!isOpen) return undefined;
  const given = 'given' in standing ? standing.given.length : 0;
  return {
    run,
    stack: state.stack,
    standing: wordOf(standing),
    severity: need.severity,
    roles: need.roles,
    given,
    count: need.count,
    until: new Date(Date.parse(state.startedAt) + need.expiresMs).toISOString(),
    requestedBy: `${state.by.user}@${state.by.host}`,
    requestedAt: state.startedAt,
    target: state.plan.target.said,
    plan: state.plan.hash,
    ...(need.waived === undefined ? {} : { waived: need.waived }),
    ...(state.plan.options.reason === undefined ? {} : { reason: state.plan.options.reason }),
    said: needInWords(need, given),
  };
}

function wordOf(standing: Exclude<ApprovalStanding, { kind: 'not-needed' | 'denied' }>): PendingApproval['standing'] {
  if (standing.kind === 'granted') return 'approved';
  return standing.kind === 'due' && standing.overdue ? 'overdue' : standing.kind;
}

/** What is to be decided about a run, for anybody who may see it. */
export interface ApprovalSeen {
  readonly run: string;
  readonly plan: Plan;
  readonly need: ApprovalNeed;
  readonly standing: ApprovalStanding['kind'];
  readonly given: readonly Approval[];
  /** How many more people have to agree. */
  readonly missing: number;
  /** ISO 8601: when it runs out, or is overdue. */
  readonly until: string;
  readonly requestedBy: Person;
  readonly requestedAt: string;
  /** The role in which the one who looks may decide now. */
  readonly role?: string;
  /** Why they may not. */
  readonly because?: string;
  /** Of the run's last entry. */
  readonly sequence: number;
}

/** As `reviewApproval`, but tells the one who may not decide why. @throws RUN_UNKNOWN, APPROVAL_REFUSED where none is needed */
export async function lookAtApproval(run: string, deps: ApproveDeps): Promise<ApprovalSeen> {
  const state = await stateOfRun(run, deps);
  const now = deps.clock.now();
  const { plan, startedAt } = state;
  const standing = standingOf(state, now);
  const need = plan.approval;
  if (need === undefined || standing.kind === 'not-needed')
    throw new BackstayError('APPROVAL_REFUSED', `run ${run} needs no approval.`, { details: { run } });
  const may = mayDecide(state, now, deciderOf(deps));
  const given = 'given' in standing ? standing.given : [];
  return {
    run,
    plan,
    need,
    standing: standing.kind,
    given,
    missing: Math.max(0, need.count - given.length),
    until: new Date(Date.parse(startedAt) + need.expiresMs).toISOString(),
    requestedBy: state.by,
    requestedAt: startedAt,
    ...(may.kind === 'may' ? { role: may.role } : { because: may.because }),
    sequence: state.sequence,
  };
}

/** The roles that a stack's policy gives somebody by their name. */
export function listedRoles({ approvals }: Pick<Stack, 'approvals'>, user: string): readonly string[] {
  const name = personNamed(user);
  return Object.entries(approvals.approvers).flatMap(([role, users]) => (users.includes(name) ? [role] : []));
}

function deciderOf({ stack, by, roles = [], alsoKnownAs = [] }: ApproveDeps): Decider {
  const { user, person } = by;
  const own = [...new Set([...listedRoles(stack, user), ...roles])];
  return { user, ...(person === undefined ? {} : { person }), roles: own, alsoKnownAs };
}

function requireMay(
  state: RunState,
  seen: string | undefined,
  deps: ApproveDeps,
): { readonly role: string; readonly need: ApprovalNeed } {
  const { hash } = state.plan;
  const digits = seen?.replace(/^sha256:/, '');
  if (digits !== undefined && !(digits.length >= 12 && hash.slice('sha256:'.length).startsWith(digits))) {
    throw new BackstayError('APPROVAL_REFUSED', `run ${state.run} is of plan ${hash}, not of ${seen ?? ''}`, {
      next: `Look at the plan that it would carry out: \`backstay approve ${state.run}\` shows it before it asks.`,
      details: { plan: hash, seen },
    });
  }
  const decider = deciderOf(deps);
  const may = mayDecide(state, deps.clock.now(), decider);
  if (may.kind === 'may') return may;
  const { user, roles } = decider;
  throw new BackstayError(may.code, `${may.because}.`, {
    details: { run: state.run, user, roles, needed: state.plan.approval?.roles ?? [] },
  });
}
