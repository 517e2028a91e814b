import type { Proposal } from '../../model/index.ts';
import type { Terminal } from '../output.ts';
import { table } from './table.ts';
import { age } from './time.ts';

export function tellProposals(items: readonly Proposal[], terminal: Terminal): number {
  const { out } = terminal;
  terminal.result('ProposalList', { items }, () =>
    items.length === 0
      ? 'no alert has asked for a rollback'
      : table(
          ['proposal', 'stack', 'age', 'state', 'target', 'alerts', 'run', 'by', 'because'],
          items.map((item) => [
            item.id,
            item.stack,
            age(item.createdAt, Date.now()),
            item.state === 'open' ? out.warn(item.state) : item.state,
            item.target,
            [...new Set(item.alerts.map(({ name }) => name))].join(','),
            item.run ?? '',
            item.by ?? '',
            item.problem?.message ?? item.because ?? '',
          ]),
        ),
  );
  return 0;
}

export function tellAccepted(done: { readonly run: string; readonly proposal: Proposal }, terminal: Terminal): number {
  const { out } = terminal;
  terminal.result('ProposalAccepted', done, () =>
    [
      `${out.good('accepted')}  ${done.proposal.id}: run ${done.run} of ${done.proposal.stack} is journaled, for a service to carry out`,
      `  ${out.bold('next:')} backstay watch ${done.run}`,
    ].join('\n'),
  );
  return 0;
}

export function tellDismissed(proposal: Proposal, terminal: Terminal): number {
  terminal.result(
    'ProposalDismissed',
    { proposal },
    () => `dismissed  ${proposal.id} of ${proposal.stack}: nothing is started`,
  );
  return 0;
}
