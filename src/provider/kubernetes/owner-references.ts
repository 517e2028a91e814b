import { type KubeObject, type ObjectRef, type OwnerReference } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';

/**
 * Owner references with the UIDs of today's owners: a stale UID would have the object garbage-collected. An owner that is
 * not there is dropped.
 */
export async function withLiveOwners(cluster: Cluster, object: KubeObject): Promise<KubeObject> {
  const references = object.metadata.ownerReferences;
  if (references === undefined || references.length === 0) return object;
  const found = await Promise.all(references.map((reference) => liveOwner(cluster, object, reference)));
  const { ownerReferences: _, ...metadata } = object.metadata;
  const owners = found.filter((reference) => reference !== undefined);
  return { ...object, metadata: owners.length === 0 ? metadata : { ...metadata, ownerReferences: owners } };
}

async function liveOwner(
  cluster: Cluster,
  object: KubeObject,
  reference: OwnerReference,
): Promise<OwnerReference | undefined> {
  const kind = await cluster.kindOf(reference.apiVersion, reference.kind);
  if (kind === undefined) return undefined;
  const { namespace } = object.metadata;
  const { apiVersion, name } = reference;
  const ref: ObjectRef = {
    apiVersion,
    kind: reference.kind,
    name,
    ...(kind.namespaced && namespace !== undefined ? { namespace } : {}),
  };
  const uid = (await cluster.get(ref))?.metadata.uid;
  return uid === undefined ? undefined : { ...reference, uid };
}
