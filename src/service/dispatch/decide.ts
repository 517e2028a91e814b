import type { RunState } from '../../journal/index.ts';
import { hasBegun, standingOf } from '../../rollback/index.ts';
import { heldByOther } from '../claim.ts';
import { CLAIM_MS, type Claim, isCarriedOut, type Problem } from './claim.ts';
import type { Sight } from './sight.ts';

/** What a service does next about a claimed run. After each, it looks again. `until` is in milliseconds since the epoch. */
export type Act =
  /** The claim has served. */
  | { readonly kind: 'forget' }
  /** Nothing, until then or until something changes. */
  | { readonly kind: 'leave'; readonly until?: number; readonly because: string }
  /** Make it ours, or keep it so. */
  | { readonly kind: 'claim' }
  /** End a run that nothing was begun of: denied, or not approved in time. */
  | { readonly kind: 'end-unapproved' }
  | { readonly kind: 'end'; readonly outcome: 'cancelled' | 'failed'; readonly reason: string; readonly code?: string }
  /** The process is gone: read what it said. */
  | { readonly kind: 'settle' }
  | { readonly kind: 'start' }
  | { readonly kind: 'stop' };

export interface Around {
  /** Of the service that asks. */
  readonly self: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Why there is no room now, by `crowdedBy`. */
  readonly crowded: string | undefined;
}

/** A claim without its run: somebody was killed in between, or is about to write it. Milliseconds. */
const RUNLESS_MS = 60_000;
/** A run that could not begin for so long is not begun any more: nobody looks at it by then. Milliseconds. */
export const QUEUE_MS = 15 * 60_000;
/** A run whose journal was written so recently may be at work on a machine that we cannot see. As long as a lease lasts. */
const SILENT_MS = 30_000;

/** What is left of a claim's time when it is renewed, as a share. */
const RENEWED_AT = 2 / 3;
/** Milliseconds after processes that failed in a row; whoever fails once more than there are is given up. */
const PAUSES_MS = [2_000, 5_000, 15_000, 30_000, 60_000, 120_000] as const;
/** Somebody else has the stack, and tells nobody here when they are done: as long as a lease lasts. Milliseconds. */
const HELD_MS = 30_000;
/** Another one comes first; that is no failure, and passes. */
const PASSES: ReadonlySet<string> = new Set(['LEASE_HELD', 'STACK_UNFINISHED']);

/**
 * Pure: the same sight always has the same answer. Whatever is decided wrongly here (two services, a clock that is off) costs
 * a process that finds the stack's lease held, and never a second one at work.
 */
export function decideClaim(sight: Sight, around: Around): Act {
  const { claim, state } = sight;
  const { now } = around;
  if (state === undefined) return withoutRun(claim, now);
  if (isCarriedOut(state, claim)) return { kind: 'forget' };
  const begun = hasBegun(state);
  // Whatever it is, a person reads it first; nobody has to keep the claim until then.
  if (claim.stuck === true && begun) return { kind: 'leave', because: 'stuck' };
  const foreign = ownedByOther(sight, around);
  if (foreign !== undefined) return foreign;
  const act =
    working(sight, state, now) ?? (begun ? undefined : unbegun(sight, state, now)) ?? next(sight, state, around);
  // Who has nothing to do and nothing to watch keeps nobody from it: whoever is first takes it when the time has come.
  if (act.kind === 'leave' && claim.process === undefined) return act;
  const renewal = renewalOf(claim, around);
  if (renewal === undefined) return { kind: 'claim' };
  return act.kind === 'leave' ? { ...act, until: Math.min(act.until ?? renewal, renewal) } : act;
}

/** The claim once its process is gone: tried again after a while, or given up. Pure. `now` is in milliseconds. */
export function settled(
  { process, notBefore: _old, problem: _former, ...claim }: Claim,
  { problem, done, seen, now }: Settling,
): Claim {
  const told = problem === undefined ? {} : { problem };
  const after = (ms: number): string => new Date(now + ms).toISOString();
  if (!seen) return { ...claim, failures: 0 };
  if (problem !== undefined && PASSES.has(problem.code)) return { ...claim, ...told, notBefore: after(HELD_MS) };
  const failures = done > (process?.done ?? 0) ? 1 : claim.failures + 1;
  const pause = PAUSES_MS[failures - 1];
  if (pause === undefined || problem?.isFinal === true) return { ...claim, ...told, failures, stuck: true };
  return { ...claim, ...told, failures, notBefore: after(pause) };
}

