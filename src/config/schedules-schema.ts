import { z } from 'zod';
import type { Schedule } from '../model/index.ts';
import { DURATION, duration, milliseconds, text } from './fields.ts';
import type { Finding } from './problems.ts';

const LEAST_MS = 60_000;

/** It names a record and a log file. */
const name = z
  .string({ error: 'a name' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, { error: 'a name of up to 100 letters, digits, ., _ and -' })
  .describe('Unique among the schedules.');

const every = duration
  .refine((given) => !DURATION.test(given) || milliseconds(given) >= LEAST_MS, { error: 'a duration of at least 1m' })
  .describe('From one time to the next; the first is so long after the schedule was first seen. At least 1m.');

const schedule = z.discriminatedUnion(
  'do',
  [
    z.strictObject({
      name,
      do: z.literal('capture').describe('A snapshot of the stack as it is, with its checks.'),
      every,
      reason: text.exactOptional().describe('Kept with each snapshot.'),
    }),
    z.strictObject({
      name,
      do: z.literal('drill').describe('Restores the newest backup beside the live data, counts it, and drops that.'),
      every,
      store: text.exactOptional().describe("Default: the stack's only data store."),
    }),
    z.strictObject({
      name,
      do: z.literal('finalize-expired').describe('Removes what is past its retention, as `finalize --expired` does.'),
      every,
    }),
  ],
  { error: 'a schedule with do: capture, drill or finalize-expired' },
);

export const schedules = z
  .array(schedule, { error: 'a list of schedules' })
  .describe('What a service does by itself, again and again. Of several services one does it each time.');

export function toSchedules(raw: z.output<typeof schedules>): readonly Schedule[] {
  return raw.map(({ every: given, ...rest }) => ({ ...rest, everyMs: milliseconds(given) }));
}

type Unchecked = Readonly<Record<string, unknown>>;

/** Drills need a data store, and which one where there are several. Names are compared with those of other settings. */
export function scheduleFindings(settings: Unchecked): Finding[] {
  const raw = Array.isArray(settings['schedules']) ? settings['schedules'] : [];
  const stores = (Array.isArray(settings['stores']) ? settings['stores'] : []).flatMap((one) =>
    isRecord(one) && typeof one['name'] === 'string' ? [one['name']] : [],
  );
  return raw.flatMap((one, index) => (isRecord(one) && one['do'] === 'drill' ? aboutDrill(one, index, stores) : []));
}

function aboutDrill({ store }: Unchecked, index: number, stores: readonly string[]): Finding[] {
  const path = ['schedules', index] as const;
  if (stores.length === 0)
    return [{ path: [...path, 'do'], found: 'a drill', expected: 'a data store in stores, which has none' }];
  const expected = `one of the stores: ${stores.join(', ')}`;
  if (store === undefined)
    return stores.length === 1 ? [] : [{ path, found: 'a drill without `store`', expected: `in it ${expected}` }];
  if (typeof store !== 'string' || stores.includes(store)) return [];
  return [{ path: [...path, 'store'], found: JSON.stringify(store), expected }];
}

function isRecord(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
