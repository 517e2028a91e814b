import type { ProposalSeen, ProposalsAsked } from '../client/index.ts';
import { BackstayError } from '../errors/index.ts';
import { type Proposal, PROPOSAL_STATES } from '../model/index.ts';
import type { Invocation } from './commands.ts';
import { confirmByName } from './confirm.ts';
import { textOf } from './plan-options.ts';
import { renderPlan } from './render/plan.ts';
import { tellAccepted, tellDismissed, tellProposals } from './render/proposals.ts';

/** Who knows the proposals: the records of this machine, or a service. */
export interface ProposalDesk {
  list(asked: ProposalsAsked): Promise<readonly Proposal[]>;
  see(id: string): Promise<ProposalSeen>;
  accept(id: string, reason?: string): Promise<{ readonly run: string; readonly proposal: Proposal }>;
  dismiss(id: string, reason: string): Promise<Proposal>;
}

/** @throws USAGE for a state that is none */
export async function listProposals(
  { args: [stack], options, terminal }: Invocation,
  desk: ProposalDesk,
): Promise<number> {
  const given = textOf(options['state']);
  const state = PROPOSAL_STATES.find((one) => one === given);
  if (given !== undefined && state === undefined)
    throw new BackstayError('USAGE', `--state ${given} is not one of ${PROPOSAL_STATES.join(', ')}.`);
  const asked = { ...(stack === undefined ? {} : { stack }), ...(state === undefined ? {} : { state }) };
  return tellProposals(await desk.list(asked), terminal);
}

/** Shows the plan before it asks. The plan of a proposal that is open is never another one. */
export async function acceptProposal(
  { args: [id = ''], options, terminal }: Invocation,
  desk: ProposalDesk,
): Promise<number> {
  const { planDetail: plan, ...proposal } = await desk.see(id);
  // It may be made before the next look, and nobody would have seen it.
  if (proposal.state === 'planning')
    throw new BackstayError('PROPOSAL_DECIDED', `The plan of the proposal ${id} is still being made.`, {
      next: 'Ask again in a moment.',
    });
  if (plan !== undefined && proposal.state === 'open') {
    terminal.note(renderPlan(plan, terminal.err));
    if (options['yes'] !== true)
      await confirmByName(terminal, proposal.stack, `Carry this out on ${proposal.stack}, as ${id} asks for?`);
  }
  // What cannot be accepted is refused with its reason, by whoever knows it.
  return tellAccepted(await desk.accept(id, textOf(options['reason'])), terminal);
}

/** @throws USAGE without a reason */
export async function dismissProposal(
  { args: [id = ''], options, terminal }: Invocation,
  desk: ProposalDesk,
): Promise<number> {
  const reason = (textOf(options['reason']) ?? '').trim();
  if (reason === '')
    throw new BackstayError('USAGE', 'To dismiss a proposal needs --reason: it is what those who were alerted read.');
  return tellDismissed(await desk.dismiss(id, reason), terminal);
}
