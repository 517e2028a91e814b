import { BackstayError, isBackstayError } from '../errors/index.ts';
import {
  type Digest,
  keyOf,
  type ObjectKey,
  type Removal,
  removalOf,
  shortId,
  type Sighting,
  type Snapshot,
  type SnapshotContent,
  type Stack,
} from '../model/index.ts';
import type { DamagedEntry, KeyReader, SecretValues, SnapshotStore } from '../ports/index.ts';
import { type Blobs, tampered } from './blobs.ts';
import { asContent, parseDocument } from './documents.ts';
import { decryptSecrets } from './encryption.ts';
import type { SnapshotFiles } from './files.ts';
import { type ComparisonHasher, createSecretHasher, hashesOf, isSecret } from './secret-hasher.ts';
import { select } from './selection.ts';
import { readSightings, type Sightings } from './sightings.ts';
import { completeIndex } from './snapshot-index.ts';

export interface ReaderOptions {
  readonly files: Pick<SnapshotFiles, 'index'>;
  readonly stack: Stack;
  readonly keys: KeyReader;
  readonly blobs: Blobs;
}

/** The reading half of the store. Nothing is returned that was not checked in this very call. */
export interface SnapshotReader extends Pick<SnapshotStore, 'list' | 'resolve' | 'get' | 'secrets'> {
  sightings(): Promise<Sightings>;
  content(id: Digest): Promise<SnapshotContent>;
  comparison(): Promise<ComparisonHasher>;
}

export function createSnapshotReader({ files, stack, keys, blobs }: ReaderOptions): SnapshotReader {
  const sightings = async (): Promise<Sightings> => {
    const index = await completeIndex(await files.index(), stack.name, blobs);
    const { sound, broken } = await readSightings(index, stack, blobs);
    return { sound, broken: [...broken, ...index.damaged.map(({ path, reason }) => ({ path, damaged: reason }))] };
  };
  const content = async (id: Digest): Promise<SnapshotContent> => {
    return asContent(parseDocument(await blobs.read(id), blobs.path(id)), stack.name, blobs.path(id));
  };
  const comparison = async (): Promise<ComparisonHasher> =>
    createSecretHasher(await keys.read(stack.secrets.comparisonKey));
  const load = async (id: Digest, { sound, broken }: Sightings, allowUnsigned: boolean): Promise<Snapshot> => {
    const all = sound.filter(({ record }) => record.id === id);
    const sighting = all.find(isTrusted) ?? (allowUnsigned ? all[0] : undefined);
    if (sighting !== undefined) {
      const removal = sound.find(({ record }) => record.id === id && record.reason !== 'relabel');
      const removed = removalOf(id, isTrusted(sighting) ? sound.filter(isTrusted) : sound);
      if (removed !== undefined) throw removedError(sighting, removed, removal);
      return { id, content: await content(id), sighting };
    }
    const [unsigned] = all;
    if (unsigned !== undefined) throw unsignedError(unsigned, blobs);
    const damage = broken.find(({ entry }) => entry?.id === id);
    if (damage?.error !== undefined) throw damage.error;
    throw new BackstayError('TARGET_UNKNOWN', `No snapshot of ${stack.name} has the id ${shortId(id)}.`, {
      details: { target: id },
    });
  };
  return {
    sightings,
    content,
    comparison,
    async list() {
      const { sound, broken } = await sightings();
      return [...broken.map(({ damaged, path }): DamagedEntry => ({ damaged, path })), ...sound];
    },
    async get(_stack, id, options) {
      return load(id, await sightings(), options?.allowUnsigned === true);
    },
    async resolve(_stack, target, { allowUnsigned = false, live } = {}) {
      const found = await sightings();
      const usable = allowUnsigned ? found.sound : found.sound.filter(isTrusted);
      const options = { stack: stack.name, ...(live === undefined ? {} : { live }) };
      if (!isId(target)) refuseDamage(target, found);
      let id: Digest;
      try {
        id = select(target, usable, options);
      } catch (error) {
        const damage = found.broken.find(({ entry }) => entry?.id.startsWith(withAlgorithm(target)));
        if (isBackstayError(error, 'TARGET_UNKNOWN') && damage?.error !== undefined) throw damage.error;
        throw explained(error, target, found, options, blobs);
      }
      return load(id, found, allowUnsigned);
    },
    async secrets(_stack, { content: snapshot, sighting }) {
      const { secrets } = sighting.record;
      if (secrets === undefined) return new Map();
      const bytes = await blobs.read(secrets.blob);
      const values = await decryptSecrets(bytes, await keys.read(stack.secrets.identity), secrets.recipients);
      const wrong = mismatch(snapshot, values, await comparison());
      if (wrong !== undefined) throw tampered(blobs.path(secrets.blob), wrong, {});
      return values;
    },
  };
}

