import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { helpFor } from '../../health/index.ts';
import { type KubeObject, keyOf, refOf } from '../../model/index.ts';
import { assertUnmoved } from './moved.ts';
import { said } from './object.ts';
import type { Session } from './session.ts';

const ROUNDS = 8;
/** An object whose finalizers never finish must not hold a run for ever, even when nothing else waits. */
const GONE_MS = 120_000;
/** What these made goes first, so that `gone` means that nothing of it runs. */
const OWNERS_OF_PODS: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job']);

export interface Removal {
  readonly urn: string;
  readonly object: KubeObject;
  readonly signal: AbortSignal;
}

/**
 * Deletes exactly the object that the plan saw, and waits until it is gone. One that is not there is fine.
 * Throws OBJECT_MOVED, TIMEOUT.
 */
export async function remove(session: Session, { urn, object, signal }: Removal): Promise<void> {
  const { cluster, permit } = session.options;
  const key = keyOf(object);
  for (let round = 1; ; round += 1) {
    signal.throwIfAborted();
    const live = await cluster.get(refOf(object));
    if (live === undefined) return;
    const planned = permit?.delete.get(key);
    if (planned?.uid !== undefined && planned.uid !== live.metadata.uid) {
      throw new BackstayError(
        'OBJECT_MOVED',
        `${said(live)} is not the one that the plan saw: it was deleted and made again.`,
        {
          details: { object: key },
        },
      );
    }
    if (live.metadata.deletionTimestamp === undefined) {
      await assertUnmoved(session, live, planned?.resourceVersion);
      session.progress(key, urn, 'deleting', `deleting ${said(live)}`);
      const { uid = '', resourceVersion = '' } = live.metadata;
      const propagation = OWNERS_OF_PODS.has(live.kind) ? 'Foreground' : 'Background';
      try {
        await cluster.delete(refOf(live), { uid, resourceVersion, propagation });
      } catch (error) {
        // A controller wrote its status between our read and the deletion.
        if (!isBackstayError(error, 'OBJECT_MOVED') || round >= ROUNDS) throw error;
        continue;
      }
    }
    await untilGone(session, live, urn, signal);
    return;
  }
}

/** Waits by watch until this very object (its UID) is gone. Throws TIMEOUT naming the finalizers that hold it. */
export async function untilGone(session: Session, object: KubeObject, urn: string, signal: AbortSignal): Promise<void> {
  const { cluster, readyTimeoutMs } = session.options;
  const kind = await cluster.kindOf(object.apiVersion, object.kind);
  if (kind === undefined) return;
  const began = performance.now();
  const limitMs = readyTimeoutMs > 0 ? readyTimeoutMs : GONE_MS;
  const limit = AbortSignal.timeout(limitMs);
  const { namespace, name, uid } = object.metadata;
  const watching = new AbortController();
  let seen: KubeObject | undefined;
  try {
    for await (const event of cluster.watch(kind, {
      ...(namespace === undefined ? {} : { namespace }),
      name,
      signal: AbortSignal.any([watching.signal, signal, limit]),
    })) {
      if (event.type === 'synced') {
        if (seen === undefined) return;
        session.progress(keyOf(object), urn, 'deleting', `waiting until ${said(object)} is gone`);
      } else if (event.type === 'deleted' || event.object.metadata.uid !== uid) return;
      else seen = event.object;
    }
  } catch (error) {
    if (!limit.aborted) throw error;
  } finally {
    watching.abort();
    session.note(keyOf(object), { action: 'deleted', waitedMs: performance.now() - began });
  }
  signal.throwIfAborted();
  const finalizers = seen?.metadata.finalizers ?? [];
  const held = finalizers.length === 0 ? '' : `, held by its finalizers ${finalizers.join(', ')}${helpFor(finalizers)}`;
  throw new BackstayError('TIMEOUT', `${said(object)} was not gone after ${Math.round(limitMs / 1000)} s${held}.`, {
    details: { object: keyOf(object), finalizers },
  });
}
