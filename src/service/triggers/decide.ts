import type { Alert, Proposal, TriggerPolicy } from '../../model/index.ts';

/*
 * What alerts may start (rule 10 of the design): one storm is one proposal, and nothing is proposed for what is over, old,
 * or follows from a run. Pure: times are milliseconds since the epoch.
 */

/** However long something new keeps firing, nobody waits longer than so many times `settleMs` for a proposal. */
const LONGEST_SETTLING = 10;
/** A proposal that nobody decided about is of a plan that nobody should carry out any more. */
export const PROPOSAL_EXPIRES_MS = 24 * 60 * 60_000;

/** What happened to an alert. `settled`: it was resolved before anything was proposed. */
export type AlertState = 'pending' | 'ignored' | 'taken' | 'settled';

export interface SeenAlert {
  readonly key: string;
  readonly alert: Alert;
  readonly receivedAt: number;
  /** When we were told that it is over. */
  readonly resolvedAt?: number;
}

/** A run of the stack, as far as alerts depend on it. */
export interface PastRun {
  readonly run: string;
  readonly startedAt: number;
  /** Absent: it works, waits, or was cut off. */
  readonly endedAt?: number;
  /** It ended half way, and a person has to go on with it. */
  readonly isMixed: boolean;
  /** It took the stack back, or alerts began it: those that follow are part of what it dealt with. */
  readonly isAnswer: boolean;
}

export interface Situation {
  readonly now: number;
  readonly policy: Pick<TriggerPolicy, 'settleMs' | 'staleMs' | 'quietMs'>;
  /** Alerts that nothing was decided about. */
  readonly pending: readonly SeenAlert[];
  /** The proposal that is being planned or waits for a person, with its alerts as they are now. */
  readonly open?: {
    readonly proposal: Pick<Proposal, 'id' | 'createdAt' | 'run'>;
    readonly alerts: readonly SeenAlert[];
  };
  /** In any order. */
  readonly runs: readonly PastRun[];
}

export type Move =
  | { readonly kind: 'ignore'; readonly alerts: readonly SeenAlert[]; readonly because: string }
  | { readonly kind: 'settle'; readonly alerts: readonly SeenAlert[] }
  | { readonly kind: 'join'; readonly proposal: string; readonly alerts: readonly SeenAlert[] }
  | { readonly kind: 'propose'; readonly alerts: readonly SeenAlert[] }
  | {
      readonly kind: 'close';
      readonly proposal: string;
      readonly state: 'settled' | 'expired';
      readonly because: string;
    };

export interface Decision {
  readonly moves: readonly Move[];
  /** When the same question may have another answer; absent: not before something happens. */
  readonly again?: number;
}

/** Why an alert starts nothing already when it comes; undefined: it may. */
export function refusalOf(alert: Alert, { staleMs }: Pick<TriggerPolicy, 'staleMs'>, now: number): string | undefined {
  const age = now - Date.parse(alert.startsAt);
  return age > staleMs ? `it began ${minutes(age)} ago, which is more than ${minutes(staleMs)}` : undefined;
}

/** What is to be done about a stack's alerts now. The order in which they came decides nothing. */
export function decide(given: Situation): Decision {
  const situation = { ...given, runs: newestFirst(given.runs) };
  const { open } = situation;
  const close = open === undefined ? undefined : closing(open, situation);
  // What comes of the alerts is decided when the proposal is closed: the same question again, at once.
  if (close !== undefined && 'move' in close) return { moves: [close.move], again: situation.now };
  const later = close?.again;
  const about = aboutPending(situation);
  const again = [later, about.again].filter((time) => time !== undefined);
  return again.length === 0 ? { moves: about.moves } : { moves: about.moves, again: Math.min(...again) };
}

