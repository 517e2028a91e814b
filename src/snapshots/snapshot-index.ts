import type { Digest } from '../model/index.ts';
import type { Blobs } from './blobs.ts';
import { asRecord, parseDocument } from './documents.ts';
import { isSignatureBlob } from './signing.ts';

/** One record as the index lists it: enough to know what each file is without opening it. */
export interface IndexEntry {
  readonly record: Digest;
  readonly id: Digest;
  readonly secrets?: Digest;
  readonly signatures: readonly Digest[];
}

export interface SnapshotIndex {
  readonly entries: readonly IndexEntry[];
  /** Sound files that no record refers to, such as the content of a capture that was killed before its record. */
  readonly others: readonly Digest[];
  /** Files that are there and cannot be used, and the index itself when it could not be read. */
  readonly damaged: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * The index only saves opening files. Every read compares it with the names in the folder and opens what it does not know,
 * so that nothing is lost when two writers overwrite each other's index, a writer is killed, or a merge mangles the file:
 * the files themselves are the truth, and no lock is needed.
 */
export async function completeIndex(stored: SnapshotIndex, stack: string, blobs: Blobs): Promise<SnapshotIndex> {
  const known = new Set(
    stored.entries.flatMap((entry) => [entry.record, entry.id, entry.secrets, ...entry.signatures]),
  );
  for (const digest of stored.others) known.add(digest);
  const unknown = (await blobs.list()).filter((digest) => !known.has(digest));
  const entries = new Map(stored.entries.map((entry) => [entry.record, entry]));
  const signatures: { readonly record: Digest; readonly blob: Digest }[] = [];
  const others = [...stored.others];
  const damaged = [...stored.damaged];
  for (const digest of unknown) {
    try {
      const document = parseDocument(await blobs.read(digest), blobs.path(digest));
      if (document?.kind === 'SnapshotRecord') {
        const { id, secrets } = asRecord(document, stack, blobs.path(digest));
        entries.set(digest, {
          record: digest,
          id,
          ...(secrets === undefined ? {} : { secrets: secrets.blob }),
          signatures: [],
        });
      } else if (isSignatureBlob(document)) {
        signatures.push({ record: document.record, blob: digest });
      } else {
        others.push(digest);
      }
    } catch (error) {
      damaged.push({ path: blobs.path(digest), reason: (error as Error).message });
    }
  }
  for (const { record, blob } of signatures) {
    const entry = entries.get(record);
    // Another writer's record comes after its signature: as long as it is not there, the blob must stay unknown, or it
    // would never be looked at again and the record would count as unsigned.
    if (entry !== undefined) entries.set(record, { ...entry, signatures: [...entry.signatures, blob] });
  }
  const used = new Set([...entries.values()].flatMap((entry) => [entry.id, entry.secrets]));
  return { entries: [...entries.values()], others: others.filter((digest) => !used.has(digest)), damaged };
}

/** The index with an entry that was just made. Damaged files are left out, and found again. */
export function withEntry(index: SnapshotIndex, entry: IndexEntry): SnapshotIndex {
  const used = new Set<Digest | undefined>([entry.id, entry.secrets, ...entry.signatures]);
  return {
    entries: [...index.entries.filter((other) => other.record !== entry.record), entry],
    others: index.others.filter((digest) => !used.has(digest)),
    damaged: [],
  };
}
