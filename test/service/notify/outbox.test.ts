import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NotificationSetting } from '../../../src/model/index.ts';
import { eventsOf, hook, receivers, RUN_OF_TWO, SECRET } from './support/receivers.ts';
import { eventually, notifyWorld, policy, type World } from './support/world.ts';

const TOKEN = 'ghp_this_must_stay_here';

let world: World;
const receiver = receivers();

beforeEach(async () => {
  world = await notifyWorld();
  world.keys['SECRET'] = SECRET;
});
afterEach(async () => await world.close());

describe('a run', () => {
  test('is told once each and in order, after the entry is stored', { timeout: 120_000 }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    await world.service();
    const run = await world.run('r1');
    await run.begin();
    await eventually(() => chat.received.length === 1);
    await run.end();
    await eventually(async () => (await world.deliveries('r1')).every(({ state }) => state === 'delivered'));
    await eventually(() => chat.received.length === 2);
    expect(eventsOf(chat)).toEqual(RUN_OF_TWO);
    expect(JSON.parse(chat.received[1]?.body ?? '')).toMatchObject({
      type: 'dev.backstay.run.ended',
      subject: 'r1',
      data: { stack: 'shop', run: 'r1', values: { outcome: 'succeeded', reason: 'docling is slow' } },
    });
  });

  test('whose notifier is down until long after its end is told once each and in order', {
    timeout: 120_000,
  }, async () => {
    let isUp = false;
    const chat = await receiver(async (_request, count) => {
      if (isUp) return { status: 200 };
      if (count % 2 === 0) return { status: 503 };
      throw new Error('the connection is cut');
    });
    const other = await receiver();
    world.policies['shop'] = policy([hook('chat', chat), hook('other', other)]);
    await world.service();
    const run = await world.run('r1');
    await run.begin();
    await run.end('failed', 'it broke');
    // Nobody waits for the one that is down.
    await eventually(() => other.received.length === 2);
    await world.until(() => chat.received.length >= 4);
    expect(new Set(eventsOf(chat))).toEqual(new Set([RUN_OF_TWO[0]]));
    isUp = true;
    const tried = chat.received.length;
    await world.until(async () => (await world.deliveries('r1')).every(({ state }) => state === 'delivered'));
    expect(eventsOf(chat).slice(tried)).toEqual(RUN_OF_TWO);
    expect(eventsOf(other)).toEqual(RUN_OF_TWO);
  });

  test('that ended before the first service was started is old news; one that is at work is not', {
    timeout: 120_000,
  }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    const old = await world.run('r0');
    await old.begin();
    await old.end();
    const working = await world.run('r1');
    await working.begin();
    world.clock.advance(1_000);
    await world.service();
    await eventually(async () => (await world.records.get('cursor', 'notify/r0')) !== undefined);
    world.clock.advance(1_000);
    await working.end();
    await eventually(() => chat.received.length === 1);
    expect(eventsOf(chat)).toEqual([RUN_OF_TWO[1]]);
  });

  test('is not told again by a service that is started anew, also for what nobody wanted to hear', {
    timeout: 120_000,
  }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat, { on: ['run.ended'] })]);
    const first = await world.service('one');
    const run = await world.run('r1');
    await run.begin();
    await eventually(async () => (await world.records.get('cursor', 'notify/r1')) !== undefined);
    await first.stop();
    world.policies['shop'] = policy([hook('chat', chat)]);
    const second = await world.service('two');
    await run.end();
    await eventually(async () => (await world.deliveries('r1')).some(({ state }) => state === 'delivered'));
    await second.stop();
    await world.service('three');
    const next = await world.run('r2');
    await next.begin();
    await eventually(() => chat.received.length === 2);
    expect(eventsOf(chat)).toEqual([RUN_OF_TWO[1], 'r2:00000002:run.started']);
  });

  test('of a stack whose file cannot be used just now is told when it can', { timeout: 120_000 }, async () => {
    const chat = await receiver();
    world.policies['shop'] = 'unusable';
    await world.service();
    const run = await world.run('r1');
    await run.begin();
    await eventually(() => world.log.some(({ event }) => event === 'notice.waits'));
    world.policies['shop'] = policy([hook('chat', chat)]);
    await world.until(() => chat.received.length === 1);
    expect(eventsOf(chat)).toEqual([RUN_OF_TWO[0]]);
  });
});

