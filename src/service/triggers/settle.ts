import type { TriggerPolicy } from '../../model/index.ts';
import { advance, type Doing } from './advance.ts';
import { decide, type Move, type SeenAlert } from './decide.ts';
import { lookAt, NO_POLICY, type TriggerDeps, type View } from './look.ts';
import { closed, isUndecided, newProposalId, opened, withAlerts } from './proposal.ts';
import { type AlertRecord, change, write } from './records.ts';

/** Others that write the same records all the time are given way to; the next look is soon. */
const ROUNDS = 20;

/**
 * Does all that a stack's alerts ask for now, and says when to look again (milliseconds since the epoch; undefined: when
 * something happens). Safe to be killed at any point and to be done by several services at once: what is next follows from
 * the records alone, and each is replaced only as it was read.
 * @throws what the stores and the stack file throw: nothing is decided then
 */
export async function settle(stack: string, deps: TriggerDeps, doing?: Doing): Promise<number | undefined> {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const view = await lookAt(stack, deps);
    if (view === undefined) return undefined;
    const { retry, hasMoved } = await advance(view, deps, doing);
    if (hasMoved) continue;
    // What was begun is finished first.
    if (view.proposal?.value.state === 'started') return retry;
    if (view.policy === undefined) return await giveUp(view, deps);
    const { moves, again } = decide(situationOf(view, view.policy, deps.clock.now()));
    if (moves.length === 0) return earlier(again, retry);
    for (const move of moves) await carry(move, view, view.policy, deps);
  }
  return deps.clock.now();
}

/** The stack is gone, or its file asks for nothing any more. */
async function giveUp({ pending, proposal }: View, deps: TriggerDeps): Promise<undefined> {
  await mark(pending, { state: 'ignored', because: NO_POLICY }, deps);
  if (proposal === undefined) return;
  const now = deps.clock.now();
  await change(deps.records, 'proposal', proposal.key, (then) =>
    closed(then, { state: 'expired', because: NO_POLICY }, now),
  );
}

function situationOf(view: View, policy: TriggerPolicy, now: number): Parameters<typeof decide>[0] {
  const { pending, taken, runs, proposal } = view;
  const open =
    proposal !== undefined && isUndecided(proposal.value) ? { proposal: proposal.value, alerts: taken } : undefined;
  return { now, policy, pending, runs, ...(open === undefined ? {} : { open }) };
}

async function carry(move: Move, view: View, policy: TriggerPolicy, deps: TriggerDeps): Promise<void> {
  const now = deps.clock.now();
  switch (move.kind) {
    case 'ignore':
      return await mark(move.alerts, { state: 'ignored', because: move.because }, deps);
    case 'settle':
      return await mark(move.alerts, { state: 'settled' }, deps);
    case 'join': {
      const { proposal, alerts } = move;
      const joined = await change(deps.records, 'proposal', proposal, (then) => withAlerts(then, alerts));
      // Decided about in this moment: the alerts stay pending, and are looked at again.
      if (joined !== undefined && isUndecided(joined.value)) await mark(alerts, { state: 'taken', proposal }, deps);
      return;
    }
    case 'propose':
      return await propose(move.alerts, view, policy, deps);
    case 'close': {
      const { proposal, state, because } = move;
      await change(deps.records, 'proposal', proposal, (then) => closed(then, { state, because }, now));
    }
  }
}

/**
 * The place comes first, then the alerts, then the proposal: of two services one finds the place taken, and what a killed one
 * began is finished, without any alert that is in the proposal asking for another.
 */
async function propose(
  alerts: readonly SeenAlert[],
  { stack, slot, taken }: View,
  policy: TriggerPolicy,
  { records, clock }: TriggerDeps,
): Promise<void> {
  const now = clock.now();
  const id = slot?.value.open ?? newProposalId(now);
  if (slot?.value.open === undefined) {
    const place = { key: stack, version: slot?.version ?? 0, value: { open: id } };
    if ((await write(records, 'trigger', place)) === undefined) return;
  }
  await mark(alerts, { state: 'taken', proposal: id }, { records });
  const value = opened({ id, stack, alerts: [...taken, ...alerts] }, policy, now);
  await write(records, 'proposal', { key: id, version: 0, value });
}

type Verdict = Pick<AlertRecord, 'state' | 'because' | 'proposal'>;

async function mark(
  alerts: readonly SeenAlert[],
  verdict: Verdict,
  { records }: Pick<TriggerDeps, 'records'>,
): Promise<void> {
  for (const { key } of alerts)
    await change(records, 'alert', key, (then) => (then.state === 'pending' ? { ...then, ...verdict } : undefined));
}

function earlier(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
