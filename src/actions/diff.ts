import {
  type Change,
  keyOf,
  type PlanOptions,
  refOf,
  roleOf,
  type Scope,
  type Snapshot,
  type SnapshotContent,
} from '../model/index.ts';
import { describeObject, diffObjects, type Refusal, viewScope } from '../plan/index.ts';
import { takeInventory } from './inventory.ts';
import { type CompareDeps, compareWithLive } from './plan-compare.ts';
import { NO_OPTIONS, requireClusterOfStack } from './plan.ts';
import { resolveTarget } from './targets.ts';

export type DiffDeps = CompareDeps;

export type DiffRequest = {
  readonly scope: Scope;
  /** @default none given */
  readonly options?: PlanOptions;
  readonly signal?: AbortSignal;
} & (
  | { readonly to: string | undefined; readonly from?: undefined }
  /** Two snapshots, without a look at the cluster. */
  | { readonly to: string; readonly from: string }
);

export interface StackDiff {
  readonly from: { readonly kind: 'live' } | { readonly kind: 'snapshot'; readonly snapshot: Snapshot };
  readonly to: Snapshot;
  readonly changes: readonly Change[];
  readonly warnings: readonly string[];
  /** What would keep a rollback from being carried out. */
  readonly refusals: readonly Refusal[];
}

/**
 * What `backstay diff` tells: live against a target as a plan would have it, or one snapshot against another. Errors: of
 * the target and the cluster; refusals of a plan are data here.
 */
export async function diffStack(request: DiffRequest, deps: DiffDeps): Promise<StackDiff> {
  const { stack, cluster } = deps;
  const { scope, options = NO_OPTIONS, signal } = request;
  if (request.from !== undefined) return await diffSnapshots(request.from, request.to, scope, options, deps);
  const inventory = await takeInventory(cluster, stack, signal === undefined ? {} : { signal });
  requireClusterOfStack(inventory.identity, stack, options);
  const to = await resolveTarget(request.to, { inventory, allowUnsigned: options.allowUnsigned }, deps);
  const compared = await compareWithLive(
    { inventory, target: to, scope, options, ...(signal === undefined ? {} : { signal }) },
    deps,
  );
  const { changes, warnings, refusals } = compared;
  return { from: { kind: 'live' }, to, changes, warnings, refusals };
}

async function diffSnapshots(
  from: string,
  to: string,
  scope: Scope,
  options: PlanOptions,
  { stack, store }: DiffDeps,
): Promise<StackDiff> {
  const trust = { allowUnsigned: options.allowUnsigned };
  const [before, after] = await Promise.all([
    store.resolve(stack.name, from, trust),
    store.resolve(stack.name, to, trust),
  ]);
  return {
    from: { kind: 'snapshot', snapshot: before },
    to: after,
    changes: diffContents(before.content, after.content, scope, stack),
    warnings: [],
    refusals: [],
  };
}

/** Change by change, in the order of the keys. Pure. */
export function diffContents(
  before: Pick<SnapshotContent, 'objects'>,
  after: Pick<SnapshotContent, 'objects'>,
  scope: Scope,
  stack: Parameters<typeof roleOf>[1],
): readonly Change[] {
  const [from, to] = [before, after].map(({ objects }) => new Map(objects.map((object) => [keyOf(object), object])));
  if (from === undefined || to === undefined) return [];
  const role = (object: Parameters<typeof roleOf>[0]) => roleOf(object, stack);
  const view = viewScope({ scope, role, live: [...from.values()], target: [...to.values()] });
  const keys = [...new Set([...from.keys(), ...to.keys()])].filter((key) => view.has(key)).sort();
  return keys.flatMap((key): Change[] => {
    const [one, other] = [from.get(key), to.get(key)];
    if (one === undefined && other !== undefined) {
      return [{ key, ref: refOf(other), action: 'create', fields: describeObject(other, 'added'), takesOver: [] }];
    }
    if (one === undefined) return [];
    if (other === undefined)
      return [{ key, ref: refOf(one), action: 'delete', fields: describeObject(one, 'removed'), takesOver: [] }];
    const fields = diffObjects(one, other);
    return fields.length === 0 ? [] : [{ key, ref: refOf(other), action: 'update', fields, takesOver: [] }];
  });
}
