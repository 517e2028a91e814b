import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Sent } from '../../../src/service/notify/channel.ts';
import {
  begun,
  type Delivery,
  ended,
  GIVE_UP_MS,
  isSettled,
  keyOf,
  laneIn,
  laneOf,
  owed,
  pauseAfter,
} from '../../../src/service/notify/delivery.ts';
import { schedule, type Waiting } from '../../../src/service/notify/schedule.ts';
import type { Telling } from '../../../src/service/notify/telling.ts';

const AT = Date.parse('2026-01-01T00:00:00.000Z');
const TELLING: Telling = {
  id: 'r1:00000002:run.started',
  subject: 'r1',
  notice: 'run.started',
  stack: 'shop',
  run: 'r1',
  at: '2026-01-01T00:00:00.000Z',
  effect: 'opens',
  values: {},
};
const retry = (afterMs?: number): Sent => ({
  kind: 'retry',
  because: 'chat answers 500',
  ...(afterMs === undefined ? {} : { afterMs }),
});
const started = (attempts = 1): Delivery => ({ ...begun(owed(TELLING, 'chat', AT), 'one'), attempts });

describe('a delivery', () => {
  test('is named by what it is about, the channel, the time and the event', () => {
    const key = keyOf(TELLING, 'chat.1');
    expect(key).toBe('r1/chat.1/2026-01-01T00:00:00.000Z r1:00000002:run.started');
    expect(laneIn(key)).toBe(laneOf('r1', 'chat.1'));
  });

  test('sorts as things happened: by time, and by entry within one millisecond', () => {
    const key = (part: Partial<Telling>): string => keyOf({ ...TELLING, ...part }, 'chat');
    const inOrder = [
      key({ id: 'r1:00000001:approval.needed' }),
      key({ id: 'r1:00000002:run.started' }),
      key({ id: 'r1:00000010:run.ended' }),
      key({ id: 'r1:working+0s:escalation' }),
      key({ at: '2026-01-01T00:00:00.001Z', id: 'r1:00000001:x' }),
    ];
    expect(inOrder.toSorted()).toEqual(inOrder);
  });

  test.each<[string, Parameters<typeof ended>[1], number, Partial<Delivery>]>([
    ['delivered', { kind: 'delivered', reference: '7' }, AT + 5, { state: 'delivered', reference: '7' }],
    [
      'refused for good',
      { kind: 'refused', because: 'chat answers 404' },
      AT + 5,
      { state: 'refused', because: 'chat answers 404' },
    ],
    ['withdrawn', { kind: 'withdrawn', because: 'over' }, AT + 5, { state: 'withdrawn', because: 'over' }],
    ['tried again', retry(), AT, { state: 'due', because: 'chat answers 500', dueAt: '2026-01-01T00:00:01.000Z' }],
    ['tried when it was asked to', retry(90_000), AT, { state: 'due', dueAt: '2026-01-01T00:01:30.000Z' }],
    [
      'tried a last time after a day',
      retry(),
      AT + GIVE_UP_MS - 10,
      { state: 'due', dueAt: '2026-01-02T00:00:00.000Z' },
    ],
    [
      'given up then, with what it met',
      retry(),
      AT + GIVE_UP_MS,
      { state: 'given-up', because: 'chat answers 500, for a day' },
    ],
  ])('is %s', (_what, outcome, now, expected) => {
    const after = ended(started(), outcome, now, 1);
    expect(after).toMatchObject(expected);
    expect(isSettled(after)).toBe(expected.state !== 'due');
    expect(after.settledAt).toBe(expected.state === 'due' ? undefined : new Date(now).toISOString());
  });

  test('is begun before it is sent: whoever finds it so knows that it may have arrived', () => {
    expect(begun(owed(TELLING, 'chat', AT), 'one')).toMatchObject({ state: 'sending', attempts: 1, by: 'one' });
  });

  test('pauses grow, are spread over half of themselves, and end at five minutes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, random) => {
          const pause = pauseAfter(attempts, random);
          expect(pause).toBeGreaterThanOrEqual(500);
          expect(pause).toBeLessThanOrEqual(300_000);
          expect(pauseAfter(attempts + 1, random)).toBeGreaterThanOrEqual(pause);
          expect(pauseAfter(attempts, 1)).toBe(2 * pauseAfter(attempts, 0));
        },
      ),
    );
  });
});

