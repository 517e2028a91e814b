import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import { type Digest, digestOf, isDigest } from '../../model/index.ts';
import type { WriteFile } from './atomic-write.ts';
import type { Blobs } from './blobs.ts';
import { asRecord, parseDocument } from './documents.ts';
import { isSignatureBlob } from './signing.ts';

const FORMAT = 1;

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
export async function readIndex(folder: string, stack: string, blobs: Blobs): Promise<SnapshotIndex> {
  const path = join(folder, 'index.json');
  const stored = await readStored(path);
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

/** Writes the index as it is now, with an entry that was just made. Damaged files are left out and found again. */
export async function writeIndex(
  folder: string,
  stack: string,
  index: SnapshotIndex,
  writeFile: WriteFile,
): Promise<void> {
  const records = index.entries.toSorted((a, b) => (a.record < b.record ? -1 : 1));
  const others = index.others.toSorted();
  const body = { format: FORMAT, stack, records, others };
  // The digest guards against accidents only (a flipped bit, a merge by git): a file that does not fit is made again.
  await writeFile(join(folder, 'index.json'), `${JSON.stringify({ ...body, digest: digestOf(body) }, null, 1)}\n`);
}

async function readStored(path: string): Promise<SnapshotIndex> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return { entries: [], others: [], damaged: [] };
  const value = tryParse(text);
  if (typeof value?.format === 'number' && value.format > FORMAT) {
    throw new BackstayError('SNAPSHOT_FORMAT', `${path} is of format ${value.format}; this program knows ${FORMAT}.`, {
      at: { file: path },
    });
  }
  const { digest, ...body } = value ?? {};
  const isWhole = value !== undefined && digest === digestOf(body);
  if (
    isWhole &&
    value.format === FORMAT &&
    Array.isArray(value.records) &&
    value.records.every(isEntry) &&
    isDigests(value.others)
  ) {
    return { entries: value.records, others: value.others, damaged: [] };
  }
  return {
    entries: [],
    others: [],
    damaged: [{ path, reason: `${path} is damaged; what it lists was found again from the records.` }],
  };
}

function tryParse(
  text: string,
):
  | { readonly format?: unknown; readonly records?: unknown; readonly others?: unknown; readonly digest?: unknown }
  | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is IndexEntry {
  const entry = value as Partial<IndexEntry> | null;
  return (
    typeof entry === 'object' &&
    entry !== null &&
    isDigests([entry.record, entry.id, ...(entry.secrets === undefined ? [] : [entry.secrets])]) &&
    isDigests(entry.signatures)
  );
}

function isDigests(value: unknown): value is readonly Digest[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && isDigest(item));
}
