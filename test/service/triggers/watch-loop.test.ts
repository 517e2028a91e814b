import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Alert } from '../../../src/model/index.ts';
import { heldByOther, type Holder } from '../../../src/service/claim.ts';
import type { ServiceDeps } from '../../../src/service/deps.ts';
import type { LoopDeps } from '../../../src/service/loops.ts';
import type { LogLine } from '../../../src/service/log.ts';
import { proposals } from '../../../src/service/triggers/answer.ts';
import { triggerLoop } from '../../../src/service/triggers/loop.ts';
import { receive } from '../../../src/service/triggers/intake.ts';
import { readAll } from '../../../src/service/triggers/records.ts';
import { watchLoop } from '../../../src/service/triggers/watch/loop.ts';
import { alertOf, POLICY } from './alerts.ts';
import { aStackFile, type TestService, testService } from '../../support/service.ts';

/** A route of a stack whose cluster cannot be reached: what lies outside is watched all the same. */
let route: Server;
let status: number;
let service: TestService;
let ending: AbortController;
let work: Promise<void>[];
let log: LogLine[];

beforeEach(async () => {
  status = 200;
  route = createServer((_request, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => route.listen(0, '127.0.0.1', resolve));
  const { port } = route.address() as AddressInfo;
  const yaml = aStackFile(`  backstay:triggers:
    settle: 100ms
    watches:
      - { name: down, for: 300ms, every: 100ms, measure: { kind: failing, target: { url: "http://127.0.0.1:${port}/" } } }
      - { name: nothing, for: 100ms, every: 100ms, above: { value: 0 }, measure: { kind: prometheus, prometheus: { url: "http://127.0.0.1:${port}/" }, query: up } }
`);
  service = await testService({ stacks: { shop: yaml, quiet: aStackFile() } });
  ending = new AbortController();
  work = [];
  log = [];
});
afterEach(async () => {
  ending.abort();
  await Promise.all(work);
  await service.close();
  route.closeAllConnections();
  await new Promise((resolve) => route.close(resolve));
});

function start(deps: ServiceDeps): void {
  const loops: LoopDeps = { ...deps, settings: {} as LoopDeps['settings'], log: (line) => void log.push(line) };
  for (const loop of [triggerLoop, watchLoop]) work.push(loop.start(loops, ending.signal));
}

const alerts = async (): Promise<readonly Alert[]> =>
  (await readAll(service.deps.records, 'alert')).map(({ value }) => value.alert);

/** Looks again whenever a record of that kind is written. */
async function until(kind: 'alert' | 'proposal' | 'trigger', isSo: () => Promise<boolean>): Promise<void> {
  const followed = new AbortController();
  try {
    const changes = service.deps.records.follow(kind, followed.signal)[Symbol.asyncIterator]();
    for (let next = changes.next(); !(await isSo()); next = changes.next()) await next;
  } finally {
    followed.abort();
  }
}

describe('the loops of a service', () => {
  test('make an alert of a route that fails, a proposal of the alert, and close both when it is well', {
    timeout: 60_000,
  }, async () => {
    start(service.deps);
    status = 503;
    await until('proposal', async () => (await proposals(service.deps))[0]?.problem !== undefined);
    expect(await alerts()).toMatchObject([{ source: 'watch', name: 'down', status: 'firing' }]);
    // No cluster can be asked for a plan: it is said, and nothing begins.
    expect(await proposals(service.deps)).toMatchObject([
      { stack: 'shop', alerts: [{ name: 'down' }], problem: { code: expect.any(String) } },
    ]);
    status = 200;
    await until('proposal', async () => (await proposals(service.deps))[0]?.state === 'settled');
    expect(await alerts()).toMatchObject([{ name: 'down', status: 'resolved' }]);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('of two services measure once', { timeout: 60_000 }, async () => {
    start(service.deps);
    start(await service.another());
    status = 503;
    await until('alert', async () => (await alerts()).length > 0);
    await until('proposal', async () => (await proposals(service.deps)).length > 0);
    expect(await alerts()).toHaveLength(1);
    expect(await proposals(service.deps)).toHaveLength(1);
  });

  test('give a stack to the next service when they stop', { timeout: 60_000 }, async () => {
    const holder = async (): Promise<Holder | undefined> =>
      (await service.deps.records.get('trigger', 'shop/watch'))?.value as unknown as Holder | undefined;
    start(service.deps);
    await until('trigger', async () => heldByOther(await holder(), 'the next', Date.now()) !== undefined);
    ending.abort();
    await Promise.all(work);
    expect(heldByOther(await holder(), 'the next', Date.now())).toBeUndefined();
  });

  test('go on with what a killed service had heard', { timeout: 60_000 }, async () => {
    const now = new Date().toISOString();
    await receive(alertOf({ startsAt: now }), POLICY, service.deps);
    start(await service.another());
    await until('proposal', async () => (await proposals(service.deps)).length > 0);
    expect(await proposals(service.deps)).toMatchObject([
      { stack: 'shop', alerts: [{ name: 'HighErrorRate', startsAt: now }] },
    ]);
  });
});
