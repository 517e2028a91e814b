import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../../../src/model/index.ts';
import type { RunMark } from '../../../src/ports/index.ts';
import type { ServiceDeps } from '../../../src/service/deps.ts';
import type { LogLine } from '../../../src/service/log.ts';
import { type Begun, begin, endOfFinalize } from '../../../src/service/schedules/deeds.ts';
import type { ScheduleRecord } from '../../../src/service/schedules/records.ts';
import { CLAIM_MS, Scheduler, WORK_MS } from '../../../src/service/schedules/scheduler.ts';
import { BackstayError } from '../../../src/errors/index.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';
import { aStackFile, type TestService, testService } from '../../support/service.ts';
import { type HandClock, handClock } from '../notify/support/hand-clock.ts';

const HOUR = 3_600_000;
const STORE = `  backstay:stores:
    - { name: main, kind: postgres, connection: { host: 127.0.0.1, port: 1, database: shop, user: shop } }
`;
const scheduled = (...lines: readonly string[]): string =>
  aStackFile(`${STORE}  backstay:schedules:\n${lines.map((line) => `    - ${line}\n`).join('')}`);
const HOURLY = '{ name: hourly, do: capture, every: 1h, reason: every hour }';
const PROOF = '{ name: proof, do: drill, every: 1h }';
const TIDY = '{ name: tidy, do: finalize-expired, every: 1h }';

/** Services on one set of real records and one clock that goes on by hand; their captures wait for the test where it says so. */
let service: TestService;
let clock: HandClock;
let log: LogLine[];
let captures: string[];
let capture: (signal: AbortSignal) => Promise<Begun>;
const stops: AbortController[] = [];

const DONE: Begun = { kind: 'done', ending: { outcome: 'succeeded' } };

beforeEach(async () => {
  service = await testService({ stacks: { shop: scheduled(HOURLY) } });
  clock = handClock();
  log = [];
  captures = [];
  capture = async () => DONE;
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await service.close();
});

interface Machine {
  readonly scheduler: Scheduler;
  readonly stop: AbortController;
}

function machine(name: string, over: Partial<ServiceDeps> = {}, deps: ServiceDeps = service.deps): Machine {
  const stop = new AbortController();
  stops.push(stop);
  const deeds = {
    begin: async (...asked: Parameters<typeof begin>): Promise<Begun> => {
      if (asked[1].do !== 'capture') return await begin(...asked);
      captures.push(name);
      return await capture(asked[3]);
    },
  };
  const all = { ...deps, clock, log: (line: LogLine) => void log.push(line), ...over };
  return { scheduler: new Scheduler(all, name, stop.signal, deeds), stop };
}

/** One look, and all that it began. */
async function look({ scheduler }: Machine): Promise<number | undefined> {
  const again = await scheduler.look();
  await scheduler.idle();
  return again;
}

async function recordOf(schedule = 'hourly'): Promise<ScheduleRecord | undefined> {
  return (await service.deps.records.get('schedule', `shop/${schedule}`))?.value as unknown as ScheduleRecord;
}
const events = (): readonly string[] => log.map(({ event }) => event);

