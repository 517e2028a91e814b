import { digestOf, type PlanOptions } from '../model/index.ts';
import { makePlan } from '../plan/index.ts';
import type { DataStore } from '../ports/index.ts';
import { chooseStore } from './db.ts';
import type { DbRestorePlanned } from './db-restore.ts';
import { takeInventory } from './inventory.ts';
import { type PlanDeps, requireClusterOfStack, requireKnownPlaceholders } from './plan.ts';
import { quiesceFor } from './plan-quiesce.ts';

/**
 * The plan that backs every store of the stack up at one moment: what writes is stopped and proven gone, one backup after
 * another is taken, everything goes on, and then they are proven. Changes nothing. @throws STORE_UNKNOWN where the stack
 * declares none, CLUSTER_MISMATCH, PLAN_REFUSED
 */
export async function planBackupAll(
  { options }: { readonly options: PlanOptions },
  deps: PlanDeps & { readonly dataStores: () => Promise<readonly DataStore[]> },
): Promise<DbRestorePlanned> {
  const { stack, cluster, clock } = deps;
  requireKnownPlaceholders(stack);
  const stores = await deps.dataStores();
  if (stores.length === 0) chooseStore(stores, undefined, stack.name);
  const names = stores.map(({ setting }) => setting.name);
  const { identity, live } = await takeInventory(cluster, stack);
  requireClusterOfStack(identity, stack, options);
  const quiesced = quiesceFor({ concerned: names, isStrict: true, live, options }, stack);
  const plan = makePlan({
    stack,
    clusterUid: identity.uid,
    createdAt: new Date(clock.now()).toISOString(),
    scope: { kind: 'database' },
    target: { id: digestOf(names), said: `a backup of ${names.join(', ')}`, labels: [] },
    live: digestOf([]),
    foreign: stack.foreign,
    changes: [],
    desired: [],
    warnings: quiesced.warnings,
    rollingOut: new Set(),
    backups: names,
    ...quiesced.parts,
    autoscalers: quiesced.autoscalers,
    options: { ...options, hold: false },
    // Whatever the checks say, the backups are what they are.
    onInvalid: 'halt',
  });
  return { plan, identity };
}
