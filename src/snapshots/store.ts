import { BackstayError } from '../errors/index.ts';
import {
  canonicalJson,
  type Digest,
  holdOf,
  keyOf,
  labelsOf,
  orderedContent,
  removalOf,
  type Sighting,
  type SnapshotContent,
  type SnapshotRecord,
  type Stack,
} from '../model/index.ts';
import type { Clock, KeyReader, SecretValues, SnapshotStore } from '../ports/index.ts';
import { type Blobs, createBlobs } from './blobs.ts';
import { API_VERSION } from './documents.ts';
import { encryptSecrets, proveIdentity } from './encryption.ts';
import type { SnapshotFiles } from './files.ts';
import { hashesOf, isSecret } from './secret-hasher.ts';
import { WORDS } from './selection.ts';
import { proveSigningKey, signRecord } from './signing.ts';
import { createSnapshotReader, isTrusted, mismatch, type SnapshotReader } from './reader.ts';
import { verifyStore } from './verify.ts';

export interface SnapshotStoreOptions {
  readonly files: SnapshotFiles;
  readonly stack: Stack;
  readonly keys: KeyReader;
  readonly clock: Pick<Clock, 'now'>;
  readonly by: SnapshotRecord['by'];
}

/**
 * Snapshots of one stack as files, whatever keeps them: contents, records, signatures and age files alike, each named by its
 * digest; the index can always be made again from them. A record is written last, so that a snapshot is there wholly or not
 * at all. snapshots/README.md describes the layout.
 */
export function createSnapshotStore(options: SnapshotStoreOptions): SnapshotStore {
  const { files: kept, stack, keys, clock } = options;
  const blobs = createBlobs(kept);
  const reader = createSnapshotReader({ files: kept, stack, keys, blobs });
  const ours = (name: string): void => {
    if (name !== stack.name) throw new BackstayError('INTERNAL', `A store of ${stack.name} was asked about ${name}.`);
  };
  const write = async (record: SnapshotRecord, sign: boolean): Promise<Sighting> => {
    const signed = sign
      ? await signRecord(record, await keys.read(stack.signing.key), stack.signing.trusted)
      : undefined;
    const signatures = signed === undefined ? [] : [await blobs.write(canonicalJson(signed.blob))];
    const recordDigest = await blobs.write(canonicalJson(record));
    const secrets = record.secrets === undefined ? {} : { secrets: record.secrets.blob };
    await kept.enter({ record: recordDigest, id: record.id, ...secrets, signatures });
    await kept.sweep(clock.now());
    return {
      record,
      recordDigest,
      signature: signed === undefined ? { state: 'unsigned' } : { state: 'trusted', key: signed.key },
    };
  };
  return {
    async put(name, { content: given, secrets, record, sign = true }) {
      ours(name);
      const content = checkedContent(given, stack.name);
      record.labels.forEach(checkLabel);
      // The key is proven before the first file is written: a failed put leaves nothing behind.
      if (sign) proveSigningKey(await keys.read(stack.signing.key), stack.signing.trusted);
      const stored = await storeSecrets(content, secrets, stack, blobs, reader);
      const id = await blobs.write(canonicalJson(content));
      const about = { apiVersion: API_VERSION, kind: 'SnapshotRecord', id, stack: stack.name, by: options.by } as const;
      const { sound } = await reader.sightings();
      const removed = removalOf(id, sound.filter(isTrusted)) !== undefined;
      // What brings a removed content back has to count as newer, whatever the clocks of two machines say.
      const capturedAt = removed ? after(sound, Date.parse(record.capturedAt)) : record.capturedAt;
      return write(
        {
          ...record,
          capturedAt,
          ...about,
          labels: record.labels.toSorted(),
          ...(stored === undefined ? {} : { secrets: stored }),
        },
        sign,
      );
    },
    async annotate(name, id, change) {
      ours(name);
      change.labels?.forEach(checkLabel);
      const { sighting } = await reader.get(name, id, { allowUnsigned: true });
      const { sound } = await reader.sightings();
      // Unsigned records do not decide what a signed one says.
      const known = isTrusted(sighting) ? sound.filter(isTrusted) : sound;
      const held = change.held === undefined ? holdOf(id, known) : (change.held ?? undefined);
      const verdict =
        known.find(({ record }) => record.id === id && record.reason !== 'relabel')?.record.verdict ?? 'unknown';
      const { note: _note, held: _held, ...rest } = sighting.record;
      const record: SnapshotRecord = {
        ...rest,
        capturedAt: after(known, clock.now()),
        reason: 'relabel',
        labels: (change.labels ?? labelsOf(id, known)).toSorted(),
        by: options.by,
        checks: [],
        verdict,
        ...(change.note === undefined ? {} : { note: change.note }),
        ...(held === undefined ? {} : { held }),
      };
      return write(record, isTrusted(sighting));
    },
    async prune(name, id, why) {
      ours(name);
      const { sound } = await reader.sightings();
      const known = sound.filter(isTrusted);
      const own = known.filter(({ record }) => record.id === id);
      const [newest] = own;
      if (newest === undefined) {
        throw new BackstayError(
          'TARGET_UNKNOWN',
          `No snapshot of ${stack.name} with a trusted signature has the id ${id}.`,
        );
      }
      const isFirst = removalOf(id, known) === undefined;
      // The record comes first: cut off afterwards, what is left of the files is known for what it is.
      if (isFirst) {
        const { note: _note, held: _held, secrets: _secrets, ...rest } = newest.record;
        const capturedAt = after(known, clock.now());
        await write(
          {
            ...rest,
            capturedAt,
            reason: 'removal',
            labels: [],
            by: options.by,
            checks: [],
            verdict: 'unknown',
            removed: why,
          },
          true,
        );
      }
      const files = [id, ...new Set(own.flatMap(({ record }) => record.secrets?.blob ?? []))];
      let bytes = 0;
      for (const file of files) {
        const size = await blobs.size(file);
        if (size === undefined) continue;
        await blobs.remove(file);
        bytes += size;
      }
      return { changed: isFirst || bytes > 0, bytes };
    },
    async sizes(name) {
      ours(name);
      const { sound } = await reader.sightings();
      const files = new Map<Digest, Set<Digest>>();
      for (const { record } of sound) {
        const own = files.get(record.id) ?? new Set([record.id]);
        if (record.secrets !== undefined) own.add(record.secrets.blob);
        files.set(record.id, own);
      }
      const sum = async (digests: ReadonlySet<Digest>): Promise<number> => {
        const sizes = await Promise.all([...digests].map(async (digest) => (await blobs.size(digest)) ?? 0));
        return sizes.reduce((all, size) => all + size, 0);
      };
      return new Map(await Promise.all([...files].map(async ([id, own]) => [id, await sum(own)] as const)));
    },
    async proveKeys(name, snapshot) {
      ours(name);
      proveSigningKey(await keys.read(stack.signing.key), stack.signing.trusted);
      await reader.comparison();
      await proveIdentity(await keys.read(stack.secrets.identity), stack.secrets.recipients);
      if (snapshot !== undefined) await reader.secrets(name, snapshot);
    },
    list: async (name) => (ours(name), reader.list(name)),
    resolve: async (name, target, trust) => (ours(name), reader.resolve(name, target, trust)),
    get: async (name, id, trust) => (ours(name), reader.get(name, id, trust)),
    secrets: async (name, snapshot) => (ours(name), reader.secrets(name, snapshot)),
    verify: async (name, id) => (ours(name), verifyStore(reader, blobs, id)),
  };
}

