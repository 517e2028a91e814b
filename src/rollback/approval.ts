import type { Approval, Person, RunState } from '../journal/index.ts';
import type { ApprovalNeed } from '../model/index.ts';

/** How a run stands with those who have to agree to it. Times are ISO 8601. */
export type ApprovalStanding =
  | { readonly kind: 'not-needed' }
  /** It may not begin before. */
  | {
      readonly kind: 'waiting';
      readonly need: ApprovalNeed;
      readonly given: readonly Approval[];
      readonly until: string;
    }
  /** It went without, and the approval is to be given afterwards. */
  | {
      readonly kind: 'due';
      readonly need: ApprovalNeed;
      readonly given: readonly Approval[];
      readonly until: string;
      readonly overdue: boolean;
    }
  | { readonly kind: 'granted'; readonly need: ApprovalNeed; readonly given: readonly Approval[] }
  | { readonly kind: 'denied'; readonly need: ApprovalNeed; readonly by: Approval }
  /** Not approved, or approved and not begun, until then. */
  | { readonly kind: 'expired'; readonly need: ApprovalNeed; readonly at: string };

/**
 * Pure: the journal and a clock decide. What does not count: an approval of another plan, by the requester, in a role that
 * the plan does not ask for, and a second one by the same person. `now` is in milliseconds since the epoch.
 */
export function standingOf(state: RunState, now: number): ApprovalStanding {
  const need = state.plan.approval;
  if (need === undefined) return { kind: 'not-needed' };
  const until = new Date(Date.parse(state.startedAt) + need.expiresMs);
  const counted = countedOf(state, need);
  const denied = counted.find(({ decision }) => decision === 'denied');
  if (denied !== undefined) return { kind: 'denied', need, by: denied };
  const given = counted.filter(({ decision }) => decision === 'approved');
  const enough = given.length >= need.count;
  if (need.when === 'after') {
    // What ended without a change leaves nothing to agree to.
    if (state.ended?.outcome === 'failed' || state.ended?.outcome === 'cancelled') return { kind: 'not-needed' };
    if (enough) return { kind: 'granted', need, given };
    return { kind: 'due', need, given, until: until.toISOString(), overdue: now >= until.getTime() };
  }
  const inTime = given.filter(({ at }) => Date.parse(at) < until.getTime());
  if (inTime.length >= need.count && (hasBegun(state) || now < until.getTime())) {
    return { kind: 'granted', need, given: inTime };
  }
  return now < until.getTime()
    ? { kind: 'waiting', need, given, until: until.toISOString() }
    : { kind: 'expired', need, at: until.toISOString() };
}

/** Somebody who wants to decide, with the roles that the stack file and their access give them. */
export interface Decider extends Pick<Person, 'user' | 'person'> {
  readonly roles: readonly string[];
  /** Other names by which the same person may have asked for the run, or agreed to it. */
  readonly alsoKnownAs?: readonly string[];
}

export type MayDecide =
  | { readonly kind: 'may'; readonly role: string; readonly need: ApprovalNeed }
  | { readonly kind: 'refused'; readonly code: 'APPROVAL_REFUSED' | 'APPROVAL_EXPIRED'; readonly because: string };

/**
 * Whether this person may decide about the run now, and in which role. Only a run that nobody carries is decided about: one
 * that waits, or one that is over and whose approval is due. So no two processes ever write one journal.
 */
export function mayDecide(state: RunState, now: number, decider: Decider): MayDecide {
  const { user, roles, alsoKnownAs = [] } = decider;
  const refused = (because: string, code: 'APPROVAL_REFUSED' | 'APPROVAL_EXPIRED' = 'APPROVAL_REFUSED'): MayDecide => ({
    kind: 'refused',
    code,
    because,
  });
  const standing = standingOf(state, now);
  const { ended } = state;
  const names = new Set([...namesOf(decider), ...alsoKnownAs.map(compared)]);
  if (standing.kind === 'not-needed') return refused(`run ${state.run} needs no approval`);
  if (standing.kind === 'denied') return refused(`run ${state.run} was denied by ${standing.by.by.user} already`);
  if (standing.kind === 'granted') return refused(`run ${state.run} is approved already`);
  if (standing.kind === 'due' && (ended === undefined || ended.outcome === 'mixed'))
    return refused(`run ${state.run} is not over: it is approved when it has ended`);
  if (standing.kind !== 'due' && ended !== undefined) return refused(`run ${state.run} is over (${ended.outcome})`);
  if (standing.kind === 'expired')
    return refused(`run ${state.run} had to be approved by ${standing.at}`, 'APPROVAL_EXPIRED');
  if (isAnyOf(state.by, names)) return refused(`${user} asked for run ${state.run}, and somebody else has to decide`);
  const { need } = standing;
  const role = need.roles.find((wanted) => roles.includes(wanted));
  if (role === undefined)
    return refused(`${user} holds no role that may decide about run ${state.run}: ${need.roles.join(', ')}`);
  if (standing.given.some(({ by }) => isAnyOf(by, names))) return refused(`${user} approved run ${state.run} already`);
  return { kind: 'may', role, need };
}

/** Who came to the service of this machine without more proof is who they are at its command line. */
export function personNamed(user: string): string {
  return user.replace(/^local:/, '');
}

const compared = (name: string): string => personNamed(name).toLowerCase();

/** All that somebody is known by, as it is compared: two of whom one name is the same are one person. */
function namesOf({ user, person }: Pick<Person, 'user' | 'person'>): readonly string[] {
  return [user, ...(person === undefined ? [] : [person])].map(compared);
}

function isAnyOf(by: Person, names: ReadonlySet<string>): boolean {
  return namesOf(by).some((name) => names.has(name));
}

/** Whether a step was ever begun: from then on nobody is waited for. */
export function hasBegun(state: RunState): boolean {
  return [...state.steps.values()].some(({ attempts }) => attempts > 0);
}

/** `approval by incident-commander or cto (2 people, 1 has agreed), until 10:50 UTC`, without its time. */
export function needInWords({ roles, count }: ApprovalNeed, given: number): string {
  const people = count === 1 ? '' : ` (${count} people${given === 0 ? '' : `, ${given} agreed so far`})`;
  return `approval by ${roles.join(' or ')}${people}`;
}

function countedOf({ approvals, plan, by }: RunState, { roles }: ApprovalNeed): readonly Approval[] {
  const counted = new Set(namesOf(by));
  return approvals.filter((approval) => {
    if (approval.plan !== plan.hash || !roles.includes(approval.role) || isAnyOf(approval.by, counted)) return false;
    for (const name of namesOf(approval.by)) counted.add(name);
    return true;
  });
}
