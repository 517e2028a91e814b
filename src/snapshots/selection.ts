import { BackstayError, didYouMean } from '../errors/index.ts';
import { type Digest, knownGood, labelsInForce, previous, shortId, type Sighting } from '../model/index.ts';

/** What a person can say instead of an id. */
export const WORDS = ['previous', 'known-good'] as const;

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
    const id = target === 'previous' ? previous(sightings, options.live) : knownGood(sightings, options.live);
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