async function storeSecrets(
  content: SnapshotContent,
  secrets: SecretValues,
  stack: Stack,
  blobs: Blobs,
  reader: SnapshotReader,
): Promise<SnapshotRecord['secrets']> {
  const hidden = content.objects.filter((object) => isSecret(object) && Object.keys(hashesOf(object)).length > 0);
  if (hidden.length === 0) return undefined;
  const hasher = await reader.comparison();
  const wrong = mismatch(content, secrets, hasher);
  if (wrong !== undefined) throw new BackstayError('INTERNAL', `What is to be stored as secrets ${wrong}.`);
  const wanted = new Map(hidden.map((object) => [keyOf(object), secrets.get(keyOf(object)) ?? {}]));
  const bytes = await encryptSecrets(wanted, stack.secrets.recipients);
  return { blob: await blobs.write(bytes), recipients: stack.secrets.recipients, comparisonKey: hasher.keyId };
}

function checkedContent(content: SnapshotContent, stack: string): SnapshotContent {
  if (content.stack !== stack)
    throw new BackstayError('INTERNAL', `A content of ${content.stack} was to be stored for ${stack}.`);
  const ordered = orderedContent(content);
  const keys = ordered.objects.map(keyOf);
  const twice = keys.find((key, index) => key === keys[index + 1]);
  if (twice !== undefined) throw new BackstayError('INTERNAL', `${twice} is twice in one content.`);
  // Canonical JSON decides: what has no JSON form (undefined fields) is not part of the content.
  return JSON.parse(canonicalJson(ordered)) as SnapshotContent;
}

function checkLabel(label: string): void {
  const fits = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/.test(label) && !WORDS.some((word) => word === label);
  if (fits) return;
  throw new BackstayError('USAGE', `${JSON.stringify(label)} cannot be a label.`, {
    next: `Use letters, digits and . _ + -, up to 63 of them, and none of the words ${WORDS.join(', ')}.`,
  });
}

/** A time later than every record there is: a correction counts after what it corrects, even within one millisecond. */
function after(sightings: readonly Sighting[], now: number): string {
  const newest = sightings[0] === undefined ? 0 : Date.parse(sightings[0].record.capturedAt);
  return new Date(Math.max(now, newest + 1)).toISOString();
}
