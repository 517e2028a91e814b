import { createHash } from 'node:crypto';

/** Bytes of a PostgreSQL name; longer ones are cut off silently. */
const LONGEST = 63;

/** In the name of every database that is restored to be dropped again: no run's id begins so. */
export const TRIAL = '__bs_proof';

/** As a run's id: what is restored under it is a trial. */
export function trialRun(id: string): string {
  return `proof-${id}`;
}

/** The database that a run restores into, beside the live one. */
export function besideName(database: string, run: string): string {
  return named(database, run, '');
}

/** The live database of before, kept until the run is finalized. */
export function previousName(database: string, run: string): string {
  return named(database, run, '_prev');
}

/** Schema of the live database that says how far a run's restore in place has come. */
export function inPlaceName(database: string, run: string): string {
  return named(database, run, '_inplace');
}

/** What an undo took out again. */
export function undoneName(database: string, run: string): string {
  return named(database, run, '_undone');
}

/** Long names are cut and told apart by a digest, so that two never fall together. */
function named(database: string, run: string, suffix: string): string {
  const whole = `${database}__bs_${run.replaceAll('-', '')}${suffix}`;
  if (Buffer.byteLength(whole) <= LONGEST) return whole;
  const digest = createHash('sha256').update(`${database}/${run}`).digest('hex').slice(0, 12);
  const tail = `${run.startsWith('proof-') ? TRIAL : '__bs_'}${digest}${suffix}`;
  let head = database;
  while (Buffer.byteLength(head + tail) > LONGEST) head = head.slice(0, -1);
  return head + tail;
}
