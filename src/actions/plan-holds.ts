import { BackstayError, isBackstayError } from '../errors/index.ts';
import { hangingPods } from '../health/index.ts';
import {
  type Change,
  type Delivery,
  displayName,
  type KubeObject,
  keyOf,
  mergePatch,
  type ObjectKey,
  type ObjectRef,
  type PlanOptions,
  refOf,
  type Stack,
  suspend,
  suspendedBy,
} from '../model/index.ts';
import { autoscalersOf, undeclaredDeliveries } from '../plan/index.ts';
import type { Clock, Cluster } from '../ports/index.ts';
import type { Inventory } from './inventory.ts';
import { nodesOf } from './inventory-pods.ts';

export interface Holds {
  readonly autoscalers: readonly ObjectRef[];
  readonly deliveries: readonly ObjectRef[];
  /** Objects to be created whose former life is still on its way out. */
  readonly leaving: readonly ObjectKey[];
  /** Workloads with pods that hang. */
  readonly hanging: readonly ObjectKey[];
  readonly warnings: readonly string[];
}

export interface HoldsRequest {
  readonly changes: readonly Change[];
  readonly inventory: Inventory;
  readonly desired: readonly KubeObject[];
  /** `emergency` goes on with a warning where it would refuse. */
  readonly options: Pick<PlanOptions, 'emergency' | 'force'>;
}

/**
 * What has to be kept from acting while these changes are made. Asked before anything is shown; changes nothing.
 * @throws HOLD_UNAVAILABLE when what the stack file names is not there or may not be changed; all of it at once
 */
export async function holdsFor(
  { changes, desired, inventory, options }: HoldsRequest,
  { stack, cluster, clock }: { readonly stack: Stack; readonly cluster: Cluster; readonly clock: Clock },
): Promise<Holds> {
  const { deliveries } = stack.hold;
  const asked = changes.length === 0 ? [] : deliveries;
  const found = await Promise.all(asked.map(async (delivery) => await look(delivery, cluster)));
  const problems = found.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  if (problems.length > 0 && !options.emergency) {
    throw new BackstayError('HOLD_UNAVAILABLE', `What must be held cannot be: ${problems.join('; ')}.`, {
      details: { problems },
    });
  }
  const leaving = new Set(inventory.left.filter(({ reason }) => reason === BEING_DELETED).map(({ key }) => key));
  const created = changes.filter(({ key, action }) => action === 'create' && leaving.has(key)).map(({ key }) => key);
  const hanging = hangingPods({
    workloads: new Set([...desired.map(keyOf), ...changes.map(({ key }) => key)]),
    pods: [...inventory.pods.values()].flat(),
    replicaSets: inventory.replicaSets,
    // Nodes are looked at only where it leads to an act.
    nodes: options.force?.pods === true ? await nodesOf(cluster) : undefined,
    now: clock.now(),
  });
  return {
    autoscalers: autoscalersOf(changes, inventory.live.values()),
    deliveries: found.flatMap(({ ref }) => (ref === undefined ? [] : [ref])),
    leaving: created,
    hanging: [...new Set(hanging.map(({ workload }) => workload))],
    warnings: [
      ...problems.map((problem) => `not held, because ${problem}: Git's version may come back`),
      ...undeclaredDeliveries(changes, inventory.live, deliveries),
      ...created.map(
        (key) =>
          `${displayName(key)} is still being deleted and is made again when it is gone (--force-finalizers helps where it hangs)`,
      ),
      ...hanging.map(
        ({ pod, why }) =>
          `pod/${pod.metadata.name} hangs: ${why} (${options.force?.pods === true ? 'it is deleted without grace' : '--force-pods deletes it'})`,
      ),
    ],
  };
}

/** As isCaptured words it. */
const BEING_DELETED = 'being deleted';

/** `ref` is absent where nothing has to be held: it does not act by itself. */
async function look(
  delivery: Delivery,
  cluster: Cluster,
): Promise<{ readonly ref?: ObjectRef; readonly problem?: string }> {
  const { group, kind, namespace, name } = delivery;
  const said = `${kind} ${name} in ${namespace}`;
  const served = (await cluster.kinds()).find((one) => one.group === group && one.kind === kind);
  if (served === undefined) return { problem: `this cluster does not know ${kind}.${group}` };
  const ref: ObjectRef = { apiVersion: `${served.group}/${served.version}`, kind, namespace, name };
  try {
    const object = await cluster.get(ref);
    if (object === undefined) return { problem: `there is no ${said}` };
    const answer = suspend(object, 'asked');
    if (answer.kind === 'nothing') return suspendedBy(object).length > 0 ? { ref: refOf(object) } : {};
    // The right to read it is not the right to change it.
    await cluster.patch(ref, { type: 'merge', body: mergePatch(object, answer.object) }, { dryRun: true });
    return { ref: refOf(object) };
  } catch (error) {
    if (isBackstayError(error, 'CLUSTER_FORBIDDEN'))
      return { problem: `${said} may not be read and patched: ${error.message}` };
    if (isBackstayError(error, 'OBJECT_REFUSED')) return { problem: `${said} refuses it: ${error.message}` };
    throw error;
  }
}