describe('a receiver', () => {
  test('that asks for patience is given it', { timeout: 120_000 }, async () => {
    const chat = await receiver((_request, count) =>
      count === 1 ? { status: 429, headers: { 'retry-after': '120' } } : { status: 200 },
    );
    world.policies['shop'] = policy([hook('chat', chat)]);
    await world.service();
    await (await world.run('r1')).begin();
    await eventually(async () => (await world.deliveries('r1'))[0]?.because === 'chat answers 429');
    const [waiting] = await world.deliveries('r1');
    expect(Date.parse(waiting?.dueAt ?? '') - world.clock.now()).toBe(120_000);
    world.clock.advance(119_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(chat.received.length).toBe(1);
    await world.until(() => chat.received.length === 2, 1_000);
    await eventually(async () => (await world.deliveries('r1'))[0]?.state === 'delivered');
  });

  test('that will never take it is asked once, and its reason is kept', { timeout: 120_000 }, async () => {
    const chat = await receiver(() => ({ status: 404, body: JSON.stringify({ message: 'no_service' }) }));
    world.policies['shop'] = policy([hook('chat', chat)]);
    await world.service();
    const run = await world.run('r1');
    await run.begin();
    await run.end();
    await eventually(
      async () => (await world.deliveries('r1')).filter(({ state }) => state === 'refused').length === 2,
    );
    expect((await world.deliveries('r1'))[0]).toMatchObject({ attempts: 1, because: 'chat answers 404: no_service' });
    expect(chat.received.length).toBe(2);
  });

  test('that cannot be had for a day is given up, and shown as such', { timeout: 120_000 }, async () => {
    const chat = await receiver(() => ({ status: 500 }));
    world.policies['shop'] = policy([hook('chat', chat)], { stuckAfterMs: 90_000_000 });
    await world.service();
    await (await world.run('r1')).begin();
    await world.until(async () => (await world.deliveries('r1'))[0]?.state === 'given-up', 1_800_000);
    expect((await world.deliveries('r1'))[0]).toMatchObject({ because: 'chat answers 500, for a day' });
    expect(chat.received.length).toBeGreaterThan(10);
    expect(world.log.filter(({ event, state }) => event === 'notice' && state === 'given-up').length).toBe(1);
  });

  test('that was taken out of the stack file meanwhile is not told any more', { timeout: 120_000 }, async () => {
    const chat = await receiver(() => ({ status: 500 }));
    world.policies['shop'] = policy([hook('chat', chat)]);
    await world.service();
    await (await world.run('r1')).begin();
    await eventually(() => chat.received.length > 0);
    world.policies['shop'] = policy([hook('other', chat)]);
    await world.until(async () => (await world.deliveries('r1'))[0]?.state === 'refused');
    expect((await world.deliveries('r1'))[0]?.because).toBe('the stack shop has no channel chat any more');
  });
});

describe('who is told next', () => {
  const LEVELS = [
    { afterMs: 0, notify: ['operations'], contact: 'Operations Engineer' },
    { afterMs: 900_000, notify: ['senior'], contact: 'Senior Engineer' },
    { afterMs: 1_800_000, notify: ['manager'], contact: 'Engineering Manager' },
  ];

  test('is told when his time has come, and hears the end; those after him hear nothing', {
    timeout: 120_000,
  }, async () => {
    const [operations, senior, manager] = [await receiver(), await receiver(), await receiver()];
    const on: NotificationSetting['on'] = ['escalation'];
    world.policies['shop'] = policy(
      [hook('operations', operations, { on }), hook('senior', senior, { on }), hook('manager', manager, { on })],
      { escalation: LEVELS, stuckAfterMs: 80_000_000 },
    );
    await Promise.all([world.service('one'), world.service('two')]);
    const run = await world.run('r1');
    await run.begin();
    await eventually(() => operations.received.length === 1);
    // A sending that is under way would be taken for dead a quarter of an hour later.
    await eventually(async () => (await world.deliveries('r1')).every(({ state }) => state === 'delivered'));
    await eventually(() => world.clock.asleep() > 0);
    world.clock.advance(899_999);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(senior.received.length).toBe(0);
    await world.until(() => senior.received.length === 1, 1);
    expect(JSON.parse(senior.received[0]?.body ?? '')).toMatchObject({
      data: { values: { contact: 'Senior Engineer', level: '2', elapsed: '15 min' } },
    });
    await run.end();
    await eventually(() => operations.received.length === 2 && senior.received.length === 2);
    world.clock.advance(7_200_000);
    await eventually(async () => (await world.records.get('cursor', 'notify/r1'))?.value !== undefined);
    expect(manager.received.length).toBe(0);
    expect(eventsOf(senior)).toEqual(['r1:working+900s:escalation', 'r1:00000003:run.ended']);
  });

  test('nobody is woken for what is over: an alarm that was held up is withdrawn', { timeout: 120_000 }, async () => {
    let isUp = false;
    const pager = await receiver(() => ({ status: isUp ? 200 : 500 }));
    world.policies['shop'] = policy([hook('pager', pager, { on: ['escalation'] })], {
      escalation: [{ afterMs: 60_000, notify: ['pager'] }],
    });
    await world.service();
    const run = await world.run('r1');
    await run.begin();
    await world.until(() => pager.received.length > 0, 10_000);
    await eventually(async () => (await world.deliveries('r1'))[0]?.state === 'due');
    await run.end();
    isUp = true;
    const tried = pager.received.length;
    await world.until(async () => {
      const all = await world.deliveries('r1');
      return all.length === 2 && all.every(({ settledAt }) => settledAt !== undefined);
    });
    expect((await world.deliveries('r1')).map(({ state }) => state)).toEqual(['withdrawn', 'delivered']);
    expect(eventsOf(pager).slice(tried)).toEqual(['r1:00000003:run.ended']);
  });

  test('a deadline that passes is told once, and not of a run that kept it', {
    timeout: 120_000,
  }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat, { on: ['run.late'] })], { stuckAfterMs: 80_000_000 });
    await world.service();
    const kept = await world.run('kept', { deadlineMs: 900_000 });
    await kept.begin();
    const late = await world.run('late', { deadlineMs: 900_000 });
    await late.begin();
    await kept.end();
    await world.until(() => chat.received.length === 1, 60_000);
    world.clock.advance(3_600_000);
    await late.end();
    await world.until(async () => {
      const all = await world.deliveries('late');
      return all.length === 2 && all.every(({ settledAt }) => settledAt !== undefined);
    });
    expect(eventsOf(chat)).toEqual(['late:deadline:run.late', 'late:00000003:run.ended']);
    expect(await world.deliveries('kept')).toEqual([]);
  });

  test('a run that falls silent is told as stuck, once for each silence', { timeout: 120_000 }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat, { on: ['run.stuck'] })], { stuckAfterMs: 600_000 });
    await world.service();
    const run = await world.run('r1');
    await run.begin();
    await world.until(() => chat.received.length === 1, 60_000);
    world.clock.advance(3_600_000);
    await run.fact({ kind: 'phase-entered', phase: 'locked' });
    await world.until(() => chat.received.length === 2, 60_000);
    expect(eventsOf(chat)).toEqual(['r1:00000002:run.stuck', 'r1:00000003:run.stuck']);
  });
});

