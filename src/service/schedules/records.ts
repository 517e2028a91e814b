import type { Json, Schedule } from '../../model/index.ts';
import type { RunMark, ServiceRecord, ServiceStore } from '../../ports/index.ts';
import type { Holder } from '../claim.ts';
import { due } from './due.ts';

/** What is known of a schedule: record `schedule`, keyed `STACK/NAME`. Times are ISO 8601. */
export interface ScheduleRecord {
  readonly do: Schedule['do'];
  readonly seenAt: string;
  /** When a service last claimed it. */
  readonly firedAt?: string;
  /** Begun, and not known yet how it went. */
  readonly firing?: Firing;
  readonly last?: Outcome;
  readonly succeededAt?: string;
}

/** With the service at it, and when nobody is at it any more unless that is put off. */
export interface Firing extends Holder {
  readonly attempt: number;
  /** A process of its own, which outlives the service. */
  readonly work?: Work;
}

export type Work =
  /** The id of the drill. */
  | { readonly kind: 'drill'; readonly id: string }
  /** What it says is in the log, a file of the service's state. */
  | { readonly kind: 'finalize'; readonly process: RunMark; readonly log: string };

/** `lost`: whatever was at it ended without a word. */
export interface Outcome {
  readonly at: string;
  readonly outcome: 'succeeded' | 'failed' | 'lost';
  /** Of the error. */
  readonly code?: string;
  readonly message?: string;
}

export const keyOf = (stack: string, schedule: string): string => `${stack}/${schedule}`;

export function recordIn(seen: ServiceRecord | undefined): ScheduleRecord | undefined {
  return seen?.value as unknown as ScheduleRecord | undefined;
}

/** False: somebody else was first. */
export async function replace(
  records: ServiceStore,
  seen: { readonly key: string; readonly version: number },
  value: ScheduleRecord,
): Promise<boolean> {
  return (await records.put('schedule', seen.key, seen.version, value as unknown as Json)) !== undefined;
}

/** The record once it is known how the firing went. */
export function ended({ firing: _over, ...record }: ScheduleRecord, last: Outcome): ScheduleRecord {
  return { ...record, last, ...(last.outcome === 'succeeded' ? { succeededAt: last.at } : {}) };
}

/** A schedule as people are shown it. */
export interface ScheduleView {
  readonly name: string;
  readonly do: Schedule['do'];
  readonly everyMs: number;
  readonly seenAt?: string;
  /** Absent: no service has seen it yet. One that has passed: put off, or no service runs. */
  readonly nextAt?: string;
  readonly isFiring: boolean;
  readonly last?: Outcome;
  readonly succeededAt?: string;
}

export async function scheduleViews(
  { name: stack, schedules = [] }: { readonly name: string; readonly schedules?: readonly Schedule[] },
  { records, now }: { readonly records: Pick<ServiceStore, 'get'>; readonly now: number },
): Promise<readonly ScheduleView[]> {
  return await Promise.all(
    schedules.map(async (schedule) => {
      const record = recordIn(await records.get('schedule', keyOf(stack, schedule.name)));
      return viewOf(schedule, record?.do === schedule.do ? record : undefined, now);
    }),
  );
}

function viewOf(schedule: Schedule, record: ScheduleRecord | undefined, now: number): ScheduleView {
  const { name, do: deed, everyMs } = schedule;
  if (record === undefined) return { name, do: deed, everyMs, isFiring: false };
  const when = due(schedule, record, now);
  const at = when.kind === 'later' ? when.at : Math.min(now, Date.parse(record.firedAt ?? record.seenAt) + everyMs);
  return {
    name,
    do: deed,
    everyMs,
    seenAt: record.seenAt,
    nextAt: new Date(at).toISOString(),
    isFiring: record.firing !== undefined,
    ...(record.last === undefined ? {} : { last: record.last }),
    ...(record.succeededAt === undefined ? {} : { succeededAt: record.succeededAt }),
  };
}
