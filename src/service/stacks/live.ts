import { checkStack } from '../../actions/check.ts';
import { takeInventory } from '../../actions/inventory.ts';
import { healthOf, type Health } from '../../health/index.ts';
import { type CheckResult, type FlagValue, keyOf, type Verdict } from '../../model/index.ts';
import type { ServiceDeps } from '../deps.ts';

export interface LiveStack {
  readonly stack: string;
  /** ISO 8601. */
  readonly at: string;
  readonly workloads: readonly {
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly health: Health;
    /** As the pod template says, by container. */
    readonly images: readonly string[];
  }[];
  readonly flags: readonly FlagValue[];
  /** Absent: they were not asked. */
  readonly checks?: readonly CheckResult[];
  readonly verdict?: Verdict;
}

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout']);

/** The stack as the cluster has it now. @throws CLUSTER_*, STACK_UNKNOWN, STACK_INVALID */
export async function liveStack(
  { name, checks, signal }: { readonly name: string; readonly checks: boolean; readonly signal: AbortSignal },
  deps: Pick<ServiceDeps, 'clock' | 'http' | 'by' | 'withStack'>,
): Promise<LiveStack> {
  return await deps.withStack(name, deps.by, async (reached) => {
    const { stack, cluster, clock } = await reached.planDeps();
    const { live, pods, replicaSets, images, flags } = await takeInventory(cluster, stack, { signal });
    const workloads = [...live.values()].filter(({ kind }) => WORKLOADS.has(kind));
    const asked = checks
      ? await checkStack({ when: 'after', signal }, { stack, cluster, http: deps.http, clock })
      : undefined;
    return {
      stack: name,
      at: new Date(clock.now()).toISOString(),
      workloads: workloads.map((object) => {
        const key = keyOf(object);
        const { namespace, name: called } = object.metadata;
        return {
          kind: object.kind,
          ...(namespace === undefined ? {} : { namespace }),
          name: called,
          health: healthOf(object, { pods: pods.get(key) ?? [], replicaSets }),
          images: images.filter(({ workload }) => workload === key).map(({ image }) => image),
        };
      }),
      flags,
      ...(asked === undefined ? {} : asked),
    };
  });
}
