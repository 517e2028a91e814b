import { isBackstayError } from '../errors/index.ts';
import { podsOf } from '../health/index.ts';
import { type ImageRecord, type KubeObject, keyOf, type ObjectKey } from '../model/index.ts';
import type { Cluster } from '../ports/index.ts';

export type ByKey = ReadonlyMap<ObjectKey, KubeObject>;

interface Container {
  readonly name: string;
  readonly image?: string;
}

interface PodSpec {
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
}

interface Statuses {
  readonly containerStatuses?: readonly { readonly name: string; readonly image?: string; readonly imageID?: string }[];
  readonly initContainerStatuses?: Statuses['containerStatuses'];
}

/** Pods of each object that makes pods; objects without pods have no entry unless they have a pod template. */
export function podsByWorkload(
  live: ByKey,
  pods: readonly KubeObject[],
  replicaSets: readonly KubeObject[],
): ReadonlyMap<ObjectKey, readonly KubeObject[]> {
  const workloads = [...live].filter(([, object]) => templateOf(object) !== undefined);
  return new Map(workloads.map(([key, object]) => [key, podsOf(object, { pods, replicaSets })]));
}

/** The images that each workload's template names, with the digest that its newest pod of that image reports. */
export function imagesOf(live: ByKey, pods: ReadonlyMap<ObjectKey, readonly KubeObject[]>): readonly ImageRecord[] {
  return [...live.values()].flatMap((object) => {
    const spec = templateOf(object);
    if (spec === undefined) return [];
    const own = [...(pods.get(keyOf(object)) ?? [])].sort(newestFirst);
    return [...(spec.initContainers ?? []), ...(spec.containers ?? [])].flatMap(({ name, image }) => {
      if (image === undefined) return [];
      const digest = own.map((pod) => digestIn(pod, name, image)).find((found) => found !== undefined);
      return [{ workload: keyOf(object), container: name, image, ...(digest === undefined ? {} : { digest }) }];
    });
  });
}

/** The pod template's spec of a workload of any kind. */
export function templateOf(object: KubeObject): PodSpec | undefined {
  const spec = object['spec'] as
    | {
        readonly template?: { readonly spec?: PodSpec };
        readonly jobTemplate?: { readonly spec?: { readonly template?: { readonly spec?: PodSpec } } };
      }
    | undefined;
  const found = spec?.template?.spec ?? spec?.jobTemplate?.spec?.template?.spec;
  return Array.isArray(found?.containers) ? found : undefined;
}

function digestIn(pod: KubeObject, container: string, image: string): string | undefined {
  const spec = (pod['spec'] ?? {}) as PodSpec;
  // A pod of an older template reports the digest of another image.
  if (
    ![...(spec.initContainers ?? []), ...(spec.containers ?? [])].some(
      (one) => one.name === container && one.image === image,
    )
  )
    return undefined;
  const status = (pod['status'] ?? {}) as Statuses;
  const said = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find(
    ({ name }) => name === container,
  );
  return /sha256:[0-9a-f]{64}/.exec(said?.imageID ?? '')?.[0];
}

const newestFirst = (a: KubeObject, b: KubeObject): number =>
  (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '');

/** What nodes say is a help, not a need: undefined for whoever may not list them. */
export async function nodesOf(cluster: Cluster): Promise<readonly KubeObject[] | undefined> {
  try {
    const kind = await cluster.kindOf('v1', 'Node');
    return kind === undefined ? [] : (await cluster.list(kind)).items;
  } catch (error) {
    if (isBackstayError(error, 'CLUSTER_FORBIDDEN')) return undefined;
    throw error;
  }
}
