import type { Schedule } from '../../model/index.ts';
import type { ScheduleRecord } from './records.ts';

/** Milliseconds since the epoch. */
export type Due = { readonly kind: 'now' } | { readonly kind: 'later'; readonly at: number };

/**
 * Whether its time has come: `everyMs` after it last fired, or after it was first seen. However many times have passed
 * meanwhile, it is due once. A time that lies further ahead than one interval was written by a wrong clock, and counts for
 * nothing: `at` is never more than two intervals away.
 */
export function due(
  { everyMs }: Pick<Schedule, 'everyMs'>,
  last: Pick<ScheduleRecord, 'seenAt' | 'firedAt'>,
  now: number,
): Due {
  const from = Date.parse(last.firedAt ?? last.seenAt);
  const at = from + everyMs;
  return at > now && from - now <= everyMs ? { kind: 'later', at } : { kind: 'now' };
}

/** Beginnings of one firing: the second is for a service that died before it had begun, or in mid-capture. */
const ATTEMPTS = 2;

export type Next =
  /** It is new, or does something else than it did. */
  | { readonly kind: 'see' }
  /** Nothing before then. Milliseconds since the epoch. */
  | { readonly kind: 'wait'; readonly until: number }
  /** Claim it and begin. */
  | { readonly kind: 'fire'; readonly attempt: number }
  /** A process was begun for it: see how it went. */
  | { readonly kind: 'follow' }
  /** Nobody is at it any more, and it was begun often enough. */
  | { readonly kind: 'lose' };

/** What is to be done about a schedule now, by any service: it follows from its record alone. */
export function next(schedule: Schedule, record: ScheduleRecord | undefined, now: number): Next {
  if (record === undefined || record.do !== schedule.do) return { kind: 'see' };
  const { firing } = record;
  if (firing?.work !== undefined) return { kind: 'follow' };
  if (firing !== undefined) {
    const until = Date.parse(firing.until);
    if (until > now) return { kind: 'wait', until };
    return firing.attempt < ATTEMPTS ? { kind: 'fire', attempt: firing.attempt + 1 } : { kind: 'lose' };
  }
  const when = due(schedule, record, now);
  return when.kind === 'now' ? { kind: 'fire', attempt: 1 } : { kind: 'wait', until: when.at };
}
