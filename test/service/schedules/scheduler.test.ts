import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import type { ServiceDeps } from '../../../src/service/deps.ts';
import type { Begun } from '../../../src/service/schedules/deeds.ts';
import { CLAIM_MS, Scheduler } from '../../../src/service/schedules/scheduler.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';
import { aStackFile } from '../../support/service.ts';
import { aWorld, DONE, HOUR, HOURLY, look, type Machine, scheduled, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await aWorld();
});
afterEach(async () => await world.close());

describe('a service with schedules', () => {
  test('does what is due an interval after it saw it first, and then again', async () => {
    const a = world.machine('a');
    expect(await look(a)).toBe(world.clock.now() + HOUR);
    world.clock.advance(HOUR - 1);
    expect(await look(a)).toBe(world.clock.now() + 1);
    expect(world.captures).toEqual([]);
    world.clock.advance(1);
    await look(a);
    const at = new Date(world.clock.now()).toISOString();
    expect(await world.recordOf()).toMatchObject({ firedAt: at, last: { at, outcome: 'succeeded' }, succeededAt: at });
    expect((await world.recordOf())?.firing).toBeUndefined();
    expect(await look(a)).toBe(world.clock.now() + HOUR);
    world.clock.advance(HOUR);
    await look(a);
    expect(world.captures).toEqual(['a', 'a']);
    expect(world.events()).toEqual(['schedule.fired', 'schedule.succeeded', 'schedule.fired', 'schedule.succeeded']);
  });

  test('that was off fires once, and goes on from the records after a restart', async () => {
    await look(world.machine('a'));
    world.clock.advance(1_000 * HOUR);
    const b = world.machine('b', {}, await world.service.another());
    await look(b);
    await look(b);
    expect(world.captures).toEqual(['b']);
  });

  test('reads stack files anew, and leaves out one that cannot be used', async () => {
    const a = world.machine('a');
    await look(a);
    await world.service.machine.stack('broken', 'config:\n  backstay:schedules: 7\n');
    await world.service.machine.stack('shop', scheduled(HOURLY.replace('1h', '2h')));
    world.clock.advance(HOUR);
    expect(await look(a)).toBe(world.clock.now() + HOUR);
    world.clock.advance(HOUR);
    await look(a);
    await world.service.machine.stack('shop', aStackFile());
    world.clock.advance(100 * HOUR);
    expect(await look(a)).toBeUndefined();
    expect(world.captures).toEqual(['a']);
  });

  test('keeps and says why it failed, and tries again at the next time', async () => {
    const a = world.machine('a');
    await look(a);
    world.capture = async () => {
      throw new BackstayError('CLUSTER_UNREACHABLE', 'It is away.');
    };
    world.clock.advance(HOUR);
    await look(a);
    const why = { code: 'CLUSTER_UNREACHABLE', message: 'It is away.' };
    expect((await world.recordOf())?.last).toMatchObject({ outcome: 'failed', ...why });
    expect(world.log.at(-1)).toEqual({
      level: 'error',
      event: 'schedule.failed',
      stack: 'shop',
      schedule: 'hourly',
      do: 'capture',
      ...why,
    });
    world.capture = async () => DONE;
    expect(await look(a)).toBe(world.clock.now() + HOUR);
    world.clock.advance(HOUR);
    await look(a);
    expect(await world.recordOf()).toMatchObject({ last: { outcome: 'succeeded' } });
    expect(world.captures).toHaveLength(2);
  });

  test('waits for a run that has not ended, and says so once', async () => {
    // The stack whose runs the test's builders make.
    await world.service.machine.stack('medical-kg', scheduled(HOURLY));
    await world.service.machine.stack('shop', aStackFile());
    const a = world.machine('a');
    await look(a);
    const plan = aPlan({ steps: [aStep('a', 'locked')] });
    const [created, end] = journalOf([
      { kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } },
      { kind: 'run-ended', outcome: 'succeeded' },
    ]);
    if (created === undefined || end === undefined) throw new Error('two entries were made');
    await world.service.deps.journal.append(created);
    world.clock.advance(HOUR);
    await look(a);
    await look(a);
    expect(world.captures).toEqual([]);
    expect(world.events()).toEqual(['schedule.put-off']);
    expect(world.log[0]).toMatchObject({ level: 'info', schedule: 'hourly', run: created.run });
    await world.service.deps.journal.append(end);
    await look(a);
    expect(world.captures).toEqual(['a']);
  });

  test('captures by itself: a stack without its keys is a failure that says so', async () => {
    const stop = new AbortController();
    const real = new Scheduler({ ...world.service.deps, clock: world.clock, log: () => undefined }, 'a', stop.signal);
    await real.look();
    world.clock.advance(HOUR);
    await real.look();
    await real.idle();
    expect((await world.recordOf())?.last).toMatchObject({
      outcome: 'failed',
      code: 'KEY_MISSING',
    });
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
      return world.machine(name, { records: Object.assign(Object.create(records) as typeof records, { get }) }, deps);
    };
    const all = [
      together('a', world.service.deps),
      together('b', await world.service.another()),
      together('c', await world.service.another()),
    ];
    await Promise.all(all.map(look));
    for (let times = 1; times <= 5; times += 1) {
      world.clock.advance(HOUR);
      await Promise.all(all.map(look));
      expect(world.captures).toHaveLength(times);
    }
    expect(world.events().filter((event) => event === 'schedule.fired')).toHaveLength(5);
  });

  test('leave alone what one is at, however long', async () => {
    const gate = Promise.withResolvers<Begun>();
    world.capture = async () => await gate.promise;
    const a = world.machine('a');
    const b = world.machine('b', {}, await world.service.another());
    await look(a);
    world.clock.advance(HOUR);
    await a.scheduler.look();
    await expect.poll(() => world.clock.asleep(), { timeout: 60_000 }).toBe(1);
    for (let renewed = 0; renewed < 8; renewed += 1) {
      world.clock.advance(CLAIM_MS / 4);
      await expect
        .poll(async () => Date.parse((await world.recordOf())?.firing?.until ?? ''), { timeout: 60_000 })
        .toBe(world.clock.now() + CLAIM_MS);
      await expect.poll(() => world.clock.asleep(), { timeout: 60_000 }).toBe(1);
      await look(b);
    }
    expect(world.captures).toEqual(['a']);
    gate.resolve(DONE);
    await a.scheduler.idle();
    expect(await world.recordOf()).toMatchObject({ last: { outcome: 'succeeded' } });
  });

  test.each([1, 2])(
    'begin again what a service claimed that was killed then, at most once more (%i killed)',
    async (kills) => {
      await look(world.machine('a'));
      world.clock.advance(HOUR);
      // Claimed, and dead before anything else is written: its clock moves for it alone no more.
      const dead = (name: string): Machine =>
        world.machine(name, {
          clock: { ...world.clock, delay: async () => await new Promise(() => undefined) },
        });
      world.capture = async () => await new Promise(() => undefined);
      for (let killed = 1; killed <= kills; killed += 1) {
        await dead(`dead${killed}`).scheduler.look();
        expect((await world.recordOf())?.firing).toMatchObject({ attempt: killed, service: `dead${killed}` });
        world.clock.advance(CLAIM_MS);
      }
      world.capture = async () => DONE;
      const b = world.machine('b', {}, await world.service.another());
      await look(b);
      await look(b);
      const begun = ['dead1', 'dead2'].slice(0, kills);
      expect(world.captures).toEqual(kills === 1 ? [...begun, 'b'] : begun);
      expect((await world.recordOf())?.last).toMatchObject({ outcome: kills === 1 ? 'succeeded' : 'lost' });
      world.clock.advance(HOUR);
      await look(b);
      expect(world.captures).toHaveLength(3);
      expect((await world.recordOf())?.last?.outcome).toBe('succeeded');
    },
  );

  test('that slept through their claim end what they were at, and write nothing over the one that took it', async () => {
    const slept = Promise.withResolvers<void>();
    const naps = [slept.promise];
    const delay = async (): Promise<void> => await (naps.shift() ?? Promise.reject(new Error('it slept once')));
    const a = world.machine('a', { clock: { ...world.clock, delay } });
    await look(a);
    world.clock.advance(HOUR);
    let ended = false;
    world.capture = async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended = true;
      return DONE;
    };
    await a.scheduler.look();
    world.clock.advance(CLAIM_MS);
    const failed: Begun = { kind: 'done', ending: { outcome: 'failed', code: 'KEY_MISSING' } };
    world.capture = async () => failed;
    await look(world.machine('b', {}, await world.service.another()));
    const after = await world.recordOf();
    expect(after).toMatchObject({ last: failed.ending });
    slept.resolve();
    await a.scheduler.idle();
    expect(ended).toBe(true);
    expect(await world.recordOf()).toEqual(after);
  });

  test('give back what they have not done when they stop', async () => {
    world.capture = async (signal) => {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      return DONE;
    };
    const a = world.machine('a');
    await look(a);
    world.clock.advance(HOUR);
    await a.scheduler.look();
    expect((await world.recordOf())?.firing).toMatchObject({ service: 'a' });
    a.stop.abort();
    await a.scheduler.idle();
    expect(Object.keys((await world.recordOf()) ?? {}).toSorted()).toEqual(['do', 'seenAt']);
    world.capture = async () => DONE;
    await look(world.machine('b', {}, await world.service.another()));
    expect(world.captures).toEqual(['a', 'b']);
  });
});
