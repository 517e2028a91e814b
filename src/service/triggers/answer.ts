import { newRunId } from '../../actions/rollback.ts';
import { BackstayError } from '../../errors/index.ts';
import type { Plan, Proposal } from '../../model/index.ts';
import { carryOut, problemOf } from './advance.ts';
import type { TriggerDeps } from './look.ts';
import { closed, started, troubled } from './proposal.ts';
import { change, read, readAll } from './records.ts';

/** @throws PROPOSAL_UNKNOWN */
export async function proposalOf(id: string, { records }: Pick<TriggerDeps, 'records'>): Promise<Proposal> {
  const found = await read(records, 'proposal', id);
  if (found !== undefined) return found.value;
  throw new BackstayError('PROPOSAL_UNKNOWN', `There is no proposal ${id}.`);
}

/** One with its plan, where that is still kept. @throws PROPOSAL_UNKNOWN */
export async function proposalSeen(
  id: string,
  deps: Pick<TriggerDeps, 'records'>,
): Promise<Proposal & { readonly planDetail?: Plan }> {
  const found = await proposalOf(id, deps);
  const kept = found.plan === undefined ? undefined : await deps.records.get('plan', found.plan);
  return { ...found, ...(kept === undefined ? {} : { planDetail: kept.value as unknown as Plan }) };
}

/** Newest first; without `asked` all of them. */
export async function proposals(
  { records }: Pick<TriggerDeps, 'records'>,
  asked: { readonly stack?: string; readonly state?: Proposal['state'] } = {},
): Promise<readonly Proposal[]> {
  const { stack, state } = asked;
  return (await readAll(records, 'proposal', { newestFirst: true }))
    .map(({ value }) => value)
    .filter((one) => (stack === undefined || one.stack === stack) && (state === undefined || one.state === state));
}

/** A person's answer. */
export interface Answer {
  /** The principal's id. */
  readonly by: string;
  /** Whose it is. */
  readonly person?: string;
  readonly reason?: string;
}

/**
 * Begins what a proposal asks for, in the person's name; it is journaled when this returns, and carried by whichever service
 * is first. @throws PROPOSAL_UNKNOWN, PROPOSAL_DECIDED, and what refuses a run: then it may be decided about again
 */
export async function accept(
  id: string,
  { by, person, reason }: Answer,
  deps: Omit<TriggerDeps, 'stack'>,
  begin: typeof carryOut = carryOut,
): Promise<Proposal & { readonly run: string }> {
  const { records, clock, journal } = deps;
  const { plan, state, problem } = await proposalOf(id, deps);
  if (plan === undefined && (state === 'open' || state === 'planning'))
    throw new BackstayError(
      'PROPOSAL_DECIDED',
      `The proposal ${id} has no plan: ${problem?.message ?? 'it is being made'}.`,
      {
        next: problem?.next ?? 'Ask again in a moment.',
      },
    );
  const run = newRunId(clock.now());
  const whose = person === undefined ? {} : { person };
  const start = { plan: plan ?? '', run, by, ...whose, ...(reason === undefined ? {} : { because: reason }) };
  const written = await change(records, 'proposal', id, (then) => started(then, start, clock.now()));
  if (written?.value.run !== run) throw decided(written?.value ?? (await proposalOf(id, deps)));
  try {
    await begin(written.value, deps);
  } catch (error) {
    if ((await journal.read(run)).length === 0) {
      const refusal = problemOf(error);
      await change(records, 'proposal', id, (then) => (then.run === run ? troubled(then, refusal, false) : undefined));
      throw error;
    }
  }
  return { ...written.value, run };
}

/** @throws PROPOSAL_UNKNOWN, PROPOSAL_DECIDED */
export async function dismiss(
  id: string,
  { by, reason = '' }: Answer,
  deps: Pick<TriggerDeps, 'records' | 'clock'>,
): Promise<Proposal> {
  const { records, clock } = deps;
  await proposalOf(id, deps);
  let isOurs = false;
  const written = await change(records, 'proposal', id, (then) => {
    const next = closed(then, { state: 'dismissed', because: reason, by }, clock.now());
    isOurs = next !== undefined;
    return next;
  });
  const now = written?.value ?? (await proposalOf(id, deps));
  if (!isOurs) throw decided(now);
  return now;
}

function decided({ id, state, by, run, because }: Proposal): BackstayError {
  const who = by === undefined ? '' : ` by ${by}`;
  const why = run === undefined ? (because ?? '') : `run ${run}`;
  return new BackstayError(
    'PROPOSAL_DECIDED',
    `The proposal ${id} is ${state} already${who}${why === '' ? '' : ` (${why})`}.`,
    {
      ...(run === undefined ? {} : { next: `Run \`backstay watch ${run}\`.` }),
      details: { id, state },
    },
  );
}