/**
 * What is wrong when not each value is the one whose hash the content holds: no other age file can be put in place of the
 * right one. Hashes of an older comparison key cannot be checked; the record's signature still binds them.
 */
export function mismatch(content: SnapshotContent, values: SecretValues, hasher: ComparisonHasher): string | undefined {
  for (const object of content.objects.filter(isSecret)) {
    const key: ObjectKey = keyOf(object);
    for (const [name, hash] of Object.entries(hashesOf(object))) {
      const value = values.get(key)?.[name];
      if (value === undefined) return `lacks the value of ${name} in ${key}`;
      if (hash.split(':')[1] !== hasher.keyId || hasher.hashOf(key, name, value) === hash) continue;
      return `holds another value of ${name} in ${key} than the snapshot recorded`;
    }
  }
  return undefined;
}

export function isTrusted(sighting: Sighting): boolean {
  return sighting.signature.state === 'trusted';
}

/** A word or label asks for the newest of something; with a record unreadable, the answer might be a wrong one. */
function refuseDamage(target: string, { broken }: Sightings): void {
  const damage = broken.find(({ path }) => !path.endsWith('index.json'));
  if (damage === undefined) return;
  throw new BackstayError(
    'SNAPSHOT_TAMPERED',
    `What ${target} means is uncertain, because a record is unreadable: ${damage.damaged}`,
    {
      next: 'Restore the file from version control, or name the snapshot by its id.',
      at: { file: damage.path },
      details: { path: damage.path, target },
      cause: damage.error,
    },
  );
}

/** Says "not signed" in place of "not there" when that is why a target was not found. */
function explained(
  error: unknown,
  target: string,
  { sound }: Sightings,
  options: { readonly stack: string; readonly live?: Digest },
  blobs: Blobs,
): unknown {
  if (!isBackstayError(error, 'TARGET_UNKNOWN')) return error;
  try {
    const id = select(target, sound, options);
    const sighting = sound.find(({ record }) => record.id === id);
    return sighting === undefined ? error : unsignedError(sighting, blobs);
  } catch {
    return error;
  }
}

function removedError({ record }: Sighting, { because, run }: Removal, removal: Sighting | undefined): BackstayError {
  const what = because === 'finalized' ? `when run ${run ?? ''} was finalized` : 'when its retention had passed';
  const by = removal === undefined ? '' : ` by ${removal.record.by.user} at ${removal.record.capturedAt},`;
  return new BackstayError(
    'SNAPSHOT_REMOVED',
    `The content of the snapshot ${shortId(record.id)} was removed${by} ${what}.`,
    {
      next: `Run \`backstay list ${record.stack}\` to see what there is.`,
      details: { id: record.id, because, ...(run === undefined ? {} : { run }) },
    },
  );
}

function unsignedError({ record, recordDigest, signature }: Sighting, blobs: Blobs): BackstayError {
  const path = blobs.path(recordDigest);
  const why =
    signature.state === 'untrusted'
      ? `is signed by a key the stack does not trust (${signature.key})`
      : 'is not signed';
  return new BackstayError('SNAPSHOT_UNSIGNED', `The snapshot ${shortId(record.id)} ${why}: ${path}.`, {
    at: { file: path },
    details: { id: record.id, path, signature },
  });
}

function isId(target: string): boolean {
  return /^(sha256:)?[0-9a-f]{4,64}$/.test(target);
}

function withAlgorithm(target: string): string {
  return `sha256:${target.replace(/^sha256:/, '')}`;
}
