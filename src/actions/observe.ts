import { type KubeObject, keyOf, type Plan, roleOf, type Stack } from '../model/index.ts';
import { checkMoved, effectiveForeign } from '../plan/index.ts';
import type { Cluster, SecretHasher } from '../ports/index.ts';
import type { Observation } from '../rollback/index.ts';
import { takeInventory } from './inventory.ts';

/** Reads the stack as it is now and compares it with what the plan saw. No value of a Secret leaves this function. */
export async function observeStack(
  plan: Plan,
  deps: { readonly cluster: Cluster; readonly stack: Stack; readonly hasher: SecretHasher },
): Promise<Observation> {
  const { stack } = deps;
  const inventory = await takeInventory(deps.cluster, stack);
  const hidden = deps.hasher.hide([...inventory.live.values()]).objects;
  const live = new Map(hidden.map((object) => [keyOf(object), object]));
  // What the target scales is scaled by it once it is there.
  const foreign = effectiveForeign(stack.foreign, [...hidden, ...plan.desired]);
  const moved = checkMoved({ plan, live, foreign, role: (object: KubeObject) => roleOf(object, stack) });
  return { live, foreign, moved };
}
