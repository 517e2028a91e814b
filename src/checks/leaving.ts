import type { KubeObject } from '../model/index.ts';
import type { Cluster } from '../ports/index.ts';

/** A pod that has been told to go and has its grace period still. */
export function isLeaving(pod: KubeObject): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Waits by watch until the pods are gone. Returns false when the signal fires first. */
export async function untilGone(pods: readonly KubeObject[], cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  const [first] = pods;
  const kind = first === undefined ? undefined : await cluster.kindOf('v1', 'Pod');
  if (first === undefined || kind === undefined) return true;
  const left = new Set(pods.map(({ metadata }) => metadata.uid));
  const there = new Set<string | undefined>();
  let synced = false;
  const { namespace } = first.metadata;
  const stop = new AbortController();
  const watching = cluster.watch(kind, {
    ...(namespace === undefined ? {} : { namespace }),
    signal: AbortSignal.any([signal, stop.signal]),
  });
  try {
    for await (const event of watching) {
      if (event.type === 'deleted') left.delete(event.object.metadata.uid);
      else if (event.type === 'synced') {
        // What the first list does not have went before the watch began.
        for (const uid of left) if (!there.has(uid)) left.delete(uid);
        synced = true;
      } else there.add(event.object.metadata.uid);
      if (synced && left.size === 0) return true;
    }
    return false;
  } finally {
    stop.abort();
  }
}
