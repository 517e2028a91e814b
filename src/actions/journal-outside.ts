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
  /** Absent: the snapshots are files of this machine. */
  readonly snapshotsAddress?: JournalAddress;
}

/**
 * Before anything happens: a journal, or snapshots, inside what is taken back are refused. The run would forget what it has
 * done, or what it may go back to. @throws JOURNAL_INSIDE, SNAPSHOTS_INSIDE
 */
export async function requireJournalOutside(plan: Plan, deps: OutsideDeps): Promise<void> {
  const { stack, cluster, journalName, journalAddress, snapshotsAddress } = deps;
  if (journalAddress === undefined && snapshotsAddress === undefined) return;
  const isAsked = plan.options.databaseLease === undefined;
  const [services, pods] = await Promise.all(
    ['Service', 'Pod'].map(async (kind) => (isAsked ? await listed(kind, stack, cluster) : [])),
  );
  const insideOf = (address: JournalAddress | undefined): string | undefined =>
    address && journalInside(address, { plan, stack, services: services ?? [], pods: pods ?? [] });
  const inside = insideOf(journalAddress);
  if (inside !== undefined) {
    throw new BackstayError('JOURNAL_INSIDE', `the journal ${journalName} lies in ${inside}`, {
      details: { journal: journalName, inside },
    });
  }
  const kept = insideOf(snapshotsAddress);
  if (kept === undefined) return;
  throw new BackstayError('SNAPSHOTS_INSIDE', `the snapshots lie in ${kept}`, {
    details: { inside: kept, ...snapshotsAddress },
  });
}

async function listed(kind: string, { namespaces }: Stack, cluster: Cluster): Promise<readonly KubeObject[]> {
  const known = await cluster.kindOf('v1', kind);
  if (known === undefined) return [];
  const lists = await Promise.all(namespaces.map(async (namespace) => await cluster.list(known, { namespace })));
  return lists.flatMap(({ items }) => items);
}
