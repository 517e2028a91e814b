import type { ServiceDeps } from '../../../src/service/deps.ts';
import type { LogLine } from '../../../src/service/log.ts';
import { type Begun, begin } from '../../../src/service/schedules/deeds.ts';
import type { ScheduleRecord } from '../../../src/service/schedules/records.ts';
import { Scheduler } from '../../../src/service/schedules/scheduler.ts';
import { aStackFile, type TestService, testService } from '../../support/service.ts';
import { type HandClock, handClock } from '../notify/support/hand-clock.ts';

export const HOUR = 3_600_000;
const STORE = `  backstay:stores:
    - { name: main, kind: postgres, connection: { host: 127.0.0.1, port: 1, database: shop, user: shop } }
`;
export const HOURLY = '{ name: hourly, do: capture, every: 1h, reason: every hour }';
export const DONE: Begun = { kind: 'done', ending: { outcome: 'succeeded' } };

/** A stack file with these schedules. */
export const scheduled = (...lines: readonly string[]): string =>
  aStackFile(`${STORE}  backstay:schedules:\n${lines.map((line) => `    - ${line}\n`).join('')}`);

export interface Machine {
  readonly scheduler: Scheduler;
  readonly stop: AbortController;
}

/** Services on one set of real records and one clock that goes on by hand; their captures wait for the test where it says so. */
export interface World {
  readonly service: TestService;
  readonly clock: HandClock;
  /** Who was asked for a capture, in order. */
  readonly captures: readonly string[];
  readonly log: readonly LogLine[];
  /** What a capture does. */
  capture: (signal: AbortSignal) => Promise<Begun>;
  machine(name: string, over?: Partial<ServiceDeps>, deps?: ServiceDeps): Machine;
  recordOf(schedule?: string): Promise<ScheduleRecord | undefined>;
  /** Names of what was logged. */
  events(): readonly string[];
  close(): Promise<void>;
}

export async function aWorld(): Promise<World> {
  const service = await testService({ stacks: { shop: scheduled(HOURLY) } });
  const clock = handClock();
  const log: LogLine[] = [];
  const captures: string[] = [];
  const stops: AbortController[] = [];
  const world: World = {
    service,
    clock,
    captures,
    log,
    capture: async () => DONE,
    machine: (name, over = {}, deps = service.deps) => {
      const stop = new AbortController();
      stops.push(stop);
      const deeds = {
        begin: async (...asked: Parameters<typeof begin>): Promise<Begun> => {
          if (asked[1].do !== 'capture') return await begin(...asked);
          captures.push(name);
          return await world.capture(asked[3]);
        },
      };
      const all = { ...deps, clock, log: (line: LogLine) => void log.push(line), ...over };
      return { scheduler: new Scheduler(all, name, stop.signal, deeds), stop };
    },
    recordOf: async (schedule = 'hourly') =>
      (await service.deps.records.get('schedule', `shop/${schedule}`))?.value as unknown as ScheduleRecord,
    events: () => log.map(({ event }) => event),
    close: async () => {
      for (const stop of stops) stop.abort();
      await service.close();
    },
  };
  return world;
}

/** One look, and all that it began. */
export async function look({ scheduler }: Machine): Promise<number | undefined> {
  const again = await scheduler.look();
  await scheduler.idle();
  return again;
}
