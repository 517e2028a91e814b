import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import { depthOf, holdsNoText } from '../../src/http/middleware/body.ts';
import { take } from '../../src/http/middleware/rate.ts';
import { appFor } from '../support/app.ts';
import { type TestService, testService } from '../support/service.ts';

/** What a request may be, before anybody looks at what it asks for. */
describe('the bounds of a request', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await testService();
  });
  afterAll(async () => await service.close());

  const problem = async (response: Response) => {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    return (await response.json()) as { readonly code: string; readonly status: number; readonly requestId: string };
  };

  it('gives every answer an id, its own or a well-formed one that came with it', async () => {
    const { ask, log } = appFor(service.deps);
    const own = await ask('viewer', 'GET', '/v1/me');
    expect(own.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const given = await ask('viewer', 'GET', '/v1/nothing', undefined, { 'X-Request-Id': 'trace-0123456789' });
    expect(given.headers.get('x-request-id')).toBe('trace-0123456789');
    expect((await problem(given)).requestId).toBe('trace-0123456789');
    const odd = await ask('viewer', 'GET', '/v1/me', undefined, { 'X-Request-Id': 'a" b' });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(log.filter(({ event }) => event === 'request')).toMatchObject([
      { path: '/v1/me', status: 200, principal: 'token:viewer' },
      { path: '/v1/nothing', status: 404, requestId: 'trace-0123456789' },
      { status: 200 },
    ]);
  });

  it('lets the page run nothing but its own scripts, in no frame', async () => {
    const { ask } = appFor(service.deps);
    const { headers } = await ask('viewer', 'GET', '/v1/me');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('says of an address that there is nothing, and of a method which there are', async () => {
    const { ask } = appFor(service.deps);
    expect(await problem(await ask('viewer', 'GET', '/v1/nothing'))).toMatchObject({
      code: 'ROUTE_UNKNOWN',
      status: 404,
    });
    const put = await ask('viewer', 'PUT', '/v1/me', {});
    expect(put.status).toBe(405);
    expect(put.headers.get('allow')).toContain('GET');
    expect(await problem(put)).toMatchObject({ code: 'METHOD_UNKNOWN' });
  });

  it.each([
    ['no JSON', '{"name":', 400, 'REQUEST_MALFORMED'],
    ['nothing', '', 400, 'REQUEST_MALFORMED'],
    ['the wrong shape', '[]', 422, 'REQUEST_INVALID'],
    ['an unknown field', '{"token":"x","and":1}', 422, 'REQUEST_INVALID'],
    ['deeper than anything is', `${'['.repeat(33)}${']'.repeat(33)}`, 400, 'REQUEST_MALFORMED'],
    ['half a character', String.raw`{"token":"\ud800"}`, 400, 'REQUEST_MALFORMED'],
    ['U+0000', String.raw`{"token":"a\u0000b"}`, 400, 'REQUEST_MALFORMED'],
    ['more than is read', JSON.stringify({ token: 'x'.repeat(REQUEST_LIMITS.bodyBytes) }), 413, 'REQUEST_TOO_LARGE'],
  ])('refuses a body that is %s', async (_, body, status, code) => {
    const { ask } = appFor(service.deps);
    expect(await problem(await ask('viewer', 'POST', '/v1/session', body))).toMatchObject({ status, code });
  });

  it('refuses a body of another type', async () => {
    const { ask } = appFor(service.deps);
    const sent = await ask('viewer', 'POST', '/v1/session', 'token=x', {
      'Content-Type': 'application/x-www-form-urlencoded',
    });
    expect(await problem(sent)).toMatchObject({ status: 415, code: 'REQUEST_TYPE' });
  });

  it('stops reading a body that comes in pieces as soon as it is too large', async () => {
    const { app } = appFor(service.deps);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
      },
    });
    const headers = { Authorization: 'Bearer viewer', 'Content-Type': 'application/json' };
    const init = { method: 'POST', headers, body: endless, duplex: 'half' };
    const answer = await app.request('/v1/session', init as RequestInit);
    expect(answer.status).toBe(413);
    expect(sent).toBeLessThan(REQUEST_LIMITS.bodyBytes + 4 * 65_536);
  });

  it('takes so many requests of one principal, and says when the next one is taken', async () => {
    const { ask } = appFor(service.deps, { limits: { ...REQUEST_LIMITS, perMinute: 3 } });
    for (const _ of [1, 2, 3]) expect((await ask('viewer', 'GET', '/v1/me')).status).toBe(200);
    const refused = await ask('viewer', 'GET', '/v1/me');
    expect(await problem(refused)).toMatchObject({ status: 429, code: 'REQUESTS_TOO_MANY' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    // Nobody else is kept waiting.
    expect((await ask('operator', 'GET', '/v1/me')).status).toBe(200);
  });

  it('counts guesses by who is at the other end, also behind a proxy of ours, and believes nobody else', async () => {
    const { app, log } = appFor(service.deps, {
      limits: { ...REQUEST_LIMITS, perMinute: 1 },
      front: { isTrusted: (address) => address.startsWith('10.'), secure: true, openMetrics: false },
    });
    const ask = async (direct: string, forwarded?: string) => {
      const headers = forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded };
      const env = { incoming: { socket: { remoteAddress: direct } } };
      return (await app.request('/livez', { headers }, env)).status;
    };
    await ask('10.0.0.1', '198.51.100.7');
    // What the client itself has put in front is no word of ours: the last one that is not our proxy counts.
    await ask('10.0.0.1', '203.0.113.1, 198.51.100.7, 10.0.0.2');
    await ask('192.0.2.5', '198.51.100.7');
    await ask('10.0.0.1');
    expect(log.map(({ address }) => address)).toEqual(['198.51.100.7', '198.51.100.7', '192.0.2.5', '10.0.0.1']);
    expect(await ask('10.0.0.1', '198.51.100.7')).toBe(429);
    expect(await ask('10.0.0.1', '198.51.100.8')).toBe(200);
  });

  it('limits guesses as well', async () => {
    const { ask } = appFor(service.deps, { limits: { ...REQUEST_LIMITS, perMinute: 2 } });
    const statuses: number[] = [];
    for (let i = 0; i < 10; i += 1) statuses.push((await ask('wrong', 'GET', '/v1/me')).status);
    expect(statuses.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 401));
    expect(statuses.slice(8)).toEqual([429, 429]);
  });
});

