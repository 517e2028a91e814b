import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServiceStore } from '../../../src/ports/index.ts';
import { forgetPlaces } from '../../../src/service/notify/forget.ts';
import type { NotifyDeps } from '../../../src/service/notify/outbox.ts';
import { forgetOld } from '../../../src/service/retention.ts';
import { eventsOf, hook, receivers, SECRET } from './support/receivers.ts';
import { eventually, notifyWorld, policy, type Service, type World } from './support/world.ts';

const DAY = 86_400_000;
/** Records carry the time of this machine, and all else the clock of the test, which is then long after. */
const LONG = 800 * DAY;
const LIMIT = { timeout: 120_000 };

let world: World;
let chat: Awaited<ReturnType<ReturnType<typeof receivers>>>;
const receiver = receivers();

beforeEach(async () => {
  world = await notifyWorld();
  world.keys['SECRET'] = SECRET;
  chat = await receiver();
  world.policies['shop'] = policy([hook('chat', chat)], { stuckAfterMs: 10 * LONG });
});
afterEach(async () => await world.close());

const placeOf = async (subject: string) => (await world.records.get('cursor', `notify/${subject}`))?.value;
const forget = async ({ deps }: Pick<Service, 'deps'>, records: ServiceStore = world.records): Promise<number> =>
  await forgetPlaces({ ...deps, records }, 30 * DAY);

/** One run that is over, one at work, a proposal that was dismissed and an open one: each told, and long ago. */
const past = async () => {
  const service = await world.service('first');
  const over = await world.run('r-over');
  await over.begin();
  await over.end();
  const working = await world.run('r-works');
  await working.begin();
  await world.propose({ id: 'p-open', state: 'open' });
  await world.propose({ id: 'p-over', state: 'open' });
  await eventually(() => chat.received.length === 5);
  const decidedAt = new Date(world.clock.now()).toISOString();
  await world.propose({ id: 'p-over', state: 'dismissed', by: 'lea', because: 'seen', decidedAt });
  await eventually(async () => (await world.deliveries()).every(({ state }) => state === 'delivered'));
  await eventually(() => chat.received.length === 6);
  await eventually(async () => ((await placeOf('r-over')) as { over?: true } | undefined)?.over === true);
  world.clock.advance(LONG);
  return { service, working };
};

/** A service that was started anew tells what is new, and nothing else. */
const tellsNewsAlone = async (
  id: string,
  part: (deps: NotifyDeps) => Partial<NotifyDeps> = () => ({}),
  late: readonly string[] = [],
) => {
  // What kept everything from being told twice until now.
  await forgetOld({ records: world.records, clock: world.clock });
  const before = chat.received.length;
  const service = await world.service(id, part);
  const fresh = await world.run(id);
  await fresh.begin();
  await fresh.end();
  // Also proposals were looked at: what comes after them was told.
  await world.propose({ id: `p-${id}`, state: 'open', createdAt: new Date(world.clock.now() + 1).toISOString() });
  const news = [`${id}:00000002:run.started`, `${id}:00000003:run.ended`, `p-${id}:0001:proposal.opened`];
  await eventually(() => news.every((event) => eventsOf(chat).includes(event)));
  await eventually(async () => ((await placeOf(id)) as { over?: true } | undefined)?.over === true);
  await eventually(async () => (await world.deliveries()).every(({ state }) => state === 'delivered'));
  // The beginning of a run that nobody was told of yet is no repetition.
  const told = eventsOf(chat).slice(before);
  expect(new Set(told.filter((event) => !late.includes(event)))).toEqual(new Set(news));
  expect(new Set(eventsOf(chat)).size).toBe(chat.received.length);
  return service;
};

