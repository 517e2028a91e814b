import { isBackstayError } from '../errors/index.ts';
import {
  type CheckResult,
  type Digest,
  holdOf,
  keyOf,
  type KubeObject,
  labelsOf,
  type Removal,
  removalOf,
  shortId,
  type Sighting,
  type SignatureState,
  type Snapshot,
  type SnapshotReason,
  type SnapshotRecord,
  type Verdict,
} from '../model/index.ts';
import type { Annotation, DamagedEntry, SnapshotStore, VerifyFinding } from '../ports/index.ts';

export interface SnapshotDeps {
  readonly store: SnapshotStore;
}

/** One line of the list: a sighting with what all records together say about its content. */
export interface SnapshotRow {
  readonly id: Digest;
  readonly shortId: string;
  readonly capturedAt: string;
  readonly reason: SnapshotReason;
  /** In force now; on the newest sighting of a content only, so that a label stands once in the list. */
  readonly labels: readonly string[];
  readonly verdict: Verdict;
  readonly knownGood: boolean;
  readonly held?: { readonly run: string; readonly reason: string };
  /** Its content was taken away on purpose: it can be read about, and not gone back to. */
  readonly removed?: Removal;
  readonly signature: SignatureState;
  readonly by: SnapshotRecord['by'];
  readonly note?: string;
}

export interface SnapshotList {
  readonly rows: readonly SnapshotRow[];
  readonly damaged: readonly DamagedEntry[];
}

/** Newest first. Relabellings are not lines of their own: they show in the lines of their content. */
export async function listSnapshots(stack: string, { store }: SnapshotDeps): Promise<SnapshotList> {
  const { sightings, damaged } = parted(await store.list(stack));
  // As everywhere: an unsigned record decides nothing about what is signed.
  const trusted = trustedAmong(sightings);
  const shown = new Set<Digest>();
  const rows: SnapshotRow[] = [];
  for (const sighting of sightings) {
    const { id, reason } = sighting.record;
    if (reason === 'relabel' || reason === 'removal') continue;
    const said = sighting.signature.state === 'trusted' ? trusted : sightings;
    const { labels, ...row } = rowOf(sighting, said);
    rows.push({ ...row, labels: shown.has(id) ? [] : labels });
    shown.add(id);
  }
  return { rows, damaged };
}

export interface SnapshotDetails {
  readonly snapshot: Snapshot;
  readonly row: SnapshotRow;
  readonly checks: readonly CheckResult[];
  /** Objects by kind, as kubectl would group them. */
  readonly kinds: readonly { readonly kind: string; readonly names: readonly string[] }[];
  /** Data keys of each Secret; never a value. */
  readonly secrets: readonly { readonly key: string; readonly dataKeys: readonly string[] }[];
  /** Every sighting of the content, newest first. */
  readonly sightings: readonly Sighting[];
}

/** Everything about one snapshot, but no secret value. Errors as `resolve`. */
export async function showSnapshot(
  options: { readonly stack: string; readonly target: string; readonly allowUnsigned?: boolean },
  { store }: SnapshotDeps,
): Promise<SnapshotDetails> {
  const snapshot = await store.resolve(options.stack, options.target, {
    allowUnsigned: options.allowUnsigned === true,
  });
  const all = parted(await store.list(options.stack)).sightings;
  const said = snapshot.sighting.signature.state === 'trusted' ? trustedAmong(all) : all;
  const sightings = said.filter(({ record }) => record.id === snapshot.id);
  // A relabelling measured nothing: the checks are those of the sighting before it.
  const seen = sightings.find(({ record }) => record.reason !== 'relabel') ?? snapshot.sighting;
  return {
    snapshot,
    row: rowOf(seen, said),
    checks: seen.record.checks,
    kinds: byKind(snapshot.content.objects),
    secrets: snapshot.content.objects
      .filter(({ kind, apiVersion }) => kind === 'Secret' && apiVersion === 'v1')
      .map((object) => ({
        key: keyOf(object),
        dataKeys: Object.keys((object['data'] as object | undefined) ?? {}).toSorted(),
      })),
    sightings,
  };
}

export interface Verification {
  readonly kind: 'sound' | 'damaged';
  readonly findings: readonly VerifyFinding[];
}

/**
 * Reads every file of a stack again, or those of one snapshot. Findings are the result: a damaged file is no error here. When
 * damage hides which snapshot is meant, everything is read.
 */
export async function verifySnapshots(
  options: { readonly stack: string; readonly target?: string },
  { store }: SnapshotDeps,
): Promise<Verification> {
  const findings = await store.verify(options.stack, await idOf(options, store));
  return { kind: findings.every(({ ok }) => ok) ? 'sound' : 'damaged', findings };
}

async function idOf(
  { stack, target }: { readonly stack: string; readonly target?: string },
  store: SnapshotStore,
): Promise<Digest | undefined> {
  if (target === undefined) return undefined;
  try {
    return (await store.resolve(stack, target, { allowUnsigned: true })).id;
  } catch (error) {
    if (isBackstayError(error, 'SNAPSHOT_TAMPERED')) return undefined;
    throw error;
  }
}

/** Changes labels, holds or releases, as one more signed record. `held: null` is a person's release. */
export async function annotateSnapshot(
  options: { readonly stack: string; readonly target: string } & Annotation,
  { store }: SnapshotDeps,
): Promise<SnapshotRow> {
  const { stack, target, ...change } = options;
  const { id } = await store.resolve(stack, target);
  const sighting = await store.annotate(stack, id, change);
  return rowOf(sighting, parted(await store.list(stack)).sightings);
}

/** An unsigned record decides nothing about what is signed. */
export function trustedAmong(sightings: readonly Sighting[]): readonly Sighting[] {
  return sightings.filter(({ signature }) => signature.state === 'trusted');
}

export function parted(entries: readonly (Sighting | DamagedEntry)[]): {
  readonly sightings: readonly Sighting[];
  readonly damaged: readonly DamagedEntry[];
} {
  const sightings = entries.filter((entry): entry is Sighting => 'record' in entry);
  return { sightings, damaged: entries.filter((entry): entry is DamagedEntry => 'damaged' in entry) };
}

function rowOf({ record, signature }: Sighting, all: readonly Sighting[]): SnapshotRow {
  const held = holdOf(record.id, all);
  const removed = removalOf(record.id, all);
  return {
    id: record.id,
    shortId: shortId(record.id),
    capturedAt: record.capturedAt,
    reason: record.reason,
    labels: labelsOf(record.id, all),
    verdict: record.verdict,
    // A release by a person counts for what was seen before it, too.
    knownGood: record.verdict === 'pass' && held === undefined && removed === undefined,
    ...(held === undefined ? {} : { held: { run: held.run, reason: held.reason } }),
    ...(removed === undefined ? {} : { removed }),
    signature,
    by: record.by,
    ...(record.note === undefined ? {} : { note: record.note }),
  };
}

function byKind(objects: readonly KubeObject[]): SnapshotDetails['kinds'] {
  const groups = Map.groupBy(objects, ({ kind }) => kind);
  return [...groups]
    .map(([kind, members]) => ({ kind, names: members.map(nameOf) }))
    .toSorted((a, b) => (a.kind < b.kind ? -1 : 1));
}

function nameOf({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
