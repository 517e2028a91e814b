import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begun, deliveryIn, jsonOf, keyOf, owed } from '../../../src/service/notify/delivery.ts';
import type { NotifyDeps } from '../../../src/service/notify/outbox.ts';
import type { Telling } from '../../../src/service/notify/telling.ts';
import { eventsOf, hook, receivers, RUN_OF_TWO, SECRET } from './support/receivers.ts';
import { eventually, notifyWorld, policy, type World } from './support/world.ts';

let world: World;
const receiver = receivers();

beforeEach(async () => {
  world = await notifyWorld();
  world.keys['SECRET'] = SECRET;
});
afterEach(async () => await world.close());

describe('several services', () => {
  test('share the work: each event reaches each channel once', { timeout: 120_000 }, async () => {
    const [chat, other] = [await receiver(), await receiver()];
    world.policies['shop'] = policy([hook('chat', chat), hook('other', other)]);
    await Promise.all([world.service('one'), world.service('two')]);
    const ids = ['r1', 'r2', 'r3', 'r4', 'r5'];
    for (const id of ids) {
      const run = await world.run(id);
      await run.begin();
      await run.end();
    }
    await eventually(async () => {
      const all = await world.deliveries();
      return all.length === 20 && all.every(({ state }) => state === 'delivered');
    });
    const expected = ids.flatMap((id) => [`${id}:00000002:run.started`, `${id}:00000003:run.ended`]);
    expect(eventsOf(chat).toSorted()).toEqual(expected.toSorted());
    expect(eventsOf(other).toSorted()).toEqual(expected.toSorted());
    for (const id of ids)
      expect(eventsOf(chat).filter((event) => event.startsWith(id))).toEqual(
        expected.filter((event) => event.startsWith(id)),
      );
  });

  test('one that dies between sending and writing it down: another sends it again, once, by the same id', {
    timeout: 120_000,
  }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    const dead = Promise.withResolvers<never>();
    dead.promise.catch(() => undefined);
    const first = await world.service('one', ({ records }) => ({
      records: {
        ...records,
        put: async (kind, key, expected, value) => {
          const isEnd = kind === 'delivery' && (value as { state?: string }).state === 'delivered';
          return isEnd ? await dead.promise : await records.put(kind, key, expected, value);
        },
      },
    }));
    const run = await world.run('r1');
    await run.begin();
    await run.end();
    await eventually(() => chat.received.length === 1);
    dead.reject(new Error('killed'));
    await first.stop().catch(() => undefined);
    expect((await world.deliveries('r1')).map(({ state }) => state)).toEqual(['sending', 'due']);

    const second = await world.service('two');
    await eventually(() => world.clock.asleep() > 0);
    world.clock.advance(30_000);
    // It may still be at work, for all that the second one knows.
    expect(chat.received.length).toBe(1);
    await world.until(async () => (await world.deliveries('r1')).every(({ state }) => state === 'delivered'));
    expect(eventsOf(chat)).toEqual([RUN_OF_TWO[0], RUN_OF_TWO[0], RUN_OF_TWO[1]]);
    await second.stop();
    await world.service('three');
    const next = await world.run('r2');
    await next.begin();
    await eventually(() => chat.received.length === 4);
    expect(eventsOf(chat).at(-1)).toBe('r2:00000002:run.started');
  });
});

