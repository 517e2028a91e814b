import { newRunId } from '../../actions/rollback.ts';
import { type BackstayError, isBackstayError } from '../../errors/index.ts';
import type { Proposal } from '../../model/index.ts';
import { askForRun } from '../ask.ts';
import { whyOf } from '../log.ts';
import { keptPlan } from '../plans.ts';
import { NO_POLICY, type TriggerDeps, type View } from './look.ts';
import { asked, closed, opened, started, troubled, withAlerts } from './proposal.ts';
import { change, readAll, seenOf, type Versioned, write } from './records.ts';
import { planFor } from './planning.ts';

/** What is done in the cluster's and the journal's sight; tests put others in their place. */
export interface Doing {
  readonly plan: typeof planFor;
  readonly begin: typeof carryOut;
}

export interface Advanced {
  /** Something was written: look again before anything else. */
  readonly hasMoved: boolean;
  /** When what failed is to be tried again, milliseconds since the epoch. */
  readonly retry?: number;
}

const NOTHING: Advanced = { hasMoved: false };
const MOVED: Advanced = { hasMoved: true };
/** Milliseconds. */
const RETRY_MS = 15_000;

/** The proposal of a stack on its way: planned, started, and out of the place when it is over. */
export async function advance(view: View, deps: TriggerDeps, doing: Doing = DOING): Promise<Advanced> {
  const { stack, policy, slot, proposal, pending, taken } = view;
  const id = slot?.value.open;
  if (id === undefined) return NOTHING;
  if (proposal === undefined) {
    // Whoever took the place was killed. Alerts that it took are proposed; else it is used by the next ones, or given back.
    if (policy === undefined || taken.length === 0)
      return policy !== undefined && pending.length > 0 ? NOTHING : await leave(view, deps);
    const value = opened({ id, stack, alerts: taken }, policy, deps.clock.now());
    await write(deps.records, 'proposal', { key: id, version: 0, value });
    return MOVED;
  }
  switch (proposal.value.state) {
    case 'planning':
      return await plan(view, proposal, deps, doing);
    case 'started':
      return await begin(view, proposal.value, deps, doing);
    case 'open': {
      let hasMoved = false;
      await change(deps.records, 'proposal', proposal.key, (then) => {
        const next = withAlerts(then, taken);
        hasMoved = next !== undefined;
        return next;
      });
      return { hasMoved };
    }
    default:
      return await leave(view, deps);
  }
}

async function leave({ stack, slot }: View, { records }: TriggerDeps): Promise<Advanced> {
  const open = slot?.value.open;
  await change(records, 'trigger', stack, (then) => (then.open === open ? {} : undefined));
  return MOVED;
}

async function plan(
  view: View,
  { key, value: proposal }: Versioned<Proposal>,
  deps: TriggerDeps,
  doing: Doing,
): Promise<Advanced> {
  const { records, clock } = deps;
  const { policy } = view;
  const set = async (next: (then: Proposal) => Proposal | undefined): Promise<Advanced> => {
    await change(records, 'proposal', key, next);
    return MOVED;
  };
  if (policy === undefined) {
    return await set((then) => closed(then, { state: 'expired', because: NO_POLICY }, clock.now()));
  }
  try {
    const made = await doing.plan(proposal, policy, deps);
    if (made.kind === 'nothing-to-do') {
      const because = `nothing differs from ${proposal.target}: the fault is not one of the version`;
      return await set((then) => closed(then, { state: 'settled', because }, clock.now()));
    }
    const { plan: frozen, person } = made;
    if (person !== undefined) return await set((then) => asked(then, frozen, person));
    if (await isOver(view.stack, key, deps)) {
      const because = 'its alerts were over before anything was begun';
      return await set((then) => closed(then, { state: 'settled', because }, clock.now()));
    }
    const start = { plan: frozen.hash, run: newRunId(clock.now()) };
    return await set((then) => started(then, start, clock.now()));
  } catch (error) {
    return await trouble(proposal, error, policy.staleMs, deps);
  }
}

/** Planning takes a while, and what it was for may have passed. */
async function isOver(stack: string, proposal: string, { records }: TriggerDeps): Promise<boolean> {
  const alerts = await readAll(records, 'alert', { prefix: `${stack}/` });
  const own = alerts.filter(({ value }) => value.proposal === proposal).map(seenOf);
  return own.length > 0 && own.every(({ resolvedAt }) => resolvedAt !== undefined);
}

/** Asks for the run that the proposal names, if nobody has: it is the same one however often it is asked for. */
async function begin(view: View, proposal: Proposal, deps: TriggerDeps, doing: Doing): Promise<Advanced> {
  const { records, clock, journal } = deps;
  const { run, decidedAt, id } = proposal;
  if (run !== undefined && (await journal.read(run)).length > 0) return await leave(view, deps);
  const patience = view.policy?.staleMs ?? 0;
  if (clock.now() - Date.parse(decidedAt ?? proposal.createdAt) > patience) {
    const problem = { code: 'PLAN_STALE', message: 'The run could not be begun in time.' };
    await change(records, 'proposal', id, (then) => troubled(then, problem, false));
    return MOVED;
  }
  try {
    await doing.begin(proposal, deps);
    return await leave(view, deps);
  } catch (error) {
    // Two that ask at once for the one run: it is there, and this one was late.
    if (run !== undefined && (await journal.read(run)).length > 0) return await leave(view, deps);
    return await trouble(proposal, error, patience, deps);
  }
}

/** @throws what refuses a run; PLAN_UNKNOWN where the plan was too old to be kept */
export async function carryOut(
  { plan: hash = '', run = '', by, person }: Proposal,
  deps: Pick<TriggerDeps, 'records' | 'journal' | 'clock' | 'by' | 'withStack'>,
): Promise<void> {
  const frozen = await keptPlan(hash, deps);
  const trigger = by === undefined ? 'alert' : 'person';
  const whose = person === undefined ? {} : { person };
  await askForRun({ plan: frozen, run, trigger, by: by ?? deps.by.user, ...whose }, deps);
}

const DOING: Doing = { plan: planFor, begin: carryOut };

/** What lies outside and may be there again in a moment. */
const PASSING: ReadonlySet<BackstayError['code']> = new Set([
  'CLUSTER_UNREACHABLE',
  'JOURNAL_UNREACHABLE',
  'SNAPSHOTS_UNREACHABLE',
  'STORE_UNREACHABLE',
  'ENDPOINT_UNREACHABLE',
  'TIMEOUT',
]);

/** A person is asked where trying again helps nothing, or helped nothing for too long. */
async function trouble(
  { id, createdAt }: Proposal,
  error: unknown,
  patienceMs: number,
  { records, clock }: TriggerDeps,
): Promise<Advanced> {
  const now = clock.now();
  const retrying = isBackstayError(error) && PASSING.has(error.code) && now - Date.parse(createdAt) < patienceMs;
  await change(records, 'proposal', id, (then) => troubled(then, problemOf(error), retrying));
  return retrying ? { hasMoved: false, retry: now + RETRY_MS } : MOVED;
}

/** Messages of ours hold no secrets; of anything else only its name is told. */
export function problemOf(error: unknown): NonNullable<Proposal['problem']> {
  return { ...whyOf(error), ...(isBackstayError(error) ? { next: error.next } : {}) };
}