describe('a proposal', () => {
  test('is told when it is open, and when it is closed to those who heard of it', { timeout: 120_000 }, async () => {
    const [chat, quiet] = [await receiver(), await receiver()];
    world.policies['shop'] = policy([hook('chat', chat), hook('quiet', quiet, { on: ['run.ended'] })]);
    await world.service();
    await world.propose({ id: 'p1', state: 'planning' });
    await world.propose({ id: 'p1', state: 'open' });
    await eventually(() => chat.received.length === 1);
    const decidedAt = new Date(world.clock.now() + 5).toISOString();
    await world.propose({ id: 'p1', state: 'dismissed', by: 'lea', because: 'seen', decidedAt });
    await eventually(() => chat.received.length === 2);
    // One that was settled before anybody was asked.
    await world.propose({ id: 'p2', state: 'settled', decidedAt });
    await eventually(async () => (await world.records.get('cursor', 'notify/p2')) !== undefined);
    expect(eventsOf(chat)).toEqual(['p1:0001:proposal.opened', 'p1:0002:proposal.closed']);
    expect(quiet.received.length).toBe(0);
  });

  test('that is opened anew, because what was begun could not be, is told anew; by two services once', {
    timeout: 120_000,
  }, async () => {
    const chat = await receiver();
    world.policies['shop'] = policy([hook('chat', chat)]);
    await Promise.all([world.service('one'), world.service('two')]);
    await world.propose({ id: 'p1', state: 'open' });
    await eventually(() => chat.received.length === 1);
    const decidedAt = new Date(world.clock.now() + 5).toISOString();
    await world.propose({ id: 'p1', state: 'started', run: 'r9', by: 'lea', decidedAt });
    await eventually(() => chat.received.length === 2);
    await world.propose({ id: 'p1', state: 'open', problem: { code: 'LEASE_HELD', message: 'Another run holds it.' } });
    await eventually(() => chat.received.length === 3);
    await eventually(async () => (await world.deliveries('p1')).every(({ state }) => state === 'delivered'));
    expect(eventsOf(chat)).toEqual(['p1:0001:proposal.opened', 'p1:0002:proposal.closed', 'p1:0003:proposal.opened']);
  });
});

