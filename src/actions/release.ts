import { BackstayError } from '../errors/index.ts';
import { type Digest, holdOf, holdOn, type ObjectKey, type Stack } from '../model/index.ts';
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
      /** Those that had gone back from the version. */
      readonly runs: readonly string[];
      /** Every snapshot of the version that was held for them. */
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
  // Several runs may have gone back from one version, each from a snapshot of its own; the person's word is about all of it.
  const runs: string[] = [];
  const released: Digest[] = [];
  const unmarked: ObjectKey[] = [];
  let problem: string | undefined;
  let hold: { readonly run: string } | undefined = held;
  while (hold !== undefined && !runs.includes(hold.run)) {
    const { run } = hold;
    const context = {
      run,
      effect: async <T>(act: () => Promise<T>) => await act(),
      signal: new AbortController().signal,
    };
    runs.push(run);
    released.push(...(await releaseSnapshots(`released: ${reason}`, { ...context, deps })));
    try {
      const cluster = await deps.cluster();
      unmarked.push(...(await unmarkHeld(deps.stack.namespaces, { ...context, deps: { cluster } })));
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    hold = await stillHeld(id, deps);
  }
  return { kind: 'released', runs, released, unmarked, ...(problem === undefined ? {} : { problem }) };
}

async function stillHeld(id: Digest, { stack, store }: ReleaseDeps): Promise<{ readonly run: string } | undefined> {
  const { content, sighting } = await store.get(stack.name, id, { allowUnsigned: true });
  const digests = sighting.record.imageDigests;
  const seen = { content, ...(digests === undefined ? {} : { digests }) };
  return holdOn(seen, id, trustedAmong(parted(await store.list(stack.name)).sightings));
}
