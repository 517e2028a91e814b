import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json, JsonObject, KubeObject } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';

export interface PodSpec {
  readonly containers: readonly {
    readonly name: string;
    readonly env?: readonly { readonly name: string; readonly value?: string }[];
    readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
    readonly image?: string;
    readonly imagePullPolicy?: string;
    readonly securityContext?: JsonObject;
  }[];
  readonly securityContext?: JsonObject;
  readonly imagePullSecrets?: readonly Json[];
  readonly tolerations?: readonly Json[];
  readonly nodeSelector?: JsonObject;
  readonly volumes?: readonly {
    readonly name: string;
    readonly hostPath?: { readonly path: string };
    readonly persistentVolumeClaim?: { readonly claimName: string };
  }[];
}

interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/**
 * The folder of this machine in which a container has its data: a hostPath, or a claim whose volume is a folder of a node,
 * and that node this machine. Undefined when it is none, or is not here.
 */
export async function dataFolder(
  cluster: Cluster,
  owner: Owner,
  { volumes = [] }: PodSpec,
  { volumeMounts = [] }: PodSpec['containers'][number],
  mountPath: string,
): Promise<string | undefined> {
  const mount = mountOf(volumeMounts, mountPath);
  if (mount === undefined) return undefined;
  const volume = volumes.find(({ name }) => name === mount.name);
  const claim = claimOf(owner, { volumes }, mount.name);
  const path =
    volume?.hostPath?.path ?? (claim === undefined ? undefined : await claimPath(cluster, owner.namespace, claim));
  if (path === undefined) return undefined;
  const folder = join(path, mount.subPath ?? '');
  return await stat(folder).then(
    (found) => (found.isDirectory() ? folder : undefined),
    () => undefined,
  );
}

/** The claim by which a container has its data; undefined when it is in none. */
export function dataClaim(
  owner: Pick<Owner, 'name'>,
  spec: Pick<PodSpec, 'volumes'>,
  { volumeMounts = [] }: PodSpec['containers'][number],
  mountPath: string,
): string | undefined {
  const mount = mountOf(volumeMounts, mountPath);
  return mount === undefined ? undefined : claimOf(owner, spec, mount.name);
}

/** Of a claim template of a StatefulSet, where no volume of the pod has the name; its first pod is the server. */
function claimOf(
  { name }: Pick<Owner, 'name'>,
  { volumes = [] }: Pick<PodSpec, 'volumes'>,
  mount: string,
): string | undefined {
  const volume = volumes.find((one) => one.name === mount);
  return volume === undefined ? `${mount}-${name}-0` : volume.persistentVolumeClaim?.claimName;
}

function mountOf<M extends { readonly mountPath: string }>(mounts: readonly M[], path: string): M | undefined {
  return mounts.find((one) => one.mountPath.replace(/\/+$/, '') === path.replace(/\/+$/, ''));
}

async function claimPath(cluster: Cluster, namespace: string, name: string): Promise<string | undefined> {
  const claim = await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name });
  const volumeName = (specOf(claim) as { readonly volumeName?: string }).volumeName;
  if (volumeName === undefined) return undefined;
  const volume = await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name: volumeName });
  const { hostPath, local } = specOf(volume) as Readonly<
    Record<'hostPath' | 'local', { readonly path?: string } | undefined>
  >;
  return hostPath?.path ?? local?.path;
}

function specOf(object: KubeObject | undefined): object {
  return (object?.['spec'] as object | undefined) ?? {};
}
