import { BackstayError } from '../errors/index.ts';
import type { Trigger } from '../journal/index.ts';
import { holdsInForce, type Plan } from '../model/index.ts';
import type { JournalStore, SnapshotStore } from '../ports/index.ts';
import { needsPerson, runsOf } from '../rollback/index.ts';
import { parted, trustedAmong } from './snapshots.ts';

export { type Trigger, TRIGGERS } from '../journal/index.ts';

/** Before a run starts. Costs nothing where a person started it. @throws PERSON_NEEDED, JOURNAL_BROKEN */
export async function requirePerson(
  { plan, trigger }: { readonly plan: Plan; readonly trigger: Trigger },
  { journal, store }: { readonly journal: JournalStore; readonly store: SnapshotStore },
): Promise<void> {
  if (trigger === 'person') return;
  const runs = await runsOf(plan.stack, { journal });
  const held = holdsInForce(trustedAmong(parted(await store.list(plan.stack)).sightings));
  const why = needsPerson({ trigger, plan, runs, holding: new Set(held.map(({ run }) => run)) });
  if (why === undefined) return;
  throw new BackstayError('PERSON_NEEDED', `${plan.stack} is not taken back by ${trigger}: ${why}.`, {
    details: { trigger },
  });
}
