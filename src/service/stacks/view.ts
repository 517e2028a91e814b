import { listSnapshots, type SnapshotRow } from '../../actions/snapshots.ts';
import { isBackstayError } from '../../errors/index.ts';
import { fold, type RunState } from '../../journal/index.ts';
import type { Digest, Proposal, Stack, TriggerPolicy } from '../../model/index.ts';
import type { ServiceDeps } from '../deps.ts';
import { claimIn } from '../dispatch/claim.ts';
import { type ScheduleView, scheduleViews } from '../schedules/records.ts';
import { type StackState, stateOf } from './state.ts';

/** A stack at a glance: what its file, the journal and the snapshots say. The cluster is not asked. */
export interface StackView {
  readonly name: string;
  readonly namespaces: readonly string[];
  readonly checks: number;
  /** Why the file, the snapshots or the journal cannot be used; what is missing then is missing here. */
  readonly problem?: string;
  readonly state?: StackState;
  /** The run that the state is about. */
  readonly run?: string;
  readonly lastRun?: { readonly run: string; readonly outcome: string; readonly endedAt: string };
  readonly lastKnownGood?: { readonly id: Digest; readonly labels: readonly string[]; readonly capturedAt: string };
  /** Versions that went wrong and that nobody has released. */
  readonly holds?: number;
  readonly triggers?: TriggerPolicy['mode'];
  readonly openProposals: number;
}

export interface StackDetail extends StackView {
  readonly policy?: {
    readonly severities: readonly SeverityView[];
    readonly roles: readonly string[];
    readonly requireReason: boolean;
    readonly requireSeverity: boolean;
  };
  readonly flags?: readonly string[];
  readonly stores?: readonly { readonly name: string; readonly kind: string }[];
  readonly notifications?: readonly string[];
  readonly schedules?: readonly ScheduleView[];
}

export interface SeverityView {
  readonly name: string;
  readonly advice?: string;
  readonly approval?: { readonly roles: readonly string[]; readonly when: string; readonly count: number };
}

type Deps = Pick<ServiceDeps, 'journal' | 'records' | 'clock' | 'by' | 'stack' | 'withStack'>;

/** Never throws for what is wrong with this one stack: it is listed, with its fault. @throws STACK_UNKNOWN */
export async function stackView(name: string, deps: Deps): Promise<StackView> {
  return (await look(name, deps)).view;
}

/** @throws STACK_UNKNOWN */
export async function stackDetail(name: string, deps: Deps): Promise<StackDetail> {
  const { view, stack } = await look(name, deps);
  if (stack === undefined) return view;
  const schedules = await scheduleViews(stack, { records: deps.records, now: deps.clock.now() });
  return { ...view, ...policyOf(stack), schedules };
}

async function look(name: string, deps: Deps): Promise<{ readonly view: StackView; readonly stack?: Stack }> {
  const openProposals = await openProposalsOf(name, deps);
  let stack: Stack;
  try {
    stack = await deps.stack(name);
  } catch (error) {
    if (!isBackstayError(error) || error.code === 'STACK_UNKNOWN') throw error;
    return { view: { name, namespaces: [], checks: 0, problem: error.message, openProposals } };
  }
  const { namespaces, checks, triggers } = stack;
  const parts = await Promise.all([seen(runsOf(stack, deps)), seen(snapshotsOf(name, deps))]);
  const problems = parts.flatMap(({ problem }) => problem ?? []);
  const view: StackView = {
    name,
    namespaces,
    checks: checks.length,
    ...(problems.length === 0 ? {} : { problem: problems.join('\n') }),
    ...parts[0].value,
    ...parts[1].value,
    ...(triggers === undefined ? {} : { triggers: triggers.mode }),
    openProposals,
  };
  return { view, stack };
}

async function seen<T>(asked: Promise<T>): Promise<{ readonly value?: T; readonly problem?: string }> {
  try {
    return { value: await asked };
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return { problem: error.message };
  }
}

type Runs = Pick<StackView, 'state' | 'run' | 'lastRun'>;

/** What its newest run makes of a stack. @throws JOURNAL_BROKEN */
export async function runsOf(
  stack: Pick<Stack, 'name' | 'cluster'>,
  { journal, records, clock }: Pick<Deps, 'journal' | 'records' | 'clock'>,
): Promise<Runs> {
  const runs = await journal.runs(stack.name);
  const [newest] = runs;
  if (newest === undefined) return { state: 'idle' };
  const state = fold(await journal.read(newest.run));
  const claim = await records.get('claim', newest.run);
  const is = stateOf(state, {
    claimed: claim !== undefined && claimIn(claim).stuck !== true,
    now: clock.now(),
    leaseMs: stack.cluster.leaseDurationMs,
  });
  const over = state.ended === undefined && runs[1] !== undefined ? fold(await journal.read(runs[1].run)) : state;
  return { state: is, ...(is === 'idle' ? {} : { run: newest.run }), ...lastOf(over) };
}

function lastOf({ run, ended }: RunState): Pick<StackView, 'lastRun'> {
  return ended === undefined ? {} : { lastRun: { run, outcome: ended.outcome, endedAt: ended.at } };
}

async function snapshotsOf(name: string, deps: Deps): Promise<Pick<StackView, 'lastKnownGood' | 'holds'>> {
  const { rows } = await deps.withStack(name, deps.by, async ({ store }) => await listSnapshots(name, { store }));
  const good = rows.find(({ knownGood, removed }) => knownGood && removed === undefined);
  return {
    ...(good === undefined ? {} : { lastKnownGood: glance(good) }),
    holds: new Set(rows.filter(({ held }) => held !== undefined).map(({ id }) => id)).size,
  };
}

function glance({ id, labels, capturedAt }: SnapshotRow) {
  return { id, labels, capturedAt };
}

async function openProposalsOf(name: string, { records }: Deps): Promise<number> {
  const proposals = await records.list('proposal');
  return proposals.filter(({ value }) => {
    const { stack, state } = value as unknown as Pick<Proposal, 'stack' | 'state'>;
    return stack === name && state === 'open';
  }).length;
}

function policyOf(stack: Stack): Omit<StackDetail, keyof StackView | 'schedules'> {
  const { approvals, requireReason, flags, stores, notifications } = stack;
  return {
    policy: {
      severities: Object.entries(approvals.severities).map(([name, { advice, approval }]) => ({
        name,
        ...(advice === undefined ? {} : { advice }),
        ...(approval === undefined
          ? {}
          : { approval: { roles: approval.roles, when: approval.when, count: approval.count } }),
      })),
      roles: Object.keys(approvals.approvers),
      requireReason,
      requireSeverity: approvals.requireSeverity,
    },
    flags: flags.map(({ name }) => name),
    stores: stores.map(({ name, kind }) => ({ name, kind })),
    notifications: notifications?.channels.map(({ name }) => name) ?? [],
  };
}
