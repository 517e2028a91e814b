import type { ServiceClient } from '../../client/index.ts';
import type { RemoteRun } from '../commands.ts';
import { acceptProposal, dismissProposal, listProposals, type ProposalDesk } from '../proposals.ts';

export const list: RemoteRun = async (invocation, { client }) => await listProposals(invocation, deskOf(client));

export const accept: RemoteRun = async (invocation, { client }) => await acceptProposal(invocation, deskOf(client));

export const dismiss: RemoteRun = async (invocation, { client }) => await dismissProposal(invocation, deskOf(client));

function deskOf(client: ServiceClient): ProposalDesk {
  return {
    list: async (asked) => await client.proposals(asked),
    see: async (id) => await client.proposal(id),
    accept: async (id, reason) => await client.acceptProposal(id, reason),
    dismiss: async (id, reason) => await client.dismissProposal(id, reason),
  };
}
