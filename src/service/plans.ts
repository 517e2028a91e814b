import { BackstayError } from '../errors/index.ts';
import type { Json, Plan } from '../model/index.ts';
import type { ServiceDeps } from './deps.ts';

type Deps = Pick<ServiceDeps, 'records'>;

/** Until somebody starts a run of it. The same plan twice is one record. */
export async function keepPlan(plan: Plan, { records }: Deps): Promise<void> {
  await records.put('plan', plan.hash, 0, plan as unknown as Json);
}

/** By the hash of which a person saw the plan. @throws PLAN_UNKNOWN */
export async function keptPlan(hash: string, { records }: Deps): Promise<Plan> {
  const record = await records.get('plan', hash);
  if (record === undefined) throw new BackstayError('PLAN_UNKNOWN', `There is no plan ${hash}, or it was too old.`);
  return record.value as unknown as Plan;
}
