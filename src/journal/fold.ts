import { BackstayError } from '../errors/index.ts';
import { linkOf } from './chain.ts';
import { JOURNAL_FORMAT, JOURNAL_REVISION, type JournalEntry } from './entry.ts';
import type { RunEvent } from '../model/index.ts';
import { observed } from './observation.ts';
import type { ProbeFinding, RunState, StepState } from './state.ts';

/**
 * Replays a journal from its first entry. Pure: the same entries always give the same state.
 * @throws JOURNAL_BROKEN for an empty journal, a gap, an entry that was changed after it was written, an entry of another
 * run, an end without its beginning, a step that the plan does not have, an entry after the end, and a format newer than
 * this program knows. Kinds that a newer program added without breaking the format are listed in `unread`.
 */
export function fold(entries: Iterable<JournalEntry>): RunState {
  let state: RunState | undefined;
  for (const entry of entries) state = advance(state, entry);
  if (state === undefined) throw new BackstayError('JOURNAL_BROKEN', 'the journal of this run has no entries');
  return state;
}

/** One entry further. `undefined` stands for the state before the first entry. Throws as `fold` does. */
export function advance(state: RunState | undefined, entry: JournalEntry): RunState {
  if (entry.format > JOURNAL_FORMAT) {
    throw broken(entry, `is of format ${entry.format}; this program knows formats up to ${JOURNAL_FORMAT}`, {
      next: 'Use a newer backstay to go on with this run.',
    });
  }
  if (state === undefined) return first(entry);
  if (entry.run !== state.run) throw broken(entry, `stands in the journal of run ${state.run}`);
  if (entry.sequence !== state.sequence + 1)
    throw broken(entry, `follows entry ${state.sequence}: something is missing`);
  assertLinked(state, entry);
  const workedAt = BESIDE_THE_WORK.has(entry.kind) ? state.workedAt : entry.time;
  return { ...applyFact(state, entry), head: linkOf(entry), sequence: entry.sequence, lastAt: entry.time, workedAt };
}

/** Format 1 had no links; a run that began in it goes on in format 2, and its old entries are vouched for from there on. */
function assertLinked(state: RunState, entry: JournalEntry): void {
  if (entry.format < 2 && entry.previous === undefined) return;
  if (entry.previous === state.head) return;
  throw broken(
    entry,
    `does not follow from entry ${state.sequence} as it stands: entry ${state.sequence} was changed`,
    {
      next: 'Restore the journal from a backup. `backstay history` shows which runs can still be read.',
    },
  );
}

function first(entry: JournalEntry): RunState {
  if (entry.sequence !== 1) throw broken(entry, 'is the first one there is: something is missing before it');
  if (entry.kind !== 'run-created') throw broken(entry, `is ${entry.kind} where run-created was expected`);
  const steps = new Map<string, StepState>();
  for (const step of entry.plan.steps) {
    if (steps.has(step.id)) throw broken(entry, `has a plan with two steps named ${step.id}`);
    steps.set(step.id, { step, status: 'pending', attempts: 0 });
  }
  return {
    run: entry.run,
    stack: entry.stack,
    plan: entry.plan,
    by: entry.by,
    trigger: entry.trigger ?? 'person',
    ...(entry.undoes === undefined ? {} : { undoes: entry.undoes }),
    ...(entry.abandons === undefined ? {} : { abandons: entry.abandons }),
    startedAt: entry.time,
    phase: 'planned',
    phases: [{ phase: 'planned', enteredAt: entry.time }],
    direction: 'forward',
    steps,
    reverses: new Map(),
    resumed: [],
    approvals: [],
    leases: [],
    notes: [],
    probes: [],
    workedAt: entry.time,
    unread: [],
    head: linkOf(entry),
    sequence: 1,
    eventSequence: 0,
    lastAt: entry.time,
  };
}

