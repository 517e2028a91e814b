import { BackstayError, isBackstayError } from '../errors/index.ts';
import { displayName, type Plan, shortId } from '../model/index.ts';
import { type Moved, planFileText, readPlanFile } from '../plan/index.ts';
import type { ClusterIdentity, PrivateFiles } from '../ports/index.ts';
import { observePlan, type PlanDeps, requireClusterOfStack } from './plan.ts';

export { comparePlans, type Moved } from '../plan/index.ts';

/** Writes the plan for its owner alone (0600). @throws STORAGE_UNWRITABLE */
export async function writePlan(path: string, plan: Plan, files: PrivateFiles): Promise<void> {
  await files.write(path, planFileText(plan));
}

/** @throws PLAN_ALTERED, PLAN_FORMAT; USAGE when there is no such file. */
export async function readPlan(path: string, files: PrivateFiles): Promise<Plan> {
  const bytes = await files.read(path);
  if (bytes === undefined) throw new BackstayError('USAGE', `There is no file ${path}.`);
  return readPlanFile(bytes, path);
}

export interface AdoptedPlan {
  readonly plan: Plan;
  readonly identity: ClusterIdentity;
  /** Where live is not what the plan saw. */
  readonly moved: readonly Moved[];
}

/**
 * Whether a plan that was read can be carried out here and now; changes nothing. That live moved is in the result, because
 * the user may want to plan again. @throws PLAN_REFUSED (another stack, verb or a target that is gone), CLUSTER_MISMATCH,
 * SNAPSHOT_TAMPERED, SNAPSHOT_UNSIGNED, and the errors of the keys and the cluster.
 */
export async function adoptPlan(
  plan: Plan,
  { hold }: { readonly hold: boolean },
  deps: PlanDeps,
): Promise<AdoptedPlan> {
  const { stack, cluster, store } = deps;
  if (plan.stack !== stack.name) {
    throw new BackstayError('PLAN_REFUSED', `The plan is of the stack ${plan.stack}, not of ${stack.name}.`, {
      next: `Carry it out with \`backstay rollback ${plan.stack} --plan FILE\`.`,
      details: { expected: stack.name, found: plan.stack },
    });
  }
  if (plan.options.hold !== hold) {
    const [made, said] = plan.options.hold ? ['rollback', 'apply'] : ['apply', 'rollback'];
    throw new BackstayError('PLAN_REFUSED', `The plan was made by \`backstay ${made}\`, not by \`backstay ${said}\`.`, {
      next: `Carry it out with \`backstay ${made} ${stack.name} --plan FILE\`.`,
    });
  }
  const identity = await cluster.identity();
  requireClusterOfStack(identity, stack, plan.options);
  if (plan.clusterUid !== identity.uid) {
    throw new BackstayError(
      'CLUSTER_MISMATCH',
      `The plan was made for cluster ${plan.clusterUid}; ${identity.server} is ${identity.uid}.`,
      { next: 'Choose the right --context.', details: { expected: plan.clusterUid, found: identity.uid } },
    );
  }
  await store.proveKeys(stack.name, await targetOf(plan, deps));
  const { moved } = await observePlan(plan, deps);
  return { plan, identity, moved };
}

async function targetOf({ target, options }: Plan, { stack, store }: PlanDeps) {
  try {
    return await store.get(stack.name, target.id, { allowUnsigned: options.allowUnsigned });
  } catch (error) {
    if (!isBackstayError(error, 'TARGET_UNKNOWN')) throw error;
    throw new BackstayError('PLAN_REFUSED', `The plan's target, snapshot ${shortId(target.id)}, is not in the store.`, {
      cause: error,
      next: `Bring the snapshot back, or run \`backstay list ${stack.name}\` and plan again.`,
      details: { target: target.id },
    });
  }
}

/** @throws PLAN_STALE with every field that moved in its details, and objects by name in its message. */
export function requireUnmoved({ plan, moved }: AdoptedPlan): void {
  if (moved.length === 0) return;
  const said = moved.map(({ key, what }) => `${displayName(key)} (${what})`).join(', ');
  throw new BackstayError('PLAN_STALE', `${plan.stack} moved since the plan was made: ${said}.`, {
    next: 'Add --replan to plan again against the same target, see what is different, and agree to it.',
    details: { moved },
  });
}
