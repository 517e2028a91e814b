import { isBackstayError } from '../../errors/index.ts';
import { fold, type RunState } from '../../journal/index.ts';
import type { Proposal, TriggerPolicy } from '../../model/index.ts';
import { changedStack } from '../../rollback/index.ts';
import type { ServiceDeps } from '../deps.ts';
import type { PastRun, SeenAlert } from './decide.ts';
import { type AlertRecord, read, readAll, seenOf, type Slot, type Versioned } from './records.ts';

export type TriggerDeps = Pick<ServiceDeps, 'records' | 'journal' | 'clock' | 'by' | 'stack' | 'withStack'>;

/** All that decides what a stack's alerts start, read at one moment. */
export interface View {
  readonly stack: string;
  /** Absent: the stack file asks for nothing of alerts (any more). */
  readonly policy?: TriggerPolicy;
  readonly slot?: Versioned<Slot>;
  /** The one that the slot names; absent as well when whoever took the place has not written it yet. */
  readonly proposal?: Versioned<Proposal>;
  readonly pending: readonly SeenAlert[];
  /** Alerts of the proposal. */
  readonly taken: readonly SeenAlert[];
  readonly runs: readonly PastRun[];
}

/** What is said of alerts and proposals then. */
export const NO_POLICY = 'the stack asks for nothing of alerts any more';
/** Older runs decide nothing: quiet times are shorter, and what is unfinished keeps later ones from beginning. */
const RUNS_ASKED = 10;
/** Milliseconds for which it can be seen what became of an alert. */
const KEPT_MS = 7 * 24 * 60 * 60_000;

/** Undefined where there is nothing to decide: neither alerts nor a proposal. @throws as `settle` */
export async function lookAt(stack: string, deps: Omit<TriggerDeps, 'by' | 'withStack'>): Promise<View | undefined> {
  const { records } = deps;
  const alerts = await readAll(records, 'alert', { prefix: `${stack}/` });
  await forgetOld(alerts, deps);
  const pending = alerts.filter(({ value }) => value.state === 'pending').map(seenOf);
  const slot = await read(records, 'trigger', stack);
  const open = slot?.value.open;
  if (pending.length === 0 && open === undefined) return undefined;
  const proposal = open === undefined ? undefined : await read(records, 'proposal', open);
  const triggers = await policyOf(stack, deps);
  return {
    stack,
    pending,
    taken: alerts.filter(({ value }) => open !== undefined && value.proposal === open).map(seenOf),
    runs: await pastRuns(stack, deps),
    ...(slot === undefined ? {} : { slot }),
    ...(proposal === undefined ? {} : { proposal }),
    ...(triggers === undefined ? {} : { policy: triggers }),
  };
}

/** Of a stack that is gone there is none. @throws STACK_INVALID: it may be mended, and is looked at again */
async function policyOf(name: string, { stack }: Pick<TriggerDeps, 'stack'>): Promise<TriggerPolicy | undefined> {
  try {
    return (await stack(name)).triggers;
  } catch (error) {
    if (isBackstayError(error, 'STACK_UNKNOWN')) return undefined;
    throw error;
  }
}

async function forgetOld(
  alerts: readonly Versioned<AlertRecord>[],
  { records, clock }: Pick<TriggerDeps, 'records' | 'clock'>,
): Promise<void> {
  const oldest = clock.now() - KEPT_MS;
  const old = alerts.filter(({ value }) => value.state !== 'pending' && Date.parse(value.receivedAt) < oldest);
  for (const { key, version } of old) await records.remove('alert', key, version);
}

/** A journal that cannot be read hides nothing: asking for a run by itself is refused where any of them is damaged. */
async function pastRuns(stack: string, { journal }: Pick<TriggerDeps, 'journal'>): Promise<readonly PastRun[]> {
  const known = (await journal.runs(stack)).slice(0, RUNS_ASKED);
  const runs = await Promise.all(
    known.map(async ({ run }) => {
      try {
        return [pastRun(fold(await journal.read(run)))];
      } catch (error) {
        if (isBackstayError(error, 'JOURNAL_BROKEN')) return [];
        throw error;
      }
    }),
  );
  return runs.flat();
}

function pastRun(state: RunState): PastRun {
  const { run, startedAt, ended, plan, undoes, trigger } = state;
  const moved = changedStack(state) || ended?.outcome === 'returned';
  return {
    run,
    startedAt: Date.parse(startedAt),
    ...(ended === undefined ? {} : { endedAt: Date.parse(ended.at) }),
    isMixed: ended?.outcome === 'mixed',
    // A release by a pipeline is no rollback: alerts after it are what triggers are for. What alerts began and failed is not
    // begun again by the next one.
    isAnswer: trigger === 'alert' || (moved && (plan.options.hold || undoes !== undefined)),
  };
}