function applyFact(state: RunState, entry: JournalEntry): RunState {
  if (state.ended !== undefined && !AFTER_THE_END.has(entry.kind) && isKnown(entry)) {
    throw broken(entry, `(${entry.kind}) comes after the end of the run`);
  }
  switch (entry.kind) {
    case 'run-created':
      throw broken(entry, 'creates the run a second time');
    case 'phase-entered':
      return {
        ...state,
        phase: entry.phase,
        phases: [...state.phases, { phase: entry.phase, enteredAt: entry.time }],
      };
    case 'step-begin':
      return begin(state, entry);
    case 'step-end':
      return end(state, entry);
    case 'direction': {
      const { direction, reason, cause, code, signal } = entry;
      const turn = {
        direction,
        reason,
        ...(cause === undefined ? {} : { cause }),
        ...(code === undefined ? {} : { code }),
        ...(signal === undefined ? {} : { signal }),
      };
      return { ...state, direction, turn, ...(direction === 'back' ? { wentBack: turn } : {}) };
    }
    case 'resumed':
      return reopen(state, entry);
    case 'run-ended':
      return {
        ...state,
        ended: {
          outcome: entry.outcome,
          at: entry.time,
          ...(entry.reason === undefined ? {} : { reason: entry.reason }),
          ...(entry.code === undefined ? {} : { code: entry.code }),
        },
      };
    case 'approval': {
      const { decision, plan, by, role, reason } = entry;
      const said = { decision, plan, by, role, ...(reason === undefined ? {} : { reason }), at: entry.time };
      return { ...state, approvals: [...state.approvals, said] };
    }
    case 'lease-taken': {
      const { token, from, reason, abandoned } = entry;
      const whose = {
        ...(from === undefined ? {} : { from }),
        ...(reason === undefined ? {} : { reason }),
        ...(abandoned === undefined ? {} : { abandoned }),
      };
      return { ...state, leases: [...state.leases, { token, ...whose, at: entry.time }] };
    }
    case 'abandoned':
      if (state.ended !== undefined && state.ended.outcome !== 'mixed')
        throw broken(entry, `gives up a run that ended ${state.ended.outcome}`);
      return { ...state, ended: { outcome: 'abandoned', reason: givenUpBecause(entry), at: entry.time } };
    case 'undone':
      return { ...state, undone: { byRun: entry.byRun, by: entry.by, at: entry.time } };
    case 'finalized': {
      const { by, because, removed } = entry;
      return { ...state, finalized: { by, because, removed, at: entry.time } };
    }
    case 'noted': {
      const { topic, text, by } = entry;
      return { ...state, notes: [...state.notes, { topic, text, by, at: entry.time }] };
    }
    case 'event':
      return told(state, entry.event);
    default:
      return unreadBy(state, entry);
  }
}

/** Entries that another process or a person may write while the one that carries the run is gone. */
const BESIDE_THE_WORK: ReadonlySet<string> = new Set([
  'resumed',
  'lease-taken',
  'approval',
  'abandoned',
  'undone',
  'finalized',
  'noted',
]);

const AFTER_THE_END: ReadonlySet<string> = new Set([
  'resumed',
  'event',
  'approval',
  'abandoned',
  'undone',
  'finalized',
  'noted',
]);

/** A kind that only a newer program knows is no reason to stop, as long as that program said that it may be left unread. */
function unreadBy(state: RunState, entry: never): RunState {
  const { kind } = entry as JournalEntry;
  if (isKnown(entry)) throw broken(entry, `is of the unknown kind ${kind}`);
  return { ...state, unread: [...state.unread, kind] };
}

function isKnown({ revision = 0 }: JournalEntry): boolean {
  return revision <= JOURNAL_REVISION;
}

function givenUpBecause({ by, reason, inFavourOf }: Extract<JournalEntry, { kind: 'abandoned' }>): string {
  return `${reason} (given up by ${by.user} on ${by.host}${inFavourOf === undefined ? '' : ` for run ${inFavourOf}`})`;
}

type Begin = Extract<JournalEntry, { kind: 'step-begin' }>;
type End = Extract<JournalEntry, { kind: 'step-end' }>;
type Resumed = Extract<JournalEntry, { kind: 'resumed' }>;