describe('a service with schedules', () => {
  test('does what is due an interval after it saw it first, and then again', async () => {
    const a = machine('a');
    expect(await look(a)).toBe(clock.now() + HOUR);
    clock.advance(HOUR - 1);
    expect(await look(a)).toBe(clock.now() + 1);
    expect(captures).toEqual([]);
    clock.advance(1);
    await look(a);
    const at = new Date(clock.now()).toISOString();
    expect(await recordOf()).toMatchObject({ firedAt: at, last: { at, outcome: 'succeeded' }, succeededAt: at });
    expect((await recordOf())?.firing).toBeUndefined();
    expect(await look(a)).toBe(clock.now() + HOUR);
    clock.advance(HOUR);
    await look(a);
    expect(captures).toEqual(['a', 'a']);
    expect(events()).toEqual(['schedule.fired', 'schedule.succeeded', 'schedule.fired', 'schedule.succeeded']);
  });

  test('that was off fires once, and goes on from the records after a restart', async () => {
    await look(machine('a'));
    clock.advance(1_000 * HOUR);
    const b = machine('b', {}, await service.another());
    await look(b);
    await look(b);
    expect(captures).toEqual(['b']);
  });

  test('reads stack files anew, and leaves out one that cannot be used', async () => {
    const a = machine('a');
    await look(a);
    await service.machine.stack('broken', 'config:\n  backstay:schedules: 7\n');
    await service.machine.stack('shop', scheduled(HOURLY.replace('1h', '2h')));
    clock.advance(HOUR);
    expect(await look(a)).toBe(clock.now() + HOUR);
    clock.advance(HOUR);
    await look(a);
    await service.machine.stack('shop', aStackFile());
    clock.advance(100 * HOUR);
    expect(await look(a)).toBeUndefined();
    expect(captures).toEqual(['a']);
  });

  test('keeps and says why it failed, and tries again at the next time', async () => {
    const a = machine('a');
    await look(a);
    capture = async () => {
      throw new BackstayError('CLUSTER_UNREACHABLE', 'It is away.');
    };
    clock.advance(HOUR);
    await look(a);
    const why = { code: 'CLUSTER_UNREACHABLE', message: 'It is away.' };
    expect((await recordOf())?.last).toMatchObject({ outcome: 'failed', ...why });
    expect(log.at(-1)).toEqual({
      level: 'error',
      event: 'schedule.failed',
      stack: 'shop',
      schedule: 'hourly',
      do: 'capture',
      ...why,
    });
    capture = async () => DONE;
    expect(await look(a)).toBe(clock.now() + HOUR);
    clock.advance(HOUR);
    await look(a);
    expect(await recordOf()).toMatchObject({ last: { outcome: 'succeeded' } });
    expect(captures).toHaveLength(2);
  });

  test('waits for a run that has not ended, and says so once', async () => {
    // The stack whose runs the test's builders make.
    await service.machine.stack('medical-kg', scheduled(HOURLY));
    await service.machine.stack('shop', aStackFile());
    const a = machine('a');
    await look(a);
    const plan = aPlan({ steps: [aStep('a', 'locked')] });
    const [created, end] = journalOf([
      { kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } },
      { kind: 'run-ended', outcome: 'succeeded' },
    ]);
    if (created === undefined || end === undefined) throw new Error('two entries were made');
    await service.deps.journal.append(created);
    clock.advance(HOUR);
    await look(a);
    await look(a);
    expect(captures).toEqual([]);
    expect(events()).toEqual(['schedule.put-off']);
    expect(log[0]).toMatchObject({ level: 'info', schedule: 'hourly', run: created.run });
    await service.deps.journal.append(end);
    await look(a);
    expect(captures).toEqual(['a']);
  });

  test('captures by itself: a stack whose cluster cannot be reached is a failure', async () => {
    const stop = new AbortController();
    const real = new Scheduler({ ...service.deps, clock, log: (line) => void log.push(line) }, 'a', stop.signal);
    await real.look();
    clock.advance(HOUR);
    await real.look();
    await real.idle();
    expect((await recordOf())?.last).toMatchObject({ outcome: 'failed', code: expect.stringMatching(/^[A-Z_]+$/) });
  }, 60_000);
});

/** Resolves for everybody once so many have come; then anew. */
function meeting(size: number): () => Promise<void> {
  let [here, all] = [0, Promise.withResolvers<void>()];
  return async () => {
    here += 1;
    const mine = all;
    if (here === size) {
      mine.resolve();
      [here, all] = [0, Promise.withResolvers<void>()];
    }
    await mine.promise;
  };
}

