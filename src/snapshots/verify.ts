import { type Digest, removalOf, type Sighting, type SnapshotRecord } from '../model/index.ts';
import type { VerifyFinding } from '../ports/index.ts';
import type { Blobs } from './blobs.ts';
import { neededBy } from './documents.ts';
import { hashesOf, isSecret } from './secret-hasher.ts';
import { isTrusted, type SnapshotReader } from './reader.ts';

/** Reads everything (or what one snapshot needs) again and says of each file whether it is what it should be. */
export async function verifyStore(
  reader: SnapshotReader,
  blobs: Blobs,
  id?: Digest,
): Promise<readonly VerifyFinding[]> {
  const { sound, broken } = await reader.sightings();
  const trusted = sound.filter(isTrusted);
  const findings = new Map<string, VerifyFinding>();
  const add = (path: string, ok: boolean, message: string): void => {
    if (findings.get(path)?.ok !== false) findings.set(path, { path, ok, message });
  };
  for (const { path, damaged, entry } of broken) {
    if (id === undefined || entry === undefined || entry.id === id) add(path, false, damaged);
  }
  for (const { record, recordDigest, signature } of sound) {
    if (id !== undefined && record.id !== id) continue;
    const said = signature.state === 'trusted' ? `signed by ${signature.key}` : signature.state;
    add(blobs.path(recordDigest), signature.state === 'trusted', `record of ${record.capturedAt}, ${said}`);
    if (isOlderThanRemoval(record, trusted)) {
      const gone = removalOf(record.id, trusted);
      if (gone !== undefined) add(blobs.path(record.id), true, await removalText(record, gone.because, blobs));
      continue;
    }
    for (const digest of neededBy(record)) {
      if (!findings.has(blobs.path(digest))) await check(digest, record, reader, blobs, add);
    }
  }
  return [...findings.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** What such a record needs was taken away, whether or not the same content came back afterwards. */
function isOlderThanRemoval({ id, capturedAt }: SnapshotRecord, trusted: readonly Sighting[]): boolean {
  return trusted.some(
    ({ record }) => record.id === id && record.removed !== undefined && record.capturedAt >= capturedAt,
  );
}

async function removalText(record: SnapshotRecord, because: string, blobs: Blobs): Promise<string> {
  const sizes = await Promise.all(neededBy(record).map(async (digest) => await blobs.size(digest)));
  const left = sizes.some((size) => size !== undefined);
  return `content removed on purpose (${because})${left ? '; a part of it is still there: finalize again' : ''}`;
}

async function check(
  digest: Digest,
  record: SnapshotRecord,
  reader: SnapshotReader,
  blobs: Blobs,
  add: (path: string, ok: boolean, message: string) => void,
): Promise<void> {
  try {
    if (digest !== record.id) {
      const bytes = await blobs.read(digest);
      add(
        blobs.path(digest),
        true,
        `secrets, ${bytes.length} bytes for ${record.secrets?.recipients.length ?? 0} recipients`,
      );
      return;
    }
    const content = await reader.content(digest);
    content.objects.filter(isSecret).forEach(hashesOf);
    add(blobs.path(digest), true, `content of ${content.objects.length} objects`);
  } catch (error) {
    add(blobs.path(digest), false, (error as Error).message);
  }
}
