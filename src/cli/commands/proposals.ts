import { readEnvironment } from '../../config/index.ts';
import type { ServiceDeps } from '../../service/deps.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { acceptProposal, dismissProposal, listProposals, type ProposalDesk } from '../proposals.ts';
import { withService } from '../with-service.ts';

export const list: CommandRun = async (invocation) =>
  await withService(invocation, async (service) => await listProposals(invocation, await deskOf(service, invocation)));

/** The run is journaled, and carried by whichever service is first. */
export const accept: CommandRun = async (invocation) =>
  await withService(invocation, async (service) => await acceptProposal(invocation, await deskOf(service, invocation)));

export const dismiss: CommandRun = async (invocation) =>
  await withService(
    invocation,
    async (service) => await dismissProposal(invocation, await deskOf(service, invocation)),
  );

async function deskOf(service: ServiceDeps, { terminal }: Invocation): Promise<ProposalDesk> {
  const answers = await import('../../service/triggers/answer.ts');
  const { user: by } = readEnvironment(terminal.env, terminal.cwd);
  return {
    list: async (asked) => await answers.proposals(service, asked),
    see: async (id) => await answers.proposalSeen(id, service),
    accept: async (id, reason) => {
      const proposal = await answers.accept(id, { by, ...(reason === undefined ? {} : { reason }) }, service);
      return { run: proposal.run, proposal };
    },
    dismiss: async (id, reason) => await answers.dismiss(id, { by, reason }, service),
  };
}