describe('several services', () => {
  test('fire each time once, whoever is first', async () => {
    const meet = meeting(3);
    /** All of them have read the record before the first one writes. */
    const together = (name: string, deps: ServiceDeps): Machine => {
      const { records } = deps;
      const get: typeof records.get = async (...asked) => {
        const found = await records.get(...asked);
        await meet();
        return found;
      };
      return machine(name, { records: Object.assign(Object.create(records) as typeof records, { get }) }, deps);
    };
    const all = [
      together('a', service.deps),
      together('b', await service.another()),
      together('c', await service.another()),
    ];
    await Promise.all(all.map(look));
    for (let times = 1; times <= 5; times += 1) {
      clock.advance(HOUR);
      await Promise.all(all.map(look));
      expect(captures).toHaveLength(times);
    }
    expect(events().filter((event) => event === 'schedule.fired')).toHaveLength(5);
  });

  test('leave alone what one is at, however long', async () => {
    const gate = Promise.withResolvers<Begun>();
    capture = async () => await gate.promise;
    const a = machine('a');
    const b = machine('b', {}, await service.another());
    await look(a);
    clock.advance(HOUR);
    await a.scheduler.look();
    await expect.poll(() => clock.asleep(), { timeout: 60_000 }).toBe(1);
    for (let renewed = 0; renewed < 8; renewed += 1) {
      clock.advance(CLAIM_MS / 4);
      await expect
        .poll(async () => Date.parse((await recordOf())?.firing?.until ?? ''), { timeout: 60_000 })
        .toBe(clock.now() + CLAIM_MS);
      await expect.poll(() => clock.asleep(), { timeout: 60_000 }).toBe(1);
      await look(b);
    }
    expect(captures).toEqual(['a']);
    gate.resolve(DONE);
    await a.scheduler.idle();
    expect(await recordOf()).toMatchObject({ last: { outcome: 'succeeded' } });
  });

  test.each([1, 2])(
    'begin again what a service claimed that was killed then, at most once more (%i killed)',
    async (kills) => {
      await look(machine('a'));
      clock.advance(HOUR);
      // Claimed, and dead before anything else is written: its clock moves for it alone no more.
      const dead = (name: string): Machine =>
        machine(name, {
          clock: { ...clock, delay: async () => await new Promise(() => undefined) },
        });
      capture = async () => await new Promise(() => undefined);
      for (let killed = 1; killed <= kills; killed += 1) {
        await dead(`dead${killed}`).scheduler.look();
        expect((await recordOf())?.firing).toMatchObject({ attempt: killed, service: `dead${killed}` });
        clock.advance(CLAIM_MS);
      }
      capture = async () => DONE;
      const b = machine('b', {}, await service.another());
      await look(b);
      await look(b);
      const begun = ['dead1', 'dead2'].slice(0, kills);
      expect(captures).toEqual(kills === 1 ? [...begun, 'b'] : begun);
      expect((await recordOf())?.last).toMatchObject({ outcome: kills === 1 ? 'succeeded' : 'lost' });
      clock.advance(HOUR);
      await look(b);
      expect(captures).toHaveLength(3);
      expect((await recordOf())?.last?.outcome).toBe('succeeded');
    },
  );

  test('that slept through their claim end what they were at, and write nothing over the one that took it', async () => {
    const slept = Promise.withResolvers<void>();
    const naps = [slept.promise];
    const delay = async (): Promise<void> => await (naps.shift() ?? Promise.reject(new Error('it slept once')));
    const a = machine('a', { clock: { ...clock, delay } });
    await look(a);
    clock.advance(HOUR);
    let ended = false;
    capture = async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended = true;
      return DONE;
    };
    await a.scheduler.look();
    clock.advance(CLAIM_MS);
    const failed: Begun = { kind: 'done', ending: { outcome: 'failed', code: 'KEY_MISSING' } };
    capture = async () => failed;
    await look(machine('b', {}, await service.another()));
    const after = await recordOf();
    expect(after).toMatchObject({ last: failed.ending });
    slept.resolve();
    await a.scheduler.idle();
    expect(ended).toBe(true);
    expect(await recordOf()).toEqual(after);
  });

  test('give back what they have not done when they stop', async () => {
    capture = async (signal) => {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      return DONE;
    };
    const a = machine('a');
    await look(a);
    clock.advance(HOUR);
    await a.scheduler.look();
    expect((await recordOf())?.firing).toMatchObject({ service: 'a' });
    a.stop.abort();
    await a.scheduler.idle();
    expect(Object.keys((await recordOf()) ?? {}).toSorted()).toEqual(['do', 'seenAt']);
    capture = async () => DONE;
    await look(machine('b', {}, await service.another()));
    expect(captures).toEqual(['a', 'b']);
  });
});

