import { BackstayError, didYouMean } from '../../errors/index.ts';
import { type Digest, isKnownGood, shortId, type Sighting, type SnapshotReason } from '../../model/index.ts';

/** What a person can say instead of an id. */
export const WORDS = ['previous', 'known-good'] as const;

/** Records that saw the live stack. An import, a revision or a relabelling says nothing about what was live when. */
const SAW_LIVE: readonly SnapshotReason[] = ['capture', 'before-run', 'after-run'];

/**
 * Newest first; ties in a fixed order. All functions here expect sightings in this order.
 */
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

/** `known-good`: the newest sighting whose checks passed and whose content is not held. */
export function knownGood(sightings: readonly Sighting[]): Digest | undefined {
  const good = sightings.find(
    ({ record }) => record.reason !== 'relabel' && isKnownGood(record) && holdOf(record.id, sightings) === undefined,
  );
  return good?.record.id;
}

/**
 * `previous`: the newest sighting of the live stack whose content is another one than `live` and is not held. Without
 * `live` (nobody looked at the cluster), the newest sighting of the live stack stands for it.
 */
export function previous(sightings: readonly Sighting[], live?: Digest): Digest | undefined {
  const seen = sightings.filter(({ record }) => SAW_LIVE.includes(record.reason));
  const from = live ?? seen[0]?.record.id;
  return seen.find(({ record }) => record.id !== from && holdOf(record.id, sightings) === undefined)?.record.id;
}

/**
 * The id that a target means. Errors: TARGET_UNKNOWN (with what there is), TARGET_AMBIGUOUS (listing the candidates).
 */
export function select(
  target: string,
  sightings: readonly Sighting[],
  options: { readonly live?: Digest; readonly stack: string },
): Digest {
  const labels = labelsInForce(sightings);
  if (target === 'previous' || target === 'known-good') {
    const id = target === 'previous' ? previous(sightings, options.live) : knownGood(sightings);
    if (id !== undefined) return id;
    const missing =
      target === 'previous'
        ? 'no earlier, different and unheld snapshot'
        : 'no snapshot whose checks passed and that is not held';
    throw new BackstayError('TARGET_UNKNOWN', `There is ${missing} of ${options.stack}.`, { details: { target } });
  }
  const ids = new Set(sightings.filter(({ record }) => startsWith(record.id, target)).map(({ record }) => record.id));
  const labelled = labels.get(target);
  if (labelled !== undefined) ids.add(labelled);
  const [only, ...more] = ids;
  if (only === undefined) throw unknownTarget(target, labels, options.stack);
  if (more.length === 0) return only;
  const candidates = [...ids].toSorted();
  throw new BackstayError(
    'TARGET_AMBIGUOUS',
    `${target} may mean any of ${candidates.map((id) => shortId(id)).join(', ')}.`,
    {
      details: { target, candidates },
    },
  );
}

function startsWith(id: Digest, target: string): boolean {
  const prefix = target.replace(/^sha256:/, '').toLowerCase();
  return /^[0-9a-f]{4,64}$/.test(prefix) && id.startsWith(`sha256:${prefix}`);
}

function unknownTarget(target: string, labels: ReadonlyMap<string, Digest>, stack: string): BackstayError {
  const near = didYouMean(target, [...labels.keys(), ...WORDS]);
  const tooShort = /^(sha256:)?[0-9a-f]{1,3}$/.test(target) ? ' An id needs 4 or more of its digits.' : '';
  const advice = near === undefined ? '' : ` Did you mean ${near}?`;
  return new BackstayError(
    'TARGET_UNKNOWN',
    `No snapshot of ${stack} has the id or label ${target}.${tooShort}${advice}`,
    {
      next: `Run \`backstay list ${stack}\` to see what there is.`,
      details: { target, labels: [...labels.keys()], ...(near === undefined ? {} : { didYouMean: near }) },
    },
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