describe('what is sent now', () => {
  const LANES = ['a/x/', 'b/x/', 'c/x/', 'a/y/'];
  const channelOf = (lane: string): string => lane.split('/')[1] ?? '';
  const waiting = fc.array(
    fc.record({
      lane: fc.constantFrom(...LANES),
      order: fc.integer({ min: 0, max: 9 }),
      at: fc.integer({ min: 0, max: 100 }),
    }),
    { maxLength: 20 },
  );
  const asWaiting = (given: readonly { lane: string; order: number; at: number }[]): readonly Waiting[] => [
    ...new Map(
      given.map(({ lane, order, at }) => [
        `${lane}${order}`,
        { key: `${lane}${order}`, lane, channel: channelOf(lane), at },
      ]),
    ).values(),
  ];
  const busyIn = (lanes: readonly string[]): ReadonlyMap<string, string> =>
    new Map(lanes.map((lane) => [lane, channelOf(lane)]));
  const AMPLE = { inAll: 100, perChannel: 100 };

  test('nothing overtakes in its lane, nothing is sent before its time, and no lane waits for another', () => {
    fc.assert(
      fc.property(waiting, fc.subarray(LANES), fc.integer({ min: 0, max: 100 }), (given, sending, now) => {
        const all = asWaiting(given);
        const busy = busyIn(sending);
        const { ready, wakeAt } = schedule(all, { busy, now, room: AMPLE });
        for (const lane of new Set(all.map((one) => one.lane))) {
          const [head] = all.filter((one) => one.lane === lane).toSorted((a, b) => (a.key < b.key ? -1 : 1));
          if (head === undefined) continue;
          const isDue = !busy.has(lane) && head.at <= now;
          expect(ready.filter((key) => key.startsWith(lane))).toEqual(isDue ? [head.key] : []);
          // Whoever is not due now is woken for.
          if (!busy.has(lane) && head.at > now) expect(wakeAt).toBeLessThanOrEqual(head.at);
        }
        if (wakeAt !== undefined) expect(wakeAt).toBeGreaterThan(now);
      }),
    );
  });

  test('never more than there is room for, in all and for one channel, and as many as that', () => {
    const rooms = fc.record({ inAll: fc.integer({ min: 0, max: 5 }), perChannel: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(waiting, fc.subarray(LANES), rooms, (given, sending, room) => {
        const busy = busyIn(sending);
        const all = asWaiting(given);
        const { ready } = schedule(all, { busy, now: 100, room });
        const going = [...sending, ...ready.map((key) => key.slice(0, 4))];
        if (ready.length > 0) expect(going.length).toBeLessThanOrEqual(room.inAll);
        const of = (channel: string): number => going.filter((lane) => channelOf(lane) === channel).length;
        for (const key of ready) expect(of(channelOf(key))).toBeLessThanOrEqual(room.perChannel);
        // Whatever waits all the same waits for room.
        for (const { lane, channel } of all)
          if (!going.includes(lane)) expect(going.length >= room.inAll || of(channel) >= room.perChannel).toBe(true);
      }),
    );
  });

  test('those first that waited longest', () => {
    const one = (lane: string, at: number): Waiting => ({ key: `${lane}1`, lane, channel: channelOf(lane), at });
    const all = [one('a/x/', 3), one('b/x/', 1), one('c/x/', 2), one('a/y/', 4)];
    const now = 9;
    expect(schedule(all, { busy: new Map(), now, room: { inAll: 3, perChannel: 2 } })).toEqual({
      ready: ['b/x/1', 'c/x/1', 'a/y/1'],
    });
    expect(schedule(all, { busy: new Map(), now, room: { inAll: 0, perChannel: 2 } })).toEqual({ ready: [] });
  });
});