test('no secret is in any record, view or log line, whatever receivers send back', { timeout: 120_000 }, async () => {
  const echo = await receiver(({ headers, body, url }) => ({
    status: 400,
    body: JSON.stringify({ message: `${String(headers.authorization)} ${body} ${url}` }),
  }));
  const failing = await receiver(({ headers }) => ({
    status: 503,
    body: `${String(headers.authorization)} ${SECRET}`,
  }));
  Object.assign(world.keys, {
    TOKEN,
    HOOK: `${echo.url}/services/T0/B0/hush`,
    ROUTING: 'routing-key-of-32-characters-000',
  });
  world.policies['shop'] = policy([
    hook('signed', echo),
    hook('failing', failing),
    { name: 'chat', kind: 'slack', webhook: { env: 'HOOK' } },
    { name: 'gone', kind: 'slack', webhook: { env: 'NOT_SET' } },
    { name: 'tickets', kind: 'github', api: echo.url, repository: 'a/b', token: { env: 'TOKEN' }, labels: [] },
    { name: 'pager', kind: 'pagerduty', url: echo.url, routingKey: { env: 'ROUTING' }, on: ['run.started'] },
    { name: 'page', kind: 'status', url: echo.url, token: { env: 'TOKEN' } },
  ]);
  await world.service();
  await (await world.run('r1')).begin();
  await eventually(async () => {
    const all = await world.deliveries('r1');
    return all.length === 7 && all.every(({ because }) => because !== undefined);
  });
  const said = `${await world.dump()}${JSON.stringify(await world.deliveries())}${JSON.stringify(world.log)}`;
  expect(said).toContain('[secret]');
  for (const secret of [SECRET, TOKEN, 'hush', world.keys['ROUTING'] ?? '']) expect(said).not.toContain(secret);
  expect((await world.deliveries('r1')).find(({ channel }) => channel === 'gone')).toMatchObject({
    state: 'due',
    because: '{"env":"NOT_SET"} is not set.',
  });
});