function begin(state: RunState, entry: Begin): RunState {
  const planned = state.steps.get(entry.step);
  if (planned === undefined) throw broken(entry, `begins step ${entry.step}, which the plan does not have`);
  const known = entry.reverse === true ? state.reverses.get(entry.step) : planned;
  if (known !== undefined && isOver(known)) throw broken(entry, `begins step ${entry.step} again after its end`);
  return put(state, entry.reverse === true, {
    step: planned.step,
    status: 'begun',
    attempts: entry.attempt,
    operation: entry.operation,
    beganAt: entry.time,
    // What an earlier attempt found out stays readable until this one has its own result.
    ...(known?.result === undefined ? {} : { result: known.result }),
    ...(known !== undefined && known.attempts > 0 && known.touched !== false ? { touched: true } : {}),
  });
}

function end(state: RunState, entry: End): RunState {
  const open = (entry.reverse === true ? state.reverses : state.steps).get(entry.step);
  if (open === undefined || open.status !== 'begun' || open.operation !== entry.operation) {
    throw broken(entry, `ends operation ${entry.operation} of step ${entry.step}, which is not open`);
  }
  const { result: _earlier, ...rest } = open;
  return put(state, entry.reverse === true, {
    ...rest,
    status: entry.outcome,
    endedAt: entry.time,
    ...(entry.result === undefined ? {} : { result: entry.result }),
    ...(entry.message === undefined ? {} : { message: entry.message }),
    ...(entry.code === undefined ? {} : { code: entry.code }),
    ...(entry.touched === undefined || open.touched === true ? {} : { touched: entry.touched }),
  });
}

/** A halted run goes forward again, with its failed steps to be tried once more; one that was going back goes on back. */
function reopen(state: RunState, entry: Resumed): RunState {
  const { ended, ...rest } = state;
  if (ended !== undefined && ended.outcome !== 'mixed')
    throw broken(entry, `resumes a run that ended ${ended.outcome}`);
  const base = {
    ...rest,
    probes: [...state.probes, ...unwatched(state)],
    resumed: [...state.resumed, { by: entry.by, at: entry.time, idleSince: state.workedAt }],
  };
  if (state.wentBack !== undefined) {
    return { ...base, direction: 'back', turn: state.wentBack, reverses: retried(state.reverses) };
  }
  const { turn: _turn, ...forward } = base;
  return { ...forward, direction: 'forward', steps: retried(state.steps) };
}

function told(state: RunState, event: RunEvent): RunState {
  const { sequence: eventSequence } = event;
  if (event.type !== 'probe.changed') return { ...state, ...observed(state, event), eventSequence };
  const { name, verdict, reason, at, latencyMs } = event;
  const finding = { name, verdict, reason, at, ...(latencyMs === undefined ? {} : { latencyMs }) };
  return { ...state, eventSequence, probes: [...state.probes, finding] };
}

/** Nobody knows how the routes were between the last sign of the process that measured them and the one that goes on. */
function unwatched({ probes, workedAt: at }: RunState): readonly ProbeFinding[] {
  const names = [...new Set(probes.map(({ name }) => name))];
  return names.map((name) => ({ name, verdict: 'unknown', reason: 'nobody measured until the run was resumed', at }));
}

function retried(steps: ReadonlyMap<string, StepState>): ReadonlyMap<string, StepState> {
  return new Map([...steps].map(([id, s]) => [id, s.status === 'failed' ? { ...s, status: 'pending' as const } : s]));
}

/** Ended in a way that is not tried again. */
function isOver({ status }: StepState): boolean {
  return status === 'done' || status === 'skipped' || status === 'warned';
}

function put(state: RunState, reverse: boolean, step: StepState): RunState {
  const target = reverse ? 'reverses' : 'steps';
  return { ...state, [target]: new Map(state[target]).set(step.step.id, step) };
}

function broken(entry: JournalEntry, what: string, options: { next?: string } = {}): BackstayError {
  return new BackstayError('JOURNAL_BROKEN', `journal of run ${entry.run}: entry ${entry.sequence} ${what}`, {
    ...options,
    details: { run: entry.run, sequence: entry.sequence },
  });
}
