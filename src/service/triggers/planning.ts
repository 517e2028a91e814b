import { NO_OPTIONS, planRollback } from '../../actions/plan.ts';
import { requirePerson } from '../../actions/require-person.ts';
import { parted, trustedAmong } from '../../actions/snapshots.ts';
import { isBackstayError } from '../../errors/index.ts';
import { type Alert, holdOn, type Plan, type Proposal, type TriggerPolicy } from '../../model/index.ts';
import type { ServiceDeps } from '../deps.ts';
import { keepPlan } from '../plans.ts';
import { personNeededFor, reasonOf, severityOf } from './ask.ts';

/** What can be done about a stack whose alerts fire. */
export type Planned =
  /** `person`: why it is not carried out without one; absent: it may be. */
  | { readonly kind: 'planned'; readonly plan: Plan; readonly person?: string }
  /** The stack is what it would be taken to: the fault is elsewhere. */
  | { readonly kind: 'nothing-to-do' };

type Deps = Pick<ServiceDeps, 'records' | 'withStack' | 'by'>;

/** Makes the plan and keeps it, so that it can be shown and carried out as it is. @throws what refuses a plan */
export async function planFor(
  { stack: name, alerts, mode }: Pick<Proposal, 'stack' | 'mode'> & { readonly alerts: readonly Alert[] },
  policy: Pick<TriggerPolicy, 'target' | 'scope' | 'severity'>,
  { records, withStack, by }: Deps,
): Promise<Planned> {
  return await withStack(name, by, async (reached) => {
    const { stack } = reached;
    const deps = await reached.planDeps();
    const severity = severityOf(alerts, policy, stack.approvals);
    const options = { ...NO_OPTIONS, reason: reasonOf(alerts), ...(severity === undefined ? {} : { severity }) };
    const result = await planRollback({ target: policy.target, scope: policy.scope, options }, deps);
    if (result.kind === 'nothing-to-do') return { kind: 'nothing-to-do' };
    const { plan, target } = result;
    await keepPlan(plan, { records });
    const { record } = target.sighting;
    const seen = {
      content: target.content,
      ...(record.imageDigests === undefined ? {} : { digests: record.imageDigests }),
    };
    const isTargetHeld =
      holdOn(seen, target.id, trustedAmong(parted(await deps.store.list(name)).sightings)) !== undefined;
    const person =
      personNeededFor(plan, { mode, isTargetHeld }, stack.approvals) ?? (await refusedToAlerts(plan, reached));
    return { kind: 'planned', plan, ...(person === undefined ? {} : { person }) };
  });
}

type Reached = Parameters<Parameters<ServiceDeps['withStack']>[2]>[0];

/** Asked here as well as when the run is asked for, so that nothing is begun only to be refused. @throws JOURNAL_BROKEN */
async function refusedToAlerts(plan: Plan, reached: Reached): Promise<string | undefined> {
  try {
    await requirePerson({ plan, trigger: 'alert' }, await reached.requestDeps());
    return undefined;
  } catch (error) {
    if (isBackstayError(error, 'PERSON_NEEDED')) return error.message;
    throw error;
  }
}