export interface Settling {
  /** What the process said last. */
  readonly problem: Problem | undefined;
  /** Steps with an end by now. */
  readonly done: number;
  /** False: it was on another machine, where nobody can tell how it went. */
  readonly seen: boolean;
  readonly now: number;
}

function withoutRun({ askedAt }: Claim, now: number): Act {
  const until = Date.parse(askedAt) + RUNLESS_MS;
  return now < until ? { kind: 'leave', until, because: 'not journaled yet' } : { kind: 'forget' };
}

function ownedByOther({ claim: { owner }, isOwnerGone }: Sight, { self, now }: Around): Act | undefined {
  const until = isOwnerGone === true ? undefined : heldByOther(owner, self, now);
  if (owner === undefined || until === undefined) return undefined;
  return { kind: 'leave', until, because: `carried by the service on ${owner.host}` };
}

/** When our claim is to be renewed; undefined: now, or it is not ours yet. */
function renewalOf({ owner }: Claim, { self, now }: Around): number | undefined {
  if (owner?.service !== self) return undefined;
  const at = Date.parse(owner.until) - CLAIM_MS * RENEWED_AT;
  return now < at ? at : undefined;
}

/** While a process is there, it alone writes the run's journal. */
function working({ claim, process, cancel }: Sight, state: RunState, now: number): Act | undefined {
  const { process: known } = claim;
  if (known === undefined || process === 'none') return undefined;
  if (process === 'gone') return { kind: 'settle' };
  if (process === 'elsewhere') {
    const until = Date.parse(state.workedAt) + SILENT_MS;
    return now < until ? { kind: 'leave', until, because: 'at work on another machine' } : { kind: 'settle' };
  }
  // Before its first entry it may not listen to signals yet, and would die of one.
  const listens = state.sequence > known.since;
  if (cancel !== undefined && known.told !== true && listens) return { kind: 'stop' };
  return { kind: 'leave', because: 'at work' };
}

/** What ends a run of which nothing was begun, or keeps it from beginning; undefined: it may. */
function unbegun({ claim, cancel }: Sight, state: RunState, now: number): Act | undefined {
  if (cancel !== undefined) {
    const reason = `cancelled by ${cancel.by}: ${cancel.reason}`;
    return { kind: 'end', outcome: 'cancelled', reason, code: 'CANCELLED' };
  }
  const standing = standingOf(state, now);
  if (standing.kind === 'denied' || standing.kind === 'expired') return { kind: 'end-unapproved' };
  if (standing.kind === 'waiting')
    return { kind: 'leave', until: Date.parse(standing.until), because: 'waits for an approval' };
  if (claim.stuck === true) return failed(claim.problem, 'could not begin');
  return now < queueEnd(claim, state)
    ? undefined
    : failed(claim.problem, `could not begin within ${QUEUE_MS / 60_000} min`);
}

function next({ claim, isUnknownHere }: Sight, state: RunState, { now, crowded }: Around): Act {
  const late = hasBegun(state) ? {} : { until: queueEnd(claim, state) };
  if (isUnknownHere === true) return { kind: 'leave', ...late, because: 'for a service that has the stack file' };
  if (crowded !== undefined) return { kind: 'leave', ...late, because: crowded };
  const { notBefore } = claim;
  if (notBefore === undefined || now >= Date.parse(notBefore)) return { kind: 'start' };
  const until = Math.min(Date.parse(notBefore), late.until ?? Number.POSITIVE_INFINITY);
  return { kind: 'leave', until, because: 'tried again later' };
}

/** From when on a run that might have begun is not begun any more. */
function queueEnd({ askedAt }: Claim, { approvals }: RunState): number {
  return Math.max(Date.parse(askedAt), ...approvals.map(({ at }) => Date.parse(at))) + QUEUE_MS;
}

function failed(problem: Problem | undefined, what: string): Act {
  const reason = problem === undefined ? what : `${what}: ${problem.message}`;
  return { kind: 'end', outcome: 'failed', reason, code: problem?.code ?? 'TIMEOUT' };
}
