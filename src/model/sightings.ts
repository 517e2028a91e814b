import type { Digest } from './json.ts';
import type { Sighting, SnapshotReason } from './snapshot.ts';

/*
 * What sightings say together: which content a label leads to, what is held, what `previous` and `known-good` mean. All
 * functions expect them newest first.
 */

/** Records that saw the live stack. An import, a revision or a relabelling says nothing about what was live when. */
const SAW_LIVE: readonly SnapshotReason[] = ['capture', 'before-run', 'after-run'];

/** Newest first; ties in a fixed order. */
export function newestFirst(sightings: readonly Sighting[]): Sighting[] {
  return sightings.toSorted(
    (a, b) => compare(b.record.capturedAt, a.record.capturedAt) || compare(a.recordDigest, b.recordDigest),
  );
}

/**
 * Which id a label leads to. A label leads to the content whose record carried it last; `relabel` records replace all
 * labels of their content, so that a label can also be taken away.
 */
export function labelsInForce(sightings: readonly Sighting[]): ReadonlyMap<string, Digest> {
  const owner = new Map<string, Digest>();
  for (const { record } of sightings.toReversed()) {
    if (record.reason === 'relabel') {
      for (const [label, id] of owner) if (id === record.id) owner.delete(label);
    }
    for (const label of record.labels) owner.set(label, record.id);
  }
  return owner;
}

/** Labels in force of one content, sorted. */
export function labelsOf(id: Digest, sightings: readonly Sighting[]): readonly string[] {
  return [...labelsInForce(sightings)]
    .filter(([, owner]) => owner === id)
    .map(([label]) => label)
    .toSorted();
}

/**
 * Why a content is held, if it is. Seeing it again releases nothing: only a later `relabel` record without a hold does, and
 * those are written when a person asks for it.
 */
export function holdOf(id: Digest, sightings: readonly Sighting[]): Sighting['record']['held'] {
  const deciding = sightings.find(
    ({ record }) => record.id === id && (record.held !== undefined || record.reason === 'relabel'),
  );
  return deciding?.record.held;
}

/**
 * Why a content is not there any more, if it was taken away on purpose. A sighting after that brought it back: whoever sees
 * a content stores it.
 */
export function removalOf(id: Digest, sightings: readonly Sighting[]): Sighting['record']['removed'] {
  return sightings.find(({ record }) => record.id === id && record.reason !== 'relabel')?.record.removed;
}

/** `known-good`: the newest sighting whose checks passed, whose content is not held, and is not `live` if there is another. */
export function knownGood(sightings: readonly Sighting[], live?: Digest): Digest | undefined {
  const good = sightings
    .filter(({ record }) => record.reason !== 'relabel' && record.verdict === 'pass')
    .map(({ record }) => record.id)
    .filter((id) => holdOf(id, sightings) === undefined && removalOf(id, sightings) === undefined);
  // Whoever asks for a good one has one that is not: what is live passed once, and does no more.
  return good.find((id) => id !== live) ?? good[0];
}

/**
 * `previous`: the newest sighting of the live stack whose content is another one than `live` and is not held. Without
 * `live` (nobody looked at the cluster), the newest sighting of the live stack stands for it.
 */
export function previous(sightings: readonly Sighting[], live?: Digest): Digest | undefined {
  const seen = sightings.filter(({ record }) => SAW_LIVE.includes(record.reason));
  const from = live ?? seen[0]?.record.id;
  return seen.find(
    ({ record: { id } }) =>
      id !== from && holdOf(id, sightings) === undefined && removalOf(id, sightings) === undefined,
  )?.record.id;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