describe('how deep JSON nests', () => {
  const depth = (value: unknown): number =>
    typeof value !== 'object' || value === null
      ? 0
      : 1 + Math.max(0, ...Object.values(value).map((inner) => depth(inner)));

  it('is told without parsing it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(depthOf(JSON.stringify(value))).toBe(depth(value));
      }),
    );
  });
});

describe('what is no text', () => {
  /** Also halves of characters, in all orders. */
  const units = fc.array(
    fc.oneof(fc.constantFrom(0, 0x5c, 0x75, 0x22, 0x64), fc.integer({ min: 0xd7f0, max: 0xe010 }), fc.nat(0xff)),
  );
  it('is seen, and whole text is not taken for it', () => {
    fc.assert(
      fc.property(units, (codes) => {
        const text = String.fromCharCode(...codes);
        const bad = !text.isWellFormed() || text.includes('\u0000');
        return holdsNoText(JSON.stringify({ text })) === bad;
      }),
    );
    expect(holdsNoText(String.raw`"\ud83d\ude00"`)).toBe(false);
    expect(holdsNoText(String.raw`"\\ud800"`)).toBe(false);
    expect(holdsNoText(String.raw`"\\\ud800"`)).toBe(true);
    expect(holdsNoText(String.raw`{"a": \ud800`)).toBe(false);
  });
});

describe('a bucket of requests', () => {
  it('never lets more through in a minute than it was told, but for one bucket at once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 300 }),
        fc.integer({ min: 1, max: 100 }),
        (gaps, perMinute) => {
          let bucket: ReturnType<typeof take> | undefined;
          let [now, taken] = [0, 0];
          for (const gap of gaps) {
            now += gap;
            bucket = take(bucket, now, perMinute);
            if (bucket.waitMs === 0) taken += 1;
          }
          expect(taken).toBeLessThanOrEqual(perMinute + (now * perMinute) / 60_000 + 1e-6);
        },
      ),
    );
  });

  it('lets the next one through after the wait that it told', () => {
    const full = take(undefined, 0, 1);
    const none = take(full, 100, 1);
    expect(none.waitMs).toBeGreaterThan(0);
    expect(take(none, 100 + none.waitMs, 1).waitMs).toBe(0);
    expect(take(none, 100 + none.waitMs - 10, 1).waitMs).toBeGreaterThan(0);
  });
});