describe('where readers have come to', () => {
  test('is forgotten of what is over, and told to nobody again', LIMIT, async () => {
    const { service, working } = await past();
    await service.stop();
    expect(await forget(service)).toBe(2);
    expect(await placeOf('r-over')).toBeUndefined();
    expect(await placeOf('p-over')).toBeUndefined();
    expect(await placeOf('r-works')).toEqual({ sequence: 2 });
    expect(await placeOf('p-open')).toMatchObject({ told: [{ notice: 'proposal.opened' }] });
    const read: string[] = [];
    await tellsNewsAlone('r-new', ({ journal }) => ({
      journal: {
        ...journal,
        runs: async (stack) => await journal.runs(stack),
        follow: (run, after, signal) => journal.follow(run, after, signal),
        read: async (run) => {
          read.push(run);
          return await journal.read(run);
        },
      },
    }));
    // Nobody reads it any more, and so it gets no place again.
    expect(new Set(read)).toEqual(new Set(['r-works', 'r-new']));
    expect(await placeOf('r-over')).toBeUndefined();
    const before = chat.received.length;
    await working.end();
    await eventually(() => chat.received.length === before + 1);
    expect(eventsOf(chat).slice(before)).toEqual(['r-works:00000003:run.ended']);
    expect(await forget(service)).toBe(0);
  });

  test('stays while it is young, and where nobody was told anything yet', LIMIT, async () => {
    const { service } = await past();
    world.clock.advance(20 * DAY - LONG);
    expect(await forget(service)).toBe(0);
    expect(await placeOf('r-over')).toBeDefined();
    expect((await world.records.get('cursor', 'notify'))?.version).toBe(1);
    await world.records.remove('cursor', 'notify', 0);
    world.clock.advance(LONG);
    expect(await forget(service)).toBe(0);
    expect(await placeOf('r-over')).toBeDefined();
  });

  test('is not forgotten of a run that is at work and has no place yet: its end is told', LIMIT, async () => {
    const { service } = await past();
    await service.stop();
    const slow = await world.run('r-slow');
    await slow.begin();
    world.clock.advance(LONG);
    await forget(service);
    expect(await placeOf('r-slow')).toEqual({});
    await tellsNewsAlone('r-new');
    const before = chat.received.length;
    await slow.end();
    await eventually(() => chat.received.length === before + 1);
    expect(eventsOf(chat).slice(before)).toEqual(['r-slow:00000003:run.ended']);
  });

  test(
    'is forgotten under a service that goes on: a proposal that it hears of again is not told again',
    LIMIT,
    async () => {
      const { service } = await past();
      expect(await forget(service)).toBe(2);
      await forgetOld({ records: world.records, clock: world.clock });
      const before = chat.received.length;
      const record = await world.records.get('proposal', 'p-over');
      await world.records.put('proposal', 'p-over', record?.version ?? 0, record?.value ?? null);
      await world.propose({ id: 'p-next', state: 'open' });
      await eventually(() => chat.received.length > before);
      expect(eventsOf(chat).slice(before)).toEqual(['p-next:0001:proposal.opened']);
    },
  );

  test.each([0, 1, 2, 3])(
    'may be stopped after %i writes: nothing is told again, and the next one ends it',
    LIMIT,
    async (most) => {
      const { service } = await past();
      await service.stop();
      const slow = await world.run('r-slow');
      await slow.begin();
      world.clock.advance(LONG);
      let writes = 0;
      const counted = async <T>(write: () => Promise<T>): Promise<T> => {
        if (writes === most) throw new Error('killed');
        writes += 1;
        return await write();
      };
      const { records } = world;
      const dying: ServiceStore = {
        get: async (...asked) => await records.get(...asked),
        list: async (...asked) => await records.list(...asked),
        follow: (...asked) => records.follow(...asked),
        changes: (signal) => records.changes(signal),
        close: async () => undefined,
        put: async (...asked) => await counted(async () => await records.put(...asked)),
        remove: async (...asked) => await counted(async () => await records.remove(...asked)),
      };
      await expect(forget(service, dying)).rejects.toThrow('killed');
      const again = await tellsNewsAlone('r-new', undefined, ['r-slow:00000002:run.started']);
      await again.stop();
      await forget(service);
      expect(await placeOf('r-works')).toBeDefined();
      expect(await placeOf('r-slow')).toBeDefined();
      await tellsNewsAlone('r-next');
    },
  );
});
