import { BackstayError } from '../../errors/index.ts';
import type { Cluster } from '../../ports/index.ts';

/** Waits by a watch until no pod has these labels. @throws TIMEOUT naming those that are left */
export async function podsGone(
  cluster: Cluster,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  limitMs: number,
  whose: string,
  signal?: AbortSignal,
): Promise<void> {
  const kind = await cluster.kindOf('v1', 'Pod');
  if (kind === undefined) throw new BackstayError('KIND_UNKNOWN', 'this server knows no Pod');
  const limit = AbortSignal.timeout(limitMs);
  const over = new AbortController();
  const stop = AbortSignal.any([limit, over.signal, ...(signal === undefined ? [] : [signal])]);
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const there = new Set<string>();
  let isSynced = false;
  for await (const event of cluster.watch(kind, { namespace, labelSelector, signal: stop })) {
    if (event.type === 'synced') isSynced = true;
    else if (event.type === 'deleted') there.delete(event.object.metadata.name);
    else there.add(event.object.metadata.name);
    if (isSynced && there.size === 0) {
      over.abort();
      return;
    }
  }
  signal?.throwIfAborted();
  throw new BackstayError('TIMEOUT', `pods ${whose} are still there after ${limitMs} ms: ${[...there].join(', ')}`);
}