function closing(
  { proposal, alerts }: NonNullable<Situation['open']>,
  { now, policy, runs }: Situation,
): { readonly move: Move } | { readonly again: number } {
  const created = Date.parse(proposal.createdAt);
  const close = (state: 'settled' | 'expired', because: string): { readonly move: Move } => ({
    move: { kind: 'close', proposal: proposal.id, state, because },
  });
  const other = runs.find(({ run, startedAt }) => startedAt > created && run !== proposal.run);
  if (other !== undefined) return close('expired', `run ${other.run} of the stack was asked for meanwhile`);
  const expires = created + PROPOSAL_EXPIRES_MS;
  if (now >= expires) return close('expired', 'nobody decided about it for a day');
  const last = alerts.length === 0 ? undefined : Math.max(...alerts.map(({ resolvedAt }) => resolvedAt ?? Infinity));
  if (last === undefined || last === Infinity) return { again: expires };
  const calm = last + policy.settleMs;
  return now >= calm ? close('settled', 'its alerts are over') : { again: Math.min(calm, expires) };
}

function aboutPending({ now, policy, pending, open, runs }: Situation): Decision {
  if (pending.length === 0) return { moves: [] };
  const over = pending.filter(({ resolvedAt }) => resolvedAt !== undefined);
  const firing = pending.filter(({ resolvedAt }) => resolvedAt === undefined);
  const moves: Move[] = over.length === 0 ? [] : [{ kind: 'settle', alerts: inOrder(over) }];
  if (firing.length === 0) return { moves };
  const silence = silencedBy(runs, policy, now);
  if (silence !== undefined)
    return { moves: [...moves, { kind: 'ignore', alerts: inOrder(firing), because: silence }] };
  const old = firing.filter((seen) => isStale(seen, policy, now));
  if (old.length > 0) {
    const because = `it was not dealt with for ${minutes(policy.staleMs)}`;
    moves.push({ kind: 'ignore', alerts: inOrder(old), because });
  }
  const fresh = firing.filter((seen) => !old.includes(seen));
  if (fresh.length === 0) return { moves };
  if (open !== undefined)
    return { moves: [...moves, { kind: 'join', proposal: open.proposal.id, alerts: inOrder(fresh) }] };
  const times = fresh.map(({ receivedAt }) => receivedAt);
  const { settleMs } = policy;
  const settled = Math.min(Math.max(...times) + settleMs, Math.min(...times) + LONGEST_SETTLING * settleMs);
  if (now < settled) return { moves, again: settled };
  return { moves: [...moves, { kind: 'propose', alerts: inOrder(fresh) }] };
}

/** The service was down, or could not read its journal, for longer than an alert is worth. */
function isStale({ receivedAt }: SeenAlert, { staleMs }: Situation['policy'], now: number): boolean {
  return now - receivedAt > staleMs;
}

function newestFirst(runs: readonly PastRun[]): readonly PastRun[] {
  return runs.toSorted((a, b) => b.startedAt - a.startedAt || (a.run < b.run ? 1 : -1));
}

/** Why a run (the newest first) speaks against starting anything: it is not over, or so short a time ago that the alerts are of its making. */
function silencedBy(runs: readonly PastRun[], { quietMs }: Situation['policy'], now: number): string | undefined {
  const working = runs.find(({ endedAt }) => endedAt === undefined);
  if (working !== undefined) return `run ${working.run} is not over`;
  if (runs[0]?.isMixed === true) return `run ${runs[0].run} ended half way, and a person has to go on with it`;
  const calming = runs.find(({ isAnswer, endedAt }) => isAnswer && endedAt !== undefined && now < endedAt + quietMs);
  if (calming?.endedAt === undefined) return undefined;
  return `run ${calming.run} ended at ${new Date(calming.endedAt).toISOString()}: alerts start nothing for ${minutes(quietMs)} after it`;
}

/** By when it began, so that what is shown does not depend on the way there. */
function inOrder(alerts: readonly SeenAlert[]): readonly SeenAlert[] {
  return alerts.toSorted((a, b) => {
    if (a.alert.startsAt !== b.alert.startsAt) return a.alert.startsAt < b.alert.startsAt ? -1 : 1;
    return a.key < b.key ? -1 : 1;
  });
}

function minutes(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  return `${Math.round(ms / 60_000)} min`;
}
