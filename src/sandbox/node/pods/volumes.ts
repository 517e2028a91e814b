import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { ConfigSource } from '../env/config-source.ts';
import { fieldValue, type PodFacts, resourceValue } from '../env/field-ref.ts';
import { binaryData, type SourceKind } from '../env/resolve.ts';
import type { KeyToPath, Volume, VolumeSource } from './pod-types.ts';

export interface VolumeInput {
  readonly facts: PodFacts;
  readonly config: ConfigSource;
  /** The pod's own folder. */
  readonly podDir: string;
  /** Folder of a claim, which outlives pods; undefined while it is not bound. */
  readonly claim: (namespace: string, name: string) => Promise<string | undefined>;
}

export type VolumesResult =
  | { readonly ok: true; readonly folders: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly volume: string; readonly message: string };

interface VolumeFile {
  readonly content: Buffer;
  readonly mode: number;
}

/** What a volume's files are made of; a text says what is missing. */
type VolumeFiles = ReadonlyMap<string, VolumeFile> | string;

/** The objects that a pod's volumes are made of, each once. */
export function volumeSources(
  volumes: readonly Volume[],
): readonly { readonly kind: SourceKind; readonly name: string }[] {
  return volumes.flatMap(sourcesOf).flatMap((source) => {
    const configMap = source.configMap?.name;
    const secret = source.secret?.secretName ?? source.secret?.name;
    return [
      ...(configMap === undefined ? [] : [{ kind: 'ConfigMap' as const, name: configMap }]),
      ...(secret === undefined ? [] : [{ kind: 'Secret' as const, name: secret }]),
    ];
  });
}

/** Makes (or brings up to date) the folder of every volume of the pod. */
export async function prepareVolumes(input: VolumeInput): Promise<VolumesResult> {
  const folders = new Map<string, string>();
  const { metadata, spec } = input.facts.pod;
  for (const volume of spec.volumes ?? []) {
    const folder = join(input.podDir, 'volumes', volume.name);
    if (volume.hostPath !== undefined) {
      folders.set(volume.name, volume.hostPath.path);
      continue;
    }
    if (volume.persistentVolumeClaim !== undefined) {
      const { claimName } = volume.persistentVolumeClaim;
      const path = await input.claim(metadata.namespace ?? 'default', claimName);
      if (path === undefined)
        return {
          ok: false,
          volume: volume.name,
          message: `persistentvolumeclaim "${claimName}" is not bound to a folder`,
        };
      folders.set(volume.name, path);
      continue;
    }
    await mkdir(folder, { recursive: true });
    folders.set(volume.name, folder);
    if (sourcesOf(volume).length === 0) continue;
    const files = await filesOf(volume, input);
    if (typeof files === 'string') return { ok: false, volume: volume.name, message: files };
    await writeFiles(folder, files);
  }
  return { ok: true, folders };
}

/** The volume itself or its projected parts. A volume with a service account token is left empty: pods get no token. */
function sourcesOf(volume: Volume): readonly VolumeSource[] {
  const sources = volume.projected?.sources ?? [volume];
  if (sources.some((source) => source.serviceAccountToken !== undefined)) return [];
  return sources.filter((source) => source.configMap ?? source.secret ?? source.downwardAPI);
}

async function filesOf(volume: Volume, input: VolumeInput): Promise<VolumeFiles> {
  const files = new Map<string, VolumeFile>();
  for (const source of sourcesOf(volume)) {
    for (const { path, ...ref } of source.downwardAPI?.items ?? []) {
      const { facts } = input;
      const [first] = facts.pod.spec.containers;
      const field = ref.fieldRef && fieldValue(ref.fieldRef.fieldPath, facts);
      const resource = ref.resourceFieldRef && first && resourceValue(ref.resourceFieldRef, first, facts);
      files.set(path, { content: Buffer.from(field ?? resource ?? ''), mode: 0o644 });
    }
    const missing =
      (await addObject(files, 'ConfigMap', source.configMap?.name, source.configMap, input)) ??
      (await addObject(files, 'Secret', source.secret?.secretName ?? source.secret?.name, source.secret, input));
    if (missing !== undefined) return missing;
  }
  return files;
}

async function addObject(
  files: Map<string, VolumeFile>,
  kind: SourceKind,
  name: string | undefined,
  source: { readonly items?: readonly KeyToPath[]; readonly optional?: boolean } | undefined,
  input: VolumeInput,
): Promise<string | undefined> {
  if (name === undefined || source === undefined) return undefined;
  const namespace = input.facts.pod.metadata.namespace ?? 'default';
  const object = await input.config.read(kind, namespace, name);
  if (object === undefined) return source.optional === true ? undefined : `${kind.toLowerCase()} "${name}" not found`;
  const data = binaryData(object);
  const items: readonly KeyToPath[] = source.items ?? [...data.keys()].map((key) => ({ key, path: key }));
  for (const { key, path, mode } of items) {
    const content = data.get(key);
    if (content !== undefined) files.set(path, { content, mode: mode ?? 0o644 });
    else if (source.optional !== true) return `references non-existent config key: ${key}`;
  }
  return undefined;
}

/** Each file appears whole or not at all; files whose key is gone are removed. */
async function writeFiles(folder: string, files: ReadonlyMap<string, VolumeFile>): Promise<void> {
  const present = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of present) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !files.has(relative(folder, path))) await rm(path, { force: true });
  }
  for (const [path, { content, mode }] of files) {
    const target = resolve(folder, path);
    // The API server refuses `..` in paths; a node that trusts that alone would write anywhere.
    if (!target.startsWith(folder + sep)) continue;
    const same = await readFile(target).then(
      (old) => old.equals(content),
      () => false,
    );
    if (same) continue;
    await mkdir(dirname(target), { recursive: true });
    const draft = join(dirname(folder), `.${createHash('sha1').update(target).digest('hex')}`);
    await writeFile(draft, content, { mode });
    await chmod(draft, mode);
    await rename(draft, target);
  }
}
