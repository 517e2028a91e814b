import { isBackstayError } from '../errors/index.ts';
import { newestFirst, type Sighting, type SignatureState, type SnapshotRecord, type Stack } from '../model/index.ts';
import type { DamagedEntry } from '../ports/index.ts';
import { type Blobs, tampered } from './blobs.ts';
import { asRecord, parseDocument } from './documents.ts';
import { checkSignature, isSignatureBlob } from './signing.ts';
import type { IndexEntry, SnapshotIndex } from './snapshot-index.ts';

/** Records read at once: enough to hide the disk, few enough for the limit of open files. */
const AT_ONCE = 32;

/** Every record of an index, read and checked. */
export interface Sightings {
  /** Newest first. */
  readonly sound: readonly Sighting[];
  /** Records that cannot be used. What they said is unknown, so whoever asks for "the newest" cannot be answered. */
  readonly broken: readonly (DamagedEntry & { readonly entry?: IndexEntry; readonly error?: unknown })[];
}

export async function readSightings(index: SnapshotIndex, stack: Stack, blobs: Blobs): Promise<Sightings> {
  const sound: Sighting[] = [];
  const broken: Sightings['broken'][number][] = [];
  for (let start = 0; start < index.entries.length; start += AT_ONCE) {
    const batch = index.entries.slice(start, start + AT_ONCE);
    const results = await Promise.allSettled(batch.map((entry) => readSighting(entry, stack, blobs)));
    for (const [offset, result] of results.entries()) {
      const entry = batch[offset];
      if (entry === undefined) continue;
      if (result.status === 'fulfilled') sound.push(result.value);
      else
        broken.push({
          damaged: (result.reason as Error).message,
          path: pathOf(result.reason, blobs.path(entry.record)),
          entry,
          error: result.reason,
        });
    }
  }
  return { sound: newestFirst(sound), broken };
}

async function readSighting(entry: IndexEntry, stack: Stack, blobs: Blobs): Promise<Sighting> {
  const path = blobs.path(entry.record);
  const record = asRecord(parseDocument(await blobs.read(entry.record), path), stack.name, path);
  return { record, recordDigest: entry.record, signature: await readSignatures(record, entry, stack, blobs) };
}

/** The best of a record's signatures. A damaged one only matters when no other is trusted. */
async function readSignatures(
  record: SnapshotRecord,
  entry: IndexEntry,
  stack: Stack,
  blobs: Blobs,
): Promise<SignatureState> {
  let best: SignatureState = { state: 'unsigned' };
  let failure: unknown;
  for (const digest of entry.signatures) {
    const path = blobs.path(digest);
    try {
      const blob: unknown = parseDocument(await blobs.read(digest), path);
      if (!isSignatureBlob(blob) || blob.record !== entry.record)
        throw tampered(path, 'is not a signature of its record', {});
      const state = await checkSignature(record, blob, path, stack.signing.trusted);
      if (state.state === 'trusted') return state;
      best = state;
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return best;
}

function pathOf(error: unknown, otherwise: string): string {
  return isBackstayError(error) ? (error.at?.file ?? otherwise) : otherwise;
}