describe('one service among several', () => {
  /** Records whose lanes are read by so many before any of them may write. */
  function together(parties: number): (deps: NotifyDeps) => Partial<NotifyDeps> {
    let waiting: (() => void)[] = [];
    return ({ records }) => ({
      records: {
        ...records,
        list: async (kind, options) => {
          const found = await records.list(kind, options);
          if (kind !== 'delivery' || options?.prefix?.endsWith('/chat/') !== true) return found;
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
            if (waiting.length < parties) return;
            for (const go of waiting) go();
            waiting = [];
          });
          return found;
        },
      },
    });
  }

  test('of two that are about to send the same, one does', { timeout: 120_000 }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    const change = together(2);
    await Promise.all([world.service('one', change), world.service('two', change)]);
    await (await world.run('r1')).begin();
    await eventually(async () => (await world.deliveries('r1'))[0]?.state === 'delivered');
    expect((await world.deliveries('r1'))[0]?.attempts).toBe(1);
    expect(eventsOf(chat)).toEqual([RUN_OF_TWO[0]]);
  });

  test('does not send what another one has begun to, though it hears of that while it looks', {
    timeout: 120_000,
  }, async () => {
    const [chat, other] = [await receiver(), await receiver()];
    world.policies['shop'] = policy([hook('chat', chat), hook('other', other)]);
    const heard = Promise.withResolvers<void>();
    const looked = Promise.withResolvers<void>();
    let isFirst = true;
    await world.service('one', ({ records }) => ({
      records: {
        ...records,
        follow: async function* (kind, signal) {
          for await (const change of records.follow(kind, signal)) {
            yield change;
            // Whoever asks for the next one has taken this one.
            if (change.record?.key.includes('/chat/') === true && change.record.version > 1) heard.resolve();
          }
        },
        list: async (kind, options) => {
          const [record] = await records.list(kind, options);
          if (!isFirst || record === undefined || options?.prefix?.endsWith('/chat/') !== true)
            return await records.list(kind, options);
          isFirst = false;
          await world.records.put('delivery', record.key, record.version, jsonOf(begun(deliveryIn(record), 'two')));
          await heard.promise;
          const found = await records.list(kind, options);
          looked.resolve();
          return found;
        },
      },
    }));
    const run = await world.run('r1');
    await run.begin();
    await looked.promise;
    await run.end();
    await eventually(() => other.received.length === 2);
    expect([eventsOf(chat), eventsOf(other)]).toEqual([[], RUN_OF_TWO]);
    // Once it is taken for dead, it is sent.
    await world.until(() => chat.received.length === 2, 10_000);
    expect(eventsOf(chat)).toEqual(RUN_OF_TWO);
  });

  test('gives back what it was sending when it is stopped, so that nobody waits for it', {
    timeout: 120_000,
  }, async () => {
    let isUp = false;
    const chat = await receiver(() => (isUp ? { status: 200 } : 'never'));
    world.policies['shop'] = policy([hook('chat', chat)]);
    const first = await world.service('one');
    await (await world.run('r1')).begin();
    await eventually(() => chat.received.length === 1);
    await first.stop();
    expect((await world.deliveries('r1'))[0]).toMatchObject({ state: 'due', because: 'the service was stopped' });
    isUp = true;
    await world.service('two');
    world.clock.advance(1_000);
    await eventually(async () => (await world.deliveries('r1'))[0]?.state === 'delivered');
    expect(eventsOf(chat)).toEqual([RUN_OF_TWO[0], RUN_OF_TWO[0]]);
  });

  test('sends nothing before what it has not heard of yet', { timeout: 120_000 }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    const now = world.clock.now();
    const telling = (id: string, ms: number): Telling => ({
      id,
      subject: 'r1',
      notice: 'run.started',
      stack: 'shop',
      at: new Date(now + ms).toISOString(),
      effect: 'opens',
      values: { stack: 'shop' },
    });
    const [first, second] = [telling('first', 0), telling('second', 1)];
    await world.records.put('delivery', keyOf(first, 'chat'), 0, jsonOf(owed(first, 'chat', now + 60_000)));
    await world.records.put('delivery', keyOf(second, 'chat'), 0, jsonOf(owed(second, 'chat', now)));
    const looks = Promise.withResolvers<void>();
    await world.service('one', ({ records }) => ({
      records: {
        ...records,
        list: async (kind, options) => {
          const found = await records.list(kind, options);
          if (kind !== 'delivery') return found;
          if (options?.prefix !== undefined) looks.resolve();
          return options?.prefix === undefined ? found.filter(({ key }) => key.endsWith('second')) : found;
        },
      },
    }));
    await looks.promise;
    await eventually(() => world.clock.asleep() > 0);
    expect(chat.received.length).toBe(0);
    await world.until(() => chat.received.length === 2, 10_000);
    expect(eventsOf(chat)).toEqual(['first', 'second']);
  });

  test('that is behind with a proposal tells nobody what is past', { timeout: 120_000 }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    const first = await world.service('one');
    await world.propose({ id: 'p1', state: 'open' });
    await eventually(() => chat.received.length === 1);
    const past = await world.records.list('proposal');
    await world.propose({ id: 'p1', state: 'dismissed', decidedAt: new Date(world.clock.now() + 5).toISOString() });
    await eventually(() => chat.received.length === 2);
    await first.stop();
    await world.service('two', ({ records }) => ({
      records: {
        ...records,
        list: async (kind, options) => {
          const found = await records.list(kind, options);
          return kind === 'proposal' ? [...past, ...found.filter(({ key }) => key !== 'p1')] : found;
        },
      },
    }));
    await world.propose({ id: 'p2', state: 'open' });
    await eventually(() => chat.received.length === 3);
    expect(eventsOf(chat).at(-1)).toBe('p2:0001:proposal.opened');
  });
});
