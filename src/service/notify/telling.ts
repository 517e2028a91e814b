import type { JournalEntry, RunState } from '../../journal/index.ts';
import { type Notice, type NoticePlaceholder, type Outcome, type Proposal, shortId } from '../../model/index.ts';
import { beforeId, hasBegun, readable } from '../../rollback/index.ts';

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
        tell('run.ended', WELL.has(outcome) ? 'closes' : 'alarms', {
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

/** What a proposal is to people as it stands; undefined while its plan is made. */
export function tellingOfProposal(proposal: Proposal): Telling | undefined {
  const { id, stack, state, createdAt, target, alerts, plan, problem, because, by, run, decidedAt } = proposal;
  if (state === 'planning') return undefined;
  const names = [...new Set(alerts.map(({ name }) => name))].join(', ');
  const about = { proposal: id, stack, to: target, ...(names === '' ? {} : { alerts: names }) };
  const common = { subject: id, stack, proposal: id };
  if (state === 'open') {
    return {
      ...common,
      id: `${id}:opened:proposal.opened`,
      notice: 'proposal.opened',
      at: createdAt,
      effect: 'opens',
      values: bounded({
        ...about,
        ...(plan === undefined ? {} : { plan: shortHash(plan) }),
        ...(problem === undefined ? {} : { because: problem.message }),
        ...(problem?.next === undefined ? {} : { next: problem.next }),
      }),
    };
  }
  return {
    ...common,
    id: `${id}:closed:proposal.closed`,
    notice: 'proposal.closed',
    at: decidedAt ?? createdAt,
    effect: 'closes',
    ...(run === undefined ? {} : { run }),
    values: bounded({
      ...about,
      outcome: state,
      ...(run === undefined ? {} : { run }),
      ...(by === undefined ? {} : { by }),
      ...(because === undefined ? {} : { because }),
    }),
  };
}

/** The words are those of hooks, where hooks have them. `now` is in milliseconds since the epoch. */
export function valuesOfRun(state: RunState, now: number): Values {
  const { plan, by, trigger, phase, startedAt } = state;
  const { reason, incident, severity } = plan.options;
  return {
    run: state.run,
    stack: state.stack,
    from: shortId(beforeId(state) ?? plan.live),
    to: plan.target.labels[0] ?? shortId(plan.target.id),
    ...(reason === undefined ? {} : { reason }),
    ...(incident === undefined ? {} : { incident }),
    ...(severity === undefined ? {} : { severity }),
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