describe('what a process of its own does', () => {
  const mark: RunMark = { machine: 'm', pid: 1, started: 1 };
  let commands: string[][];
  let where: 'at work' | 'gone' | 'elsewhere';
  let says: string;

  /** Processes that the test ends; what they say is in real files. */
  const processes = (): ServiceDeps['processes'] => ({
    ...service.deps.processes,
    command: async (args, { log: file }) => {
      commands.push([...args]);
      await service.deps.files.write(file, says);
      return { mark, ended: new Promise(() => undefined) };
    },
    find: async () => where,
  });

  beforeEach(() => {
    commands = [];
    where = 'at work';
    says = '';
  });

  test.each<[string, string, readonly string[], string, Json]>([
    [
      'proof',
      PROOF,
      ['db', 'verify', 'shop', 'latest', 'main'],
      '{"kind":"Backup","proven":"restored"}',
      { outcome: 'succeeded' },
    ],
    [
      'proof',
      PROOF,
      ['db', 'verify', 'shop', 'latest', 'main'],
      '{"kind":"Error","code":"BACKUP_DAMAGED","message":"It is."}',
      { outcome: 'failed', code: 'BACKUP_DAMAGED', message: 'It is.' },
    ],
    ['tidy', TIDY, ['finalize', 'shop', '--expired', '--yes'], '{"kind":"Expired"}', { outcome: 'succeeded' }],
    ['tidy', TIDY, ['finalize', 'shop', '--expired', '--yes'], '{"kind":"Start"}', { outcome: 'lost' }],
  ])('is followed to its end by whoever is there: %s (%s)', async (name, line, command, said, outcome) => {
    await service.machine.stack('shop', scheduled(line));
    const a = machine('a', { processes: processes() });
    await look(a);
    clock.advance(HOUR);
    says = `${said}\n`;
    await look(a);
    expect(commands).toEqual([command]);
    expect((await recordOf(name))?.firing?.work).toBeDefined();
    // The next service on the machine, hours later: as long as it is seen at work, it is.
    const b = machine('b', { processes: processes() });
    for (let hours = 0; hours < 3; hours += 1) {
      clock.advance(HOUR);
      await look(b);
    }
    expect((await recordOf(name))?.last).toBeUndefined();
    where = 'gone';
    await look(b);
    expect((await recordOf(name))?.last).toEqual({ at: new Date(clock.now()).toISOString(), ...(outcome as object) });
    expect(commands).toHaveLength(1);
  });

  test('is lost when no service has seen it for long', async () => {
    await service.machine.stack('shop', scheduled(TIDY));
    const a = machine('a', { processes: processes() });
    await look(a);
    clock.advance(HOUR);
    await look(a);
    where = 'elsewhere';
    const b = machine('b', { processes: processes() }, await service.another());
    clock.advance(WORK_MS - 1);
    await look(b);
    expect((await recordOf('tidy'))?.last).toBeUndefined();
    clock.advance(1);
    await look(b);
    expect((await recordOf('tidy'))?.last).toMatchObject({ outcome: 'lost' });
  });

  test('is the command itself: nothing of this stack is past its retention', async () => {
    await service.machine.stack('shop', scheduled(TIDY));
    const a = machine('a');
    await look(a);
    clock.advance(HOUR);
    await look(a);
    await expect
      .poll(
        async () => {
          await look(a);
          return (await recordOf('tidy'))?.last;
        },
        { timeout: 90_000, interval: 200 },
      )
      .toMatchObject({ outcome: 'succeeded' });
  }, 120_000);

  test.each([
    ['nothing', '', { outcome: 'lost' }],
    ['half a line', '{"kind":"Exp', { outcome: 'lost' }],
    [
      'an error, and words after it',
      '{"kind":"Error","code":"KEY_MISSING","message":"m"}\nwords',
      { outcome: 'failed', code: 'KEY_MISSING', message: 'm' },
    ],
    ['what was removed', '{"kind":"Start"}\n{"kind":"Expired","runs":[]}\n', { outcome: 'succeeded' }],
  ])('that said %s', (_what, text, ending) => expect(endOfFinalize(text)).toEqual(ending));
});
