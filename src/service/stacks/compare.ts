import { contentOf } from '../../actions/capture.ts';
import { diffContents, diffStack, type StackDiff } from '../../actions/diff.ts';
import { takeInventory } from '../../actions/inventory.ts';
import { type Change, type Digest, type Scope, shortId } from '../../model/index.ts';
import type { ReachedStack } from '../deps.ts';

export interface Comparison {
  /** `live`, or the short id of a snapshot. */
  readonly from: string;
  /** `live`, or the id of a snapshot. */
  readonly to: Digest | 'live';
  readonly scope: Scope;
  readonly changes: readonly Change[];
  readonly warnings: readonly string[];
  /** What would keep a rollback from being carried out. */
  readonly refusals: StackDiff['refusals'];
  readonly labels: readonly string[];
}

export interface CompareRequest {
  /** A target as it would be typed after `--to`, or `live`. */
  readonly from: string;
  readonly to: string;
  readonly scope: Scope;
  readonly signal?: AbortSignal;
}

/** From live: as a plan would have it. From a snapshot: what changed since, up to another one or to live. Errors as `diffStack`. */
export async function compareStack(request: CompareRequest, reached: ReachedStack): Promise<Comparison> {
  const { from, to, scope, signal } = request;
  const deps = await reached.planDeps();
  if (to === 'live') return await sinceSnapshot(request, reached);
  const heard = signal === undefined ? {} : { signal };
  const diff = await diffStack(from === 'live' ? { to, scope, ...heard } : { from, to, scope, ...heard }, deps);
  const { changes, warnings, refusals } = diff;
  return {
    from: diff.from.kind === 'live' ? 'live' : shortId(diff.from.snapshot.id),
    to: diff.to.id,
    scope,
    changes,
    warnings,
    refusals,
    labels: diff.to.sighting.record.labels,
  };
}

async function sinceSnapshot({ from, scope, signal }: CompareRequest, reached: ReachedStack): Promise<Comparison> {
  const { stack, store } = reached;
  const { cluster, hasher } = await reached.planDeps();
  const inventory = await takeInventory(cluster, stack, signal === undefined ? {} : { signal });
  const live = contentOf(inventory, stack, hasher).content;
  const none = { scope, warnings: [], refusals: [], labels: [], to: 'live' } as const;
  if (from === 'live') return { ...none, from, changes: [] };
  const before = await store.resolve(stack.name, from, { allowUnsigned: false });
  return { ...none, from: shortId(before.id), changes: diffContents(before.content, live, scope, stack) };
}
