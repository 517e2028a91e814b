import { isBackstayError } from '../../src/errors/index.ts';
import { canonicalJson, capturedForm, type KubeObject, keyOf, type ObjectKey, refOf } from '../../src/model/index.ts';
import type { Cluster, Engine, EngineUpdate } from '../../src/ports/index.ts';

/**
 * An engine without Pulumi, for tests of what stands around it. It keeps the port's promises: writes the objects that are
 * registered and permitted, and nothing else; every write depends on the version that was observed; what is as it should
 * be is not written. It does not wait for readiness.
 */
export function directEngine(cluster: Cluster): Engine {
  const up = async ({ objects, permit, onProgress }: EngineUpdate): ReturnType<Engine['up']> => {
    const done: Record<'created' | 'updated' | 'deleted', ObjectKey[]> = { created: [], updated: [], deleted: [] };
    for (const object of objects) {
      const key = keyOf(object);
      const live = await cluster.get(refOf(object));
      if (live === undefined && permit.create.has(key)) {
        await cluster.create(object);
        done.created.push(key);
      } else if (live !== undefined && permit.update.has(key)) {
        const written = await replaceSeen(cluster, object, live, permit.observed.get(key));
        if (written.metadata.resourceVersion !== live.metadata.resourceVersion) done.updated.push(key);
      } else continue;
      onProgress({ key, state: 'done', message: 'written' });
    }
    return { ...done, unchanged: [], failed: [], timings: { updateMs: 0, totalMs: 0, waitingMs: 0 }, details: {} };
  };
  return { up, preview: up };
}

/** A controller's status or bookkeeping is no movement: then the write is tried with what is there now. */
async function replaceSeen(
  cluster: Cluster,
  object: KubeObject,
  seen: KubeObject,
  version: string | undefined,
): Promise<KubeObject> {
  try {
    return await cluster.replace(withVersion(object, version));
  } catch (error) {
    const now = await cluster.get(refOf(object));
    const same = now !== undefined && canonicalJson(capturedForm(now)) === canonicalJson(capturedForm(seen));
    if (!isBackstayError(error, 'OBJECT_MOVED') || !same) throw error;
    return await replaceSeen(cluster, object, now, now.metadata.resourceVersion);
  }
}

function withVersion(object: KubeObject, resourceVersion: string | undefined): KubeObject {
  const { metadata } = object;
  return resourceVersion === undefined ? object : { ...object, metadata: { ...metadata, resourceVersion } };
}
