import { BackstayError, isBackstayError } from '../errors/index.ts';
import { fold, type Person, type RunState } from '../journal/index.ts';
import type { ApprovalNeed, Digest, Plan, Stack } from '../model/index.ts';
import type { Clock, JournalStore, Reporter } from '../ports/index.ts';
import {
  addFact,
  type ApprovalStanding,
  endUnapproved,
  mayDecide,
  needInWords,
  Recorder,
  standingOf,
  stateOfRun,
} from '../rollback/index.ts';

export interface ApproveDeps {
  readonly stack: Pick<Stack, 'name' | 'approvals'>;
  readonly by: Person;
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

function requireMay(
  state: RunState,
  seen: string | undefined,
  { stack, by, clock }: ApproveDeps,
): { readonly role: string; readonly need: ApprovalNeed } {
  const { hash } = state.plan;
  const digits = seen?.replace(/^sha256:/, '');
  if (digits !== undefined && !(digits.length >= 12 && hash.slice('sha256:'.length).startsWith(digits))) {
    throw new BackstayError('APPROVAL_REFUSED', `run ${state.run} is of plan ${hash}, not of ${seen ?? ''}`, {
      next: `Look at the plan that it would carry out: \`backstay approve ${state.run}\` shows it before it asks.`,
      details: { plan: hash, seen },
    });
  }
  const roles = Object.entries(stack.approvals.approvers).flatMap(([role, users]) =>
    users.includes(by.user) ? [role] : [],
  );
  const may = mayDecide(state, clock.now(), { user: by.user, roles });
  if (may.kind === 'may') return may;
  throw new BackstayError(may.code, `${may.because}.`, {
    details: { run: state.run, user: by.user, roles, needed: state.plan.approval?.roles ?? [] },
  });
}
