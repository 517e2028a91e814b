import type { JournalEntry, RunState } from '../../journal/index.ts';
import {
  isDigest,
  type Notice,
  type NoticePlaceholder,
  type Outcome,
  type Plan,
  type Proposal,
  shortId,
} from '../../model/index.ts';
import { beforeId, deadlineOf, hasBegun, readable } from '../../rollback/index.ts';

/** What a notice does to what a pager or a status page has open. */
export type Effect = 'opens' | 'alarms' | 'acknowledges' | 'closes';

export type Values = Readonly<Partial<Record<NoticePlaceholder, string>>>;

/**
 * Something that people are told, with all that its text needs. It is kept until everybody has heard it, so nothing secret is
 * in it.
 */
export interface Telling {
  /** Of the event: the same however often it is sent, and by whatever machine. */
  readonly id: string;
  /** The run or proposal: one incident, one issue, one order of messages. */
  readonly subject: string;
  readonly notice: Notice;
  readonly stack: string;
  readonly run?: string;
  readonly proposal?: string;
  /** ISO 8601: when it happened. */
  readonly at: string;
  readonly effect: Effect;
  /** Only these channels. Absent: those that want such a notice. */
  readonly to?: readonly string[];
  readonly values: Values;
}

/** Characters of one value: what people or programs wrote may be of any length. */
const LONGEST_VALUE = 2_000;

/** Nobody has to do anything about a run that ended so. */
const WELL: ReadonlySet<Outcome> = new Set(['succeeded', 'unvalidated', 'nothing-to-do', 'cancelled', 'abandoned']);

/**
 * What an entry is to people. Of facts, not of events: a process may die between the two, and an event is then never
 * stored. `before` is the run's state without the entry, `after` with it.
 */
export function tellingsOf(before: RunState | undefined, after: RunState, entry: JournalEntry): readonly Telling[] {
  const tell = (notice: Notice, effect: Effect, values: Values): Telling => ({
    id: `${entry.run}:${String(entry.sequence).padStart(8, '0')}:${notice}`,
    subject: entry.run,
    notice,
    stack: entry.stack,
    run: entry.run,
    at: entry.time,
    effect,
    values: bounded({ ...valuesOfRun(after, Date.parse(entry.time)), ...values }),
  });
  switch (entry.kind) {
    case 'run-created': {
      const { approval } = entry.plan;
      if (approval === undefined) return [];
      const until = new Date(Date.parse(entry.time) + approval.expiresMs).toISOString();
      const { severity, roles, count, when } = approval;
      const people = count === 1 ? 'one person' : `${count} people`;
      const because = when === 'after' ? 'It begins at once, and is approved afterwards.' : 'It waits for that.';
      return [
        tell('approval.needed', 'opens', {
          severity,
          roles: roles.join(' or '),
          count: people,
          until,
          because,
          next: `backstay approve ${entry.run}`,
        }),
      ];
    }
    case 'step-begin':
      return before === undefined || hasBegun(before) ? [] : [tell('run.started', 'opens', {})];
    case 'approval': {
      const { decision, by, role, reason } = entry;
      return [
        tell('approval.given', 'acknowledges', {
          decision,
          by: `${by.user}, ${role}`,
          ...(reason === undefined ? {} : { because: reason }),
        }),
      ];
    }
    case 'run-ended':
    case 'abandoned': {
      const outcome = after.ended?.outcome ?? 'abandoned';
      const because = after.ended?.reason;
      return [
        tell('run.ended', isWell(after) ? 'closes' : 'alarms', {
          outcome,
          ...(because === undefined ? {} : { because }),
          ...(outcome === 'mixed' ? { next: `backstay resume ${entry.run}` } : {}),
        }),
      ];
    }
    default:
      return [];
  }
}

/** A person who denied a run knows what he did; one that ran out of time was noticed by nobody. */
function isWell({ ended }: RunState): boolean {
  return ended === undefined || WELL.has(ended.outcome) || ended.code === 'APPROVAL_DENIED';
}

/** What was told of a proposal before: it may be opened anew when what was begun could not be. */
export interface ToldOfProposal {
  readonly notice: Notice;
  /** ISO 8601. */
  readonly at: string;
}

/** What a proposal is to people as it stands; undefined while its plan is made, and when they know it already. */
export function tellingOfProposal(proposal: Proposal, told: readonly ToldOfProposal[]): Telling | undefined {
  const { id, stack, state, createdAt, target, alerts, plan, problem, because, by, run, decidedAt } = proposal;
  const notice = state === 'open' ? 'proposal.opened' : 'proposal.closed';
  const last = told.at(-1);
  if (state === 'planning' || last?.notice === notice) return undefined;
  const names = [...new Set(alerts.map(({ name }) => name))].join(', ');
  const why = problem?.message ?? because;
  return {
    id: `${id}:${String(told.length + 1).padStart(4, '0')}:${notice}`,
    subject: id,
    notice,
    stack,
    proposal: id,
    ...(run === undefined ? {} : { run }),
    at: laterOf(state === 'open' ? createdAt : (decidedAt ?? createdAt), last?.at),
    effect: state === 'open' ? 'opens' : 'closes',
    values: bounded({
      proposal: id,
      stack,
      to: target,
      ...(names === '' ? {} : { alerts: names }),
      ...(plan === undefined ? {} : { plan: shortHash(plan) }),
      ...(why === undefined ? {} : { because: why }),
      ...(problem?.next === undefined ? {} : { next: problem.next }),
      ...(state === 'open' ? {} : { outcome: state }),
      ...(run === undefined ? {} : { run }),
      ...(by === undefined ? {} : { by }),
    }),
  };
}

/** Behind what was told before, whatever the clocks say. */
function laterOf(at: string, before: string | undefined): string {
  if (before === undefined || at > before) return at;
  return new Date(Date.parse(before) + 1).toISOString();
}

/** The words are those of hooks, where hooks have them. `now` is in milliseconds since the epoch. */
export function valuesOfRun(state: RunState, now: number): Values {
  const { plan, by, trigger, phase, startedAt } = state;
  const { reason, incident, severity } = plan.options;
  const deadline = deadlineOf(state);
  return {
    run: state.run,
    stack: state.stack,
    from: shortId(beforeId(state) ?? plan.live),
    to: targetOf(plan),
    ...(reason === undefined ? {} : { reason }),
    ...(incident === undefined ? {} : { incident }),
    ...(severity === undefined ? {} : { severity }),
    ...(deadline === undefined ? {} : { deadline }),
    by: `${by.user}@${by.host}`,
    trigger,
    phase,
    risk: plan.risk,
    scope: plan.scope.kind === 'workloads' ? plan.scope.names.join(', ') : plan.scope.kind,
    plan: shortHash(plan.hash),
    duration: readable(now - Date.parse(startedAt)),
    elapsed: readable(now - Date.parse(startedAt)),
  };
}

/** Data has no labels, and a snapshot that has none was maybe said by its whole id. */
function targetOf({ target: { id, said, labels } }: Plan): string {
  return labels[0] ?? (isDigest(said) ? shortId(id) : said);
}

/** Twelve digits: as many as `approve --plan` asks for at least. */
function shortHash(hash: string): string {
  return hash.replace(/^sha256:/, '').slice(0, 12);
}

export function bounded(values: Values): Values {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value.length <= LONGEST_VALUE ? value : `${value.slice(0, LONGEST_VALUE)}[…]`,
    ]),
  );
}
