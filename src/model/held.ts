import { digestOf } from './digest.ts';
import type { Digest } from './json.ts';
import { keyOf } from './object.ts';
import { holdOf } from './sightings.ts';
import type { HeldVersion, Sighting, SnapshotContent, SnapshotRecord } from './snapshot.ts';

/** A version as it can be recognised: what ran, and how it was set. */
export interface Seen {
  readonly content: Pick<SnapshotContent, 'images' | 'flags' | 'objects'>;
  /** By image name, as far as nodes reported them. */
  readonly digests?: SnapshotRecord['imageDigests'];
}

export type Hold = NonNullable<SnapshotRecord['held']>;

/**
 * What tells a failing version from the one that was gone back to, so that it is known again after a slight drift: its
 * images and flags, and where those are the same on both sides, its configuration. Undefined: nothing of that tells them
 * apart, and only the snapshot's id does.
 */
export function heldVersion(failing: Seen, reached: Seen): HeldVersion | undefined {
  const { content, digests = {} } = failing;
  const images = Object.fromEntries(
    content.images.map(({ workload, container, image }) => [`${workload} ${container}`, image]),
  );
  const used = new Set(Object.values(images));
  const version: HeldVersion = {
    images,
    flags: Object.fromEntries(content.flags.map(({ name, value }) => [name, value])),
    digests: Object.fromEntries(Object.entries(digests).filter(([image]) => used.has(image))),
  };
  if (!isVersion(reached, version)) return version;
  const config = configOf(content);
  return config === configOf(reached.content) ? undefined : { ...version, config };
}

/**
 * Whether what was seen is that version. Replicas, annotations and objects that came beside it do not matter; an image of
 * the same name with another digest is another one.
 */
export function isVersion({ content, digests = {} }: Seen, version: HeldVersion): boolean {
  const images = new Map(content.images.map(({ workload, container, image }) => [`${workload} ${container}`, image]));
  const flags = new Map(content.flags.map(({ name, value }) => [name, value]));
  const known = Object.entries(version.images);
  if (known.length === 0 || !known.every(([place, image]) => images.get(place) === image)) return false;
  if (!Object.entries(version.flags).every(([name, value]) => (flags.get(name) ?? null) === value)) return false;
  const retagged = Object.entries(version.digests).some(([image, digest]) => (digests[image] ?? digest) !== digest);
  return !retagged && (version.config === undefined || version.config === configOf(content));
}

/** The holds in force, newest first. `sightings` are newest first too. */
export function holdsInForce(sightings: readonly Sighting[]): readonly (Hold & { readonly id: Digest })[] {
  const ids = [...new Set(sightings.map(({ record }) => record.id))];
  return ids.flatMap((id) => {
    const hold = holdOf(id, sightings);
    return hold === undefined ? [] : [{ ...hold, id }];
  });
}

/** The hold that a snapshot falls under: its own, or that of the version that it is. */
export function holdOn(
  seen: Seen,
  id: Digest,
  sightings: readonly Sighting[],
): (Hold & { readonly id: Digest }) | undefined {
  const holds = holdsInForce(sightings);
  return (
    holds.find((hold) => hold.id === id) ??
    holds.find(({ version }) => version !== undefined && isVersion(seen, version))
  );
}

/** Values of ConfigMaps and Secrets (as their keyed hashes), and nothing else of them. */
function configOf({ objects }: Seen['content']): Digest {
  const values = objects
    .filter(({ apiVersion, kind }) => apiVersion === 'v1' && (kind === 'ConfigMap' || kind === 'Secret'))
    .map((object) => [keyOf(object), object['data'] ?? null, object['binaryData'] ?? null] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(values);
}
