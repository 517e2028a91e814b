import { readFile } from 'node:fs/promises';
import { BackstayError } from '../../errors/index.ts';
import { type Digest, digestOf, isDigest } from '../../model/index.ts';
import type { IndexEntry, SnapshotIndex } from '../../snapshots/index.ts';
import type { WriteFile } from './atomic-write.ts';

const FORMAT = 1;

/** Writes the index as it is now. Damaged files are left out and found again. */
export async function writeIndex(
  path: string,
  stack: string,
  index: SnapshotIndex,
  writeFile: WriteFile,
): Promise<void> {
  const records = index.entries.toSorted((a, b) => (a.record < b.record ? -1 : 1));
  const others = index.others.toSorted();
  const body = { format: FORMAT, stack, records, others };
  // The digest guards against accidents only (a flipped bit, a merge by git): a file that does not fit is made again.
  await writeFile(path, `${JSON.stringify({ ...body, digest: digestOf(body) }, null, 1)}\n`);
}

/** What the file says; nothing when it is not there. @throws SNAPSHOT_FORMAT for a newer one */
export async function readIndex(path: string): Promise<SnapshotIndex> {
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
