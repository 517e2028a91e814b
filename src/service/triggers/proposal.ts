import { newRunId } from '../../actions/rollback.ts';
import type { Alert, Plan, Proposal, TriggerPolicy } from '../../model/index.ts';
import type { SeenAlert } from './decide.ts';

/*
 * How a proposal goes from one state to the next. Pure; undefined where it is in none from which that is possible, so that
 * of two who decide at once exactly one does.
 */

/** Shown with it; the others are in the records all the same. */
const MOST_ALERTS = 100;

/** Sorts by time, as runs do, and cannot be taken for one. */
export function newProposalId(now: number): string {
  return `p-${newRunId(now)}`;
}

export function opened(
  { id, stack, alerts }: { readonly id: string; readonly stack: string; readonly alerts: readonly SeenAlert[] },
  { mode, target }: Pick<TriggerPolicy, 'mode' | 'target'>,
  now: number,
): Proposal {
  const shown = alerts.slice(0, MOST_ALERTS).map(({ alert }) => alert);
  return { id, stack, createdAt: iso(now), alerts: shown, mode, target, state: 'planning' };
}

/** With alerts that came later, or as they are now; undefined when it already has all of that. */
export function withAlerts(proposal: Proposal, alerts: readonly SeenAlert[]): Proposal | undefined {
  if (!isUndecided(proposal)) return undefined;
  const now = new Map(alerts.map(({ alert }) => [identityOf(alert), alert]));
  const known = proposal.alerts.map((alert) => now.get(identityOf(alert)) ?? alert);
  const there = new Set(known.map(identityOf));
  const added = [...now].filter(([identity]) => !there.has(identity)).map(([, alert]) => alert);
  const all = [...known, ...added].slice(0, MOST_ALERTS);
  const same =
    all.length === proposal.alerts.length && all.every((alert, i) => alert.status === proposal.alerts[i]?.status);
  return same ? undefined : { ...proposal, alerts: all };
}

/** A person is asked to carry the plan out; `because` says why it was not done at once. */
export function asked(proposal: Proposal, plan: Pick<Plan, 'hash'>, because: string): Proposal | undefined {
  if (proposal.state !== 'planning') return undefined;
  const { problem: _, ...rest } = proposal;
  return { ...rest, state: 'open', plan: plan.hash, because };
}

type Problem = NonNullable<Proposal['problem']>;

/** There is no plan, or it could not be carried out: a person has to look. `retrying`: it is tried again. */
export function troubled(proposal: Proposal, problem: Problem, retrying: boolean): Proposal | undefined {
  if (proposal.state !== 'planning' && proposal.state !== 'started') return undefined;
  if (retrying) return proposal.problem?.message === problem.message ? undefined : { ...proposal, problem };
  // What was to be begun was not: it may be decided about again.
  const { run: _run, by: _by, person: _person, decidedAt: _at, ...rest } = proposal;
  return { ...rest, state: 'open', problem };
}

export interface Start {
  readonly plan: string;
  /** Chosen before the run is asked for, so that whoever finishes this after a crash asks for the same one. */
  readonly run: string;
  /** The person's; absent: the alerts' own doing. */
  readonly by?: string;
  /** Whose that is. */
  readonly person?: string;
  readonly because?: string;
}

/** Told before the run is asked for: whatever happens then, it is asked for once. */
export function started(
  proposal: Proposal,
  { plan, run, by, person, because }: Start,
  now: number,
): Proposal | undefined {
  // By itself only at once; later it is a person's.
  if (proposal.state !== (by === undefined ? 'planning' : 'open')) return undefined;
  const { problem: _, because: _because, ...rest } = proposal;
  const who = { ...(by === undefined ? {} : { by }), ...(person === undefined ? {} : { person }) };
  const why = because === undefined ? {} : { because };
  return { ...rest, state: 'started', plan, run, ...who, ...why, decidedAt: iso(now) };
}

export function closed(
  proposal: Proposal,
  {
    state,
    because,
    by,
  }: { readonly state: 'settled' | 'expired' | 'dismissed'; readonly because: string; readonly by?: string },
  now: number,
): Proposal | undefined {
  if (!isUndecided(proposal)) return undefined;
  return { ...proposal, state, because, ...(by === undefined ? {} : { by }), decidedAt: iso(now) };
}

export function isUndecided({ state }: Pick<Proposal, 'state'>): boolean {
  return state === 'planning' || state === 'open';
}

function identityOf({ groupKey, fingerprint, startsAt }: Alert): string {
  return JSON.stringify([groupKey, fingerprint, startsAt]);
}

function iso(now: number): string {
  return new Date(now).toISOString();
}
