import { BackstayError } from '../../errors/index.ts';
import { helpFor } from '../../health/index.ts';
import type { KubeObject, ObjectRef } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';

/**
 * Watches until the object is gone, or another one stands in its place. @throws TIMEOUT naming the finalizers that hold it
 * when the signal's time limit passes, else the signal's reason.
 */
export async function untilGone(
  cluster: Cluster,
  ref: ObjectRef,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const kind = await cluster.kindOf(ref.apiVersion, ref.kind);
  if (kind === undefined) return;
  const over = new AbortController();
  const watched = { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) };
  let last: KubeObject | undefined;
  const isIt = (object: KubeObject): boolean => uid === undefined || object.metadata.uid === uid;
  try {
    for await (const event of cluster.watch(kind, { ...watched, signal: AbortSignal.any([signal, over.signal]) })) {
      if (event.type === 'synced') {
        if (last === undefined) return;
        continue;
      }
      if (!isIt(event.object)) continue;
      if (event.type === 'deleted') return;
      last = event.object;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    over.abort();
  }
  const reason: unknown = signal.reason;
  if (!(reason instanceof DOMException) || reason.name !== 'TimeoutError') throw reason;
  const held = last?.metadata.finalizers ?? [];
  const why = held.length === 0 ? 'it has no finalizers' : `held by the finalizers ${held.join(', ')}${helpFor(held)}`;
  throw new BackstayError('TIMEOUT', `${ref.kind.toLowerCase()}/${ref.name} is still there: ${why}`);
}
