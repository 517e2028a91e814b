import { BackstayError } from '../errors/index.ts';
import { type Digest, holdOf, type ObjectKey, type Stack } from '../model/index.ts';
import type { Cluster, SnapshotStore } from '../ports/index.ts';
import { releaseSnapshots, unmarkHeld } from '../rollback/index.ts';
import { parted, trustedAmong } from './snapshots.ts';

export interface ReleaseOptions {
  readonly target: string;
  /** Why it may be used again; signed into the records. */
  readonly reason: string;
}

export interface ReleaseDeps {
  readonly stack: Stack;
  readonly store: SnapshotStore;
  /** Asked only when something is held. */
  readonly cluster: () => Promise<Cluster>;
}

export interface HeldSnapshot {
  readonly id: Digest;
  readonly run: string;
  readonly reason: string;
}

export type ReleaseResult =
  | { readonly kind: 'not-held'; readonly id: Digest }
  | {
      readonly kind: 'released';
      readonly run: string;
      /** Every snapshot of the version that was held for that run. */
      readonly released: readonly Digest[];
      /** Live workloads that said so, and say so no more. */
      readonly unmarked: readonly ObjectKey[];
      /** Why the live workloads still say so, where they could not be written. */
      readonly problem?: string;
    };

/** What a release would let go; undefined: it is not held. Errors: those of `resolve`. */
export async function heldTarget(
  target: string,
  { stack, store }: Pick<ReleaseDeps, 'stack' | 'store'>,
): Promise<{ readonly id: Digest; readonly held?: HeldSnapshot }> {
  const { id } = await store.resolve(stack.name, target);
  const hold = holdOf(id, trustedAmong(parted(await store.list(stack.name)).sightings));
  return hold === undefined ? { id } : { id, held: { id, run: hold.run, reason: hold.reason } };
}

/**
 * A person lets a failed version go: it may be known good again. Doing it again does nothing. The records are what counts;
 * live workloads are told as far as they can be reached. @throws USAGE without a reason, and the errors of `resolve`
 */
export async function releaseSnapshot({ target, reason }: ReleaseOptions, deps: ReleaseDeps): Promise<ReleaseResult> {
  if (reason.trim() === '') {
    throw new BackstayError('USAGE', 'A release needs --reason: it is signed into the records.', {
      next: 'Say why the version may be used again: --reason "…".',
    });
  }
  const { id, held } = await heldTarget(target, deps);
  if (held === undefined) return { kind: 'not-held', id };
  const { run } = held;
  const context = {
    run,
    effect: async <T>(act: () => Promise<T>) => await act(),
    signal: new AbortController().signal,
  };
  const released = await releaseSnapshots(`released: ${reason}`, { ...context, deps });
  try {
    const cluster = await deps.cluster();
    const unmarked = await unmarkHeld(deps.stack.namespaces, { ...context, deps: { cluster } });
    return { kind: 'released', run, released, unmarked };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { kind: 'released', run, released, unmarked: [], problem };
  }
}
