import { BackstayError } from '../errors/index.ts';
import type { KubeObject, Plan, Stack } from '../model/index.ts';
import { type JournalAddress, journalInside } from '../plan/index.ts';
import type { Cluster } from '../ports/index.ts';

interface OutsideDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly journalName: string;
  /** Absent: the journal is a file of this machine. */
  readonly journalAddress?: JournalAddress;
}

/** Before anything happens: a journal inside what is taken back is refused. @throws JOURNAL_INSIDE */
export async function requireJournalOutside(plan: Plan, deps: OutsideDeps): Promise<void> {
  const { stack, cluster, journalName, journalAddress } = deps;
  if (journalAddress === undefined) return;
  const isAsked = plan.options.databaseLease === undefined;
  const [services, pods] = await Promise.all(
    ['Service', 'Pod'].map(async (kind) => (isAsked ? await listed(kind, stack, cluster) : [])),
  );
  const inside = journalInside(journalAddress, { plan, stack, services: services ?? [], pods: pods ?? [] });
  if (inside === undefined) return;
  throw new BackstayError('JOURNAL_INSIDE', `the journal ${journalName} lies in ${inside}`, {
    details: { journal: journalName, inside },
  });
}

async function listed(kind: string, { namespaces }: Stack, cluster: Cluster): Promise<readonly KubeObject[]> {
  const known = await cluster.kindOf('v1', kind);
  if (known === undefined) return [];
  const lists = await Promise.all(namespaces.map(async (namespace) => await cluster.list(known, { namespace })));
  return lists.flatMap(({ items }) => items);
}
