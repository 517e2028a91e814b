import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isBackstayError } from '../../errors/index.ts';
import type { KubeObject } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';
import { follow } from './network/follow.ts';

const PROVISIONER = 'backstay.dev/local';
const STORAGE_CLASS = 'local';

interface Claim extends KubeObject {
  readonly spec: {
    readonly volumeName?: string;
    readonly storageClassName?: string;
    readonly accessModes?: readonly string[];
    readonly volumeMode?: string;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
}

interface Volume extends KubeObject {
  readonly spec: {
    readonly storageClassName?: string;
    readonly persistentVolumeReclaimPolicy?: string;
    readonly hostPath?: { readonly path: string };
  };
  readonly status?: { readonly phase?: string };
}

export interface StorageOptions {
  readonly cluster: Cluster;
  /** Folder below which every volume gets one of its own. */
  readonly dir: string;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

/**
 * Gives every claim of the default class `local` a folder as its volume, and removes the folder when a volume that is to
 * be deleted with its claim is released: what a cloud's provisioner does elsewhere.
 */
export async function startStorage(options: StorageOptions): Promise<void> {
  const { cluster, signal, log } = options;
  await ensureClass(cluster);
  const guarded = (work: Promise<void>, what: string): void => {
    work.catch((error: unknown) => {
      if (!signal.aborted) log(`${what}: ${String(error)}`);
    });
  };
  const kinds = {
    claims: { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
    volumes: { apiVersion: 'v1', kind: 'PersistentVolume' },
  };
  await Promise.all([
    follow(cluster, kinds.claims, {
      signal,
      log,
      apply: (type, object) => {
        if (type !== 'deleted') guarded(provide(options, object as Claim), `claim ${object.metadata.name}`);
      },
    }),
    follow(cluster, kinds.volumes, {
      signal,
      log,
      apply: (type, object) => {
        if (type !== 'deleted') guarded(reclaim(options, object as Volume), `volume ${object.metadata.name}`);
      },
    }),
  ]);
}

async function ensureClass(cluster: Cluster): Promise<void> {
  const metadata = { name: STORAGE_CLASS, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } };
  const settings = { provisioner: PROVISIONER, reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' };
  await cluster.apply(
    { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata, ...settings },
    { fieldManager: PROVISIONER, force: true },
  );
}

async function provide({ cluster, dir }: StorageOptions, claim: Claim): Promise<void> {
  const { name, namespace = 'default', uid = '' } = claim.metadata;
  const { spec } = claim;
  if (
    claim.metadata.deletionTimestamp !== undefined ||
    spec.storageClassName !== STORAGE_CLASS ||
    spec.volumeName !== undefined
  )
    return;
  const path = join(dir, `pvc-${uid}`);
  await mkdir(path, { recursive: true, mode: 0o777 });
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pvc-${uid}`, annotations: { 'pv.kubernetes.io/provisioned-by': PROVISIONER } },
    spec: {
      capacity: { storage: spec.resources?.requests?.storage ?? '1Gi' },
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      volumeMode: spec.volumeMode ?? 'Filesystem',
      storageClassName: STORAGE_CLASS,
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      hostPath: { path },
    },
  };
  try {
    await cluster.create(volume, { fieldManager: PROVISIONER });
  } catch (error) {
    // The name is the claim's uid: whoever made it made it for this claim.
    if (!isBackstayError(error) || error.details['status'] !== 409) throw error;
  }
}

async function reclaim({ cluster, dir }: StorageOptions, volume: Volume): Promise<void> {
  const { name, uid, annotations } = volume.metadata;
  const ours = annotations?.['pv.kubernetes.io/provisioned-by'] === PROVISIONER;
  if (!ours || volume.status?.phase !== 'Released' || volume.spec.persistentVolumeReclaimPolicy !== 'Delete') return;
  await cluster.delete({ apiVersion: 'v1', kind: 'PersistentVolume', name }, uid === undefined ? {} : { uid });
  const path = volume.spec.hostPath?.path;
  if (path === join(dir, name)) await rm(path, { recursive: true, force: true });
}

/** Folder of a bound claim; undefined while it is not bound to a volume that is a folder. */
export async function claimFolder(cluster: Cluster, namespace: string, name: string): Promise<string | undefined> {
  const claim = (await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name })) as
    | Claim
    | undefined;
  const volumeName = claim?.spec.volumeName;
  if (volumeName === undefined) return undefined;
  const volume = (await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name: volumeName })) as
    | Volume
    | undefined;
  return volume?.spec.hostPath?.path;
}
