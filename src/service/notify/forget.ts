import type { Json, Proposal } from '../../model/index.ts';
import type { ServiceRecord } from '../../ports/index.ts';
import type { ServiceDeps } from '../deps.ts';
import { GIVE_UP_MS } from './delivery.ts';
import { BEGINNING, type Beginning, moveTo, type Place, PLACES } from './told.ts';

type Deps = Pick<ServiceDeps, 'records' | 'journal' | 'clock'>;

/** Nothing more is told of them. */
const DECIDED: ReadonlySet<Proposal['state']> = new Set(['started', 'dismissed', 'settled', 'expired']);

/**
 * Removes the places of runs that are over and of proposals that are decided, since so many milliseconds or longer; how many.
 * In an order in which it may be stopped anywhere: each older run of which something may yet come has a place; then it is
 * written down that one without a place is over, and that nothing older is told to anybody; then places go.
 */
export async function forgetPlaces({ records, journal, clock }: Deps, keptMs: number): Promise<number> {
  const began = await records.get('cursor', BEGINNING);
  if (began === undefined) return 0;
  const { since, settledBefore } = began.value as unknown as Beginning;
  // What is older than a delivery is tried is told to nobody anyway; twice that, for clocks that differ.
  const until = clock.now() - Math.max(keptMs, 2 * GIVE_UP_MS);
  if (until <= Math.max(Date.parse(since), Date.parse(settledBefore ?? since))) return 0;
  const places = await records.list('cursor', { prefix: PLACES });
  const known = new Set(places.map(({ key }) => key));
  const started = new Map((await journal.runs()).map(({ run, startedAt }) => [run, Date.parse(startedAt)]));
  for (const [run, at] of started) {
    const isSettled = settledBefore !== undefined && at < Date.parse(settledBefore);
    if (at < until && !isSettled && !known.has(PLACES + run)) await moveTo(run, {}, { records });
  }
  const now = new Date(until).toISOString();
  const next: Beginning = { since: now, settledBefore: now };
  // Another service is at it.
  if ((await records.put('cursor', BEGINNING, began.version, next as unknown as Json)) === undefined) return 0;
  let removed = 0;
  for (const place of places) {
    if (Date.parse(place.at) >= until || !(await isOver(place, started, until, records))) continue;
    if (await records.remove('cursor', place.key, place.version)) removed += 1;
  }
  return removed;
}

async function isOver(
  { key, value }: ServiceRecord,
  started: ReadonlyMap<string, number>,
  until: number,
  records: Deps['records'],
): Promise<boolean> {
  const subject = key.slice(PLACES.length);
  if ((value as unknown as Place).over === true) return (started.get(subject) ?? 0) < until;
  const proposal = (await records.get('proposal', subject))?.value as unknown as Proposal | undefined;
  if (proposal === undefined) return false;
  return DECIDED.has(proposal.state) && Date.parse(proposal.decidedAt ?? '') < until;
}
