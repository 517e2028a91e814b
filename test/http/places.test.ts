import { get } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import { StreamPlaces } from '../../src/http/places.ts';
import { listen } from '../../src/http/server.ts';
import { appFor } from '../support/app.ts';
import { type TestService, testService } from '../support/service.ts';

const LIMITS = { ...REQUEST_LIMITS, streams: 2 };

describe('the places for streams', () => {
  it('are never more than there are, for anybody, whoever takes and gives them back in which order', () => {
    const step = fc.record({ who: fc.constantFrom('ada', 'bob'), takes: fc.boolean(), which: fc.nat(9) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
        const places = new StreamPlaces(most);
        const held = { ada: [] as (() => void)[], bob: [] as (() => void)[] };
        const given: (() => void)[] = [];
        for (const { who, takes, which } of steps) {
          const own = held[who];
          if (!takes) {
            const [back] = own.splice(which % Math.max(1, own.length), 1);
            // One that was given back before is given back once more, and frees nothing.
            (back ?? given[0])?.();
            if (back !== undefined) given.push(back);
          } else if (own.length < most) own.push(places.take(who));
          else expect(() => places.take(who)).toThrow('open already');
        }
      }),
    );
  });
});

describe('streams of one principal', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await testService();
  });
  afterAll(async () => await service.close());

  const within = { timeout: 30_000, interval: 5 };

  it('are so many; one more is told when to come again, and nobody else is kept waiting', async () => {
    const { ask } = appFor(service.deps, { limits: LIMITS });
    const open = async (who = 'viewer') => await ask(who, 'GET', '/v1/events');
    const [first, second] = [await open(), await open()];
    const refused = await open();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ code: 'REQUESTS_TOO_MANY', details: { streams: 2 } });
    // Anything else is still answered.
    expect((await ask('viewer', 'GET', '/v1/me')).status).toBe(200);
    const other = await open('operator');
    expect(other.status).toBe(200);
    await first.body?.cancel();
    const again = await open();
    expect(again.status).toBe(200);
    expect((await open()).status).toBe(429);
    for (const one of [second, other, again]) await one.body?.cancel();
  });

  it('that are refused for another reason take no place', async () => {
    const { ask } = appFor(service.deps, { limits: LIMITS });
    for (let i = 0; i < 5; i += 1) expect((await ask('viewer', 'GET', '/v1/runs/none/events')).status).toBe(404);
    const left = await ask('viewer', 'GET', '/v1/events');
    expect(left.status).toBe(200);
    await left.body?.cancel();
  });

  it('end with the service, and their places with them', async () => {
    const stopping = new AbortController();
    const { ask } = appFor(service.deps, { limits: { ...LIMITS, streams: 1 }, stopping: stopping.signal });
    const open = async () => await ask('viewer', 'GET', '/v1/events');
    const text = (await open()).text();
    expect((await open()).status).toBe(429);
    stopping.abort();
    await text;
    expect((await open()).status).toBe(200);
  });

  it('are free again when their clients vanish', async () => {
    const { app } = appFor(service.deps, { limits: LIMITS });
    const listening = await listen({ host: '127.0.0.1', port: 0 }, () => app);
    const open = async () => {
      const asked = get(`${listening.url}/v1/events`, { headers: { authorization: 'Bearer viewer' }, agent: false });
      asked.on('error', () => undefined);
      const status = await new Promise<number>((resolve) => {
        asked.once('response', (answer) => {
          // A stream has come this far when its first bytes have.
          answer.on('error', () => undefined).once('data', () => resolve(answer.statusCode ?? 0));
        });
      });
      return { status, vanish: () => asked.destroy() };
    };
    try {
      const [first, second] = [await open(), await open()];
      expect([first.status, second.status, (await open()).status]).toEqual([200, 200, 429]);
      first.vanish();
      await vi.waitFor(async () => expect((await open()).status).toBe(200), within);
      expect((await open()).status).toBe(429);
      second.vanish();
      await vi.waitFor(async () => expect((await open()).status).toBe(200), within);
    } finally {
      await listening.close(0);
    }
  });
});
