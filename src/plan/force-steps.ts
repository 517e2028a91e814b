import { displayName, keyOf, type ObjectKey, type Step } from '../model/index.ts';
import type { PlanInput } from './make-plan.ts';
import { isWorkload } from './workloads.ts';

type Forced = Pick<PlanInput, 'changes' | 'desired' | 'options' | 'leaving'>;
type Part = Pick<Step, 'id' | 'title' | 'action' | 'risk' | 'destructive'> & Pick<Partial<Step>, 'dataLoss'>;

const NAMED = 4;

/** Whether there is something to force though no object differs: pods that hang keep a workload from its target. */
export function forcesAlone({ options, hanging = [] }: Pick<PlanInput, 'options' | 'hanging'>): boolean {
  return options.force?.pods === true && hanging.length > 0;
}

/** Steps that a flag brings in before the engine acts: what already hangs would keep it waiting. */
export function forcedBefore({ changes, desired, options, leaving = [] }: Forced): readonly Part[] {
  const { force } = options;
  const going = changes.filter(({ action, live }) => action === 'delete' && live !== undefined && isWorkload(live));
  const workloads = [...desired.filter(isWorkload).map(keyOf), ...going.map(({ key }) => key)];
  return [
    ...(force?.pods === true && workloads.length > 0 ? [pods(workloads)] : []),
    ...(force?.finalizers === true && leaving.length > 0 ? [finalizers('force-leaving', leaving)] : []),
  ];
}

/** Steps that a flag brings in after the deletions. */
export function forcedAfter({ changes, options }: Forced): readonly Part[] {
  const deleted = changes.filter(({ action }) => action === 'delete').map(({ key }) => key);
  return options.force?.finalizers === true && deleted.length > 0 ? [finalizers('force-finalizers', deleted)] : [];
}

function pods(workloads: readonly ObjectKey[]): Part {
  return {
    id: 'force-pods',
    title: `Force: delete pods of ${named(workloads)} that hang, without grace`,
    action: { kind: 'force-pods', workloads },
    risk: 'high',
    destructive: true,
    dataLoss:
      'what such a pod had not written yet; on a node that only seems gone it may still run beside its successor',
  };
}

function finalizers(id: string, objects: readonly ObjectKey[]): Part {
  return {
    id,
    title: `Force: take the finalizers off ${named(objects)}, where they hang`,
    action: { kind: 'force-finalizers', objects },
    risk: 'high',
    destructive: true,
    dataLoss: 'what the finalizers would have cleaned up stays behind (volumes, cloud resources, registrations)',
  };
}

function named(keys: readonly ObjectKey[]): string {
  const more = keys.length - NAMED;
  return `${keys.slice(0, NAMED).map(displayName).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
