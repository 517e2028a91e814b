import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Recorder } from '../../src/rollback/index.ts';
import type { DeliveryView } from '../../src/service/notify/index.ts';
import { deliver } from '../../src/service/notify/outbox.ts';
import { watchRuns } from '../../src/service/notify/runs.ts';
import { type LocalServer, localServer } from '../hooks/server.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { appFor, gateOfRoles } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

const SECRET = 'whsec_0123456789abcdef';

let receiver: LocalServer;
let service: TestService;
let ask: ReturnType<typeof appFor>['ask'];
const stopping = new AbortController();
let loops: Promise<unknown>;

beforeAll(async () => {
  receiver = await localServer(({ url }) => ({ status: url === '/closed' ? 410 : 200 }));
  const channel = (name: string, path: string): string =>
    `{ name: ${name}, kind: webhook, url: "${receiver.url}${path}", secret: { env: AUDIT_SECRET } }`;
  const settings = `  backstay:notifications: { channels: [${channel('audit', '/open')}, ${channel('closed', '/closed')}] }\n`;
  service = await testService({
    env: { AUDIT_SECRET: SECRET },
    stacks: { shop: aStackFile(settings), other: aStackFile(settings) },
  });
  ({ ask } = appFor(service.deps, { gate: gateOfRoles({ shopper: [{ role: 'viewer', stacks: ['shop'] }] }) }));
  const deps = { ...service.deps, log: () => {} };
  loops = Promise.allSettled([watchRuns, deliver].map(async (loop) => await loop(deps, stopping.signal)));
});
afterAll(async () => {
  stopping.abort();
  await loops;
  await service.close();
  await receiver[Symbol.asyncDispose]();
});

interface Page {
  readonly items: readonly DeliveryView[];
  readonly next?: string;
}

async function page(who: string, query = ''): Promise<Page> {
  const answer = await ask(who, 'GET', `/v1/notifications${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Page;
}

async function carry(run: string, stack: string): Promise<void> {
  const { journal, clock, by } = service.deps;
  const recorder = new Recorder({ journal, clock, reporter: { report: () => {} }, run, stack });
  await recorder.append({ kind: 'run-created', plan: aPlan({ stack, steps: [aStep('a', 'applied')] }), by });
  await recorder.append({ kind: 'step-begin', operation: `${run}-a`, step: 'a', attempt: 1 });
  await recorder.append({ kind: 'run-ended', outcome: 'succeeded' });
}

const RUN = '20260301-030000-aaaaaa';
const OTHER = '20260301-040000-bbbbbb';

test('the API tells who was told of a run, in order, and who would not take it', { timeout: 120_000 }, async () => {
  // Nothing is told of what was before the first service.
  await vi.waitFor(async () => expect(await service.deps.records.get('cursor', 'notify')).toBeDefined(), {
    timeout: 60_000,
  });
  await carry(RUN, 'shop');
  await carry(OTHER, 'other');
  await vi.waitFor(
    async () => {
      const { items } = await page('viewer');
      expect(items.filter(({ settledAt }) => settledAt !== undefined).length).toBe(8);
    },
    { timeout: 60_000 },
  );
  const { items } = await page('viewer', `?run=${RUN}`);
  expect(items.map(({ notice, channel, state, attempts }) => [notice, channel, state, attempts])).toEqual([
    ['run.started', 'audit', 'delivered', 1],
    ['run.started', 'closed', 'refused', 1],
    ['run.ended', 'audit', 'delivered', 1],
    ['run.ended', 'closed', 'refused', 1],
  ]);
  expect(items[1]?.because).toBe('closed answers 410');
  expect(JSON.stringify(items)).not.toContain(SECRET);
});

test('a caller sees the stacks that he may watch, page by page', { timeout: 120_000 }, async () => {
  expect((await page('shopper', `?run=${OTHER}`)).items).toEqual([]);
  expect(new Set((await page('shopper')).items.map(({ stack }) => stack))).toEqual(new Set(['shop']));
  const first = await page('viewer', '?limit=5');
  const second = await page('viewer', `?limit=5&cursor=${first.next ?? ''}`);
  expect([first.items.length, second.items.length, second.next]).toEqual([5, 3, undefined]);
  expect(new Set([...first.items, ...second.items].map(({ event, channel }) => `${event} ${channel}`)).size).toBe(8);
});

test('what is no run is refused', async () => {
  expect((await ask('viewer', 'GET', '/v1/notifications?run=../etc')).status).toBe(422);
});

test('`notify test` tells a channel that a run begins and is over', { timeout: 120_000 }, async () => {
  const before = receiver.received.length;
  const told = await service.machine.json<{ readonly channel: string; readonly receiver: string }>([
    'notify',
    'test',
    'shop',
    'audit',
  ]);
  expect(told).toMatchObject({ stack: 'shop', channel: 'audit', receiver: 'webhook' });
  const types = receiver.received.slice(before).map(({ body }) => (JSON.parse(body) as { type: string }).type);
  expect(types).toEqual(['dev.backstay.run.started', 'dev.backstay.run.ended']);

  const unknown = await service.machine.refused(['notify', 'test', 'shop', 'nobody']);
  expect([unknown.exit, unknown.code]).toEqual([64, 'CHANNEL_UNKNOWN']);
  expect(unknown.next).toContain('audit, closed');
  const closed = await service.machine.refused(['notify', 'test', 'shop', 'closed']);
  expect([closed.exit, closed.code]).toEqual([1, 'NOTICE_FAILED']);
  expect(closed.message).toContain('closed answers 410');
});
