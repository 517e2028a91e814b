import type { Json } from '../model/index.ts';
import type { RecordKind, ServiceRecord } from '../ports/index.ts';
import type { Loop, LoopDeps } from './loops.ts';
import type { Delivery } from './notify/delivery.ts';
import { forgetPlaces } from './notify/forget.ts';
import type { AlertState } from './triggers/decide.ts';

const DAY_MS = 86_400_000;

export interface Retention {
  /** Milliseconds since the record's last change. */
  readonly keptMs: number;
  /** Only in one of these states, which are final. Absent: the kind has no states. */
  readonly settled?: readonly string[];
}

/**
 * What a service forgets by itself. What is not named here is in use as long as it is there (claims, slots, tokens), is for
 * people to look back at (proposals), or goes in an order of its own (cursors: notify/forget.ts). Deliveries and alerts go only once they are settled, however old they are.
 */
export const RETENTION: Readonly<Partial<Record<RecordKind, Retention>>> = {
  // An answer is given again for one day; twice that, for clocks that differ.
  idempotency: { keptMs: 2 * DAY_MS },
  // A quarter, for whoever looks into who was let in.
  decision: { keptMs: 90 * DAY_MS },
  delivery: {
    keptMs: 30 * DAY_MS,
    settled: ['delivered', 'refused', 'given-up', 'withdrawn'] satisfies readonly Delivery['state'][],
  },
  // Triggers forget those of a stack that is at work after a week; this is for the others.
  alert: { keptMs: 30 * DAY_MS, settled: ['ignored', 'taken', 'settled'] satisfies readonly AlertState[] },
  // Live has moved on long before; a run keeps the plan that it carries out.
  plan: { keptMs: 30 * DAY_MS },
};

/** Milliseconds that somebody has set instead. */
export type Kept = Readonly<Partial<Record<RecordKind, number>>>;

/** Whether a record may go. `now` in milliseconds since the epoch. */
export function isPast(
  { kind, value, at }: Pick<ServiceRecord, 'kind' | 'value' | 'at'>,
  now: number,
  kept: Kept = {},
): boolean {
  const retention = RETENTION[kind];
  if (retention === undefined) return false;
  if (retention.settled !== undefined && !retention.settled.includes(stateOf(value) ?? '')) return false;
  return now - Date.parse(at) > (kept[kind] ?? retention.keptMs);
}

function stateOf(value: Json): string | undefined {
  const state = typeof value === 'object' && value !== null && 'state' in value ? value['state'] : undefined;
  return typeof state === 'string' ? state : undefined;
}

const PAGE = 200;

/** Removes what is past its retention; one that somebody changes meanwhile stays. How many of each kind went. */
export async function forgetOld(
  { records, clock }: Pick<LoopDeps, 'records' | 'clock'>,
  kept: Kept = {},
): Promise<ReadonlyMap<RecordKind, number>> {
  const removed = new Map<RecordKind, number>();
  for (const kind of Object.keys(RETENTION) as RecordKind[]) {
    for (let after: string | undefined; ; ) {
      const page = await records.list(kind, { limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const record of page.filter((one) => isPast(one, clock.now(), kept))) {
        if (await records.remove(kind, record.key, record.version)) removed.set(kind, (removed.get(kind) ?? 0) + 1);
      }
      after = page.at(-1)?.key;
      if (page.length < PAGE) break;
    }
  }
  return removed;
}

/** Milliseconds between two looks. */
const EVERY_MS = 3_600_000;

/** On every machine of the service: what one has removed is not there for the next. */
export const retentionLoop: Loop = {
  name: 'retention',
  start: async (deps, signal) => {
    const { decisionsMs, deliveriesMs, plansMs } = deps.settings.retention;
    const kept: Kept = { decision: decisionsMs, delivery: deliveriesMs, plan: plansMs };
    while (!signal.aborted) {
      for (const [kind, count] of await forgetOld(deps, kept))
        deps.log({ level: 'info', event: 'records.forgotten', kind, count });
      const count = await forgetPlaces(deps, deliveriesMs);
      if (count > 0) deps.log({ level: 'info', event: 'records.forgotten', kind: 'cursor', count });
      await deps.clock.delay(EVERY_MS, signal).catch(() => undefined);
    }
  },
};
