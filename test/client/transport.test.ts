import { afterEach, describe, expect, it } from 'vitest';
import { createClient, type ServiceClient } from '../../src/client/index.ts';
import { type FakeService, fakeService, json } from './fake-service.ts';

/** Over real sockets, as the command line does it; waits are counted and not waited for. */
describe('a request of a service', () => {
  let service: FakeService | undefined;
  const waits: number[] = [];
  afterEach(async () => {
    await service?.close();
    service = undefined;
    waits.length = 0;
  });

  const client = (url: string, token?: () => Promise<string>): ServiceClient =>
    createClient({
      server: url,
      ...(token === undefined ? {} : { token }),
      delay: async (ms) => {
        waits.push(ms);
        await Promise.resolve();
      },
    });

  it('carries the token of this moment, and what sort of answer is wanted', async () => {
    service = await fakeService((_asked, response) => json(response, 200, { items: [] }));
    const tokens = ['first', 'second'];
    const asking = client(service.url, async () => await Promise.resolve(tokens.shift() ?? ''));
    await asking.stacks();
    await asking.stacks();
    expect(service.asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer second']);
    expect(service.asked[0]).toMatchObject({
      method: 'GET',
      url: '/v1/stacks',
      headers: { accept: 'application/json' },
    });
    expect(service.asked[0]?.headers['idempotency-key']).toBeUndefined();
  });

  it('keeps a path in front of the API', async () => {
    service = await fakeService((_asked, response) => json(response, 200, { items: [] }));
    await client(`${service.url}/backstay`).stacks();
    expect(service.asked[0]?.url).toBe('/backstay/v1/stacks');
  });

  it('asks again with the same key where the answer was lost, and with another one for the next thing', async () => {
    service = await fakeService((_asked, response, count) => {
      if (count < 3) response.destroy();
      else json(response, 202, { run: 'r1', state: 'queued' });
    });
    const asking = client(service.url);
    expect(await asking.start({ plan: 'sha256:1' })).toEqual({ run: 'r1', state: 'queued' });
    await asking.start({ plan: 'sha256:1' });
    const keys = service.asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(4);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[3]).not.toBe(keys[0]);
    expect(waits).toEqual([250, 500]);
  });

  it('asks again where the answer broke off in the middle', async () => {
    service = await fakeService((_asked, response, count) => {
      if (count > 1) return json(response, 202, { run: 'r1', state: 'queued' });
      response.writeHead(202, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"run":', () => response.destroy());
      return undefined;
    });
    expect(await client(service.url).start({ plan: 'sha256:1' })).toMatchObject({ run: 'r1' });
    expect(new Set(service.asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  it('waits for what its own lost try began', async () => {
    service = await fakeService((_asked, response, count) => {
      if (count === 1) response.destroy();
      else if (count === 2) json(response, 409, { code: 'REQUEST_UNDER_WAY', detail: 'at work' });
      else json(response, 202, { run: 'r1', state: 'queued' });
    });
    expect(await client(service.url).start({ plan: 'sha256:1' })).toMatchObject({ run: 'r1' });
  });

  it('says the same as the verb would have said there, with its exit code, and asks once only', async () => {
    service = await fakeService((_asked, response) =>
      json(response, 409, {
        type: 'urn:backstay:error:LEASE_HELD',
        title: 'held',
        detail: 'run r0 of anna@laptop holds shop',
        code: 'LEASE_HELD',
        next: 'Wait for it.',
        requestId: 'q1',
        details: { holder: 'r0' },
      }),
    );
    await expect(client(service.url).start({ plan: 'sha256:1' })).rejects.toMatchObject({
      code: 'LEASE_HELD',
      message: 'run r0 of anna@laptop holds shop',
      exitCode: 5,
      next: 'Wait for it.',
      details: { holder: 'r0', requestId: 'q1', status: 409 },
    });
    expect(service.asked).toHaveLength(1);
  });

  it('tells what does not fit in a body with its place', async () => {
    service = await fakeService((_asked, response) =>
      json(response, 422, {
        code: 'REQUEST_INVALID',
        detail: 'The request does not fit.',
        errors: [{ in: 'body', pointer: '/options/severity', detail: 'no such severity' }],
      }),
    );
    await expect(client(service.url).plan('shop', {})).rejects.toThrow('/options/severity: no such severity');
  });

  it('keeps the code of a newer service that it does not know', async () => {
    service = await fakeService((_asked, response) =>
      json(response, 409, { code: 'FROM_THE_FUTURE', detail: 'the moon is full' }),
    );
    await expect(client(service.url).run('r1')).rejects.toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringContaining('FROM_THE_FUTURE: the moon is full') as string,
      details: { code: 'FROM_THE_FUTURE' },
    });
  });

  it.each([
    ['a proxy that cannot reach it', 502, {}, [250, 500, 1000]],
    ['a proxy that says when', 503, { 'retry-after': '2' }, [2000, 2000, 2000]],
  ])('asks four times through %s', async (_what, status, headers, expected) => {
    service = await fakeService((_asked, response) => {
      response.writeHead(status, { 'content-type': 'text/html', ...headers }).end('<h1>away</h1>');
    });
    await expect(client(service.url).stacks()).rejects.toMatchObject({ code: 'SERVICE_REFUSED' });
    expect(service.asked).toHaveLength(4);
    expect(waits).toEqual(expected);
  });

  it('does as a service says that is asked too often', async () => {
    service = await fakeService((_asked, response, count) => {
      if (count === 1) json(response, 429, { code: 'REQUESTS_TOO_MANY', detail: 'slow down' }, { 'retry-after': '1' });
      else json(response, 200, { items: [] });
    });
    expect(await client(service.url).stacks()).toEqual([]);
    expect(waits).toEqual([1000]);
  });

  it('says what it could not reach, after four tries', async () => {
    service = await fakeService(() => undefined);
    const { url } = service;
    await service.close();
    await expect(client(url).stacks()).rejects.toMatchObject({
      code: 'SERVICE_UNREACHABLE',
      exitCode: 1,
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    expect(waits).toEqual([250, 500, 1000]);
  });

  it('follows nobody who sends it elsewhere: its token is for one service', async () => {
    service = await fakeService((_asked, response) => {
      response.writeHead(307, { location: 'http://127.0.0.1:1/v1/stacks' }).end();
    });
    const asking = client(service.url, async () => await Promise.resolve('secret'));
    await expect(asking.stacks()).rejects.toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringContaining('307 to http://127.0.0.1:1/v1/stacks') as string,
    });
    expect(service.asked).toHaveLength(1);
  });

  it.each([
    ['no address', 'backstay', {}],
    ['another protocol', 'ftp://backstay.example', {}],
    ['a password', 'https://anna:secret@backstay.example', {}],
    ['a token in the clear', 'http://backstay.example', { token: async () => await Promise.resolve('t') }],
  ])('is refused with %s', (_what, server, more) => {
    expect(() => createClient({ server, ...more })).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });

  it.each([
    ['without a token', 'http://backstay.example', {}],
    ['on loopback', 'http://127.0.0.1:8080', { token: async () => await Promise.resolve('t') }],
    [
      'where the way is protected',
      'http://backstay.ops.svc',
      { token: async () => await Promise.resolve('t'), allowPlainHttp: true },
    ],
  ])('may go over plain HTTP %s', (_what, server, more) => {
    expect(createClient({ server, ...more }).server.host).toBe(new URL(server).host);
  });

  it('reads every page of a list', async () => {
    const pages = new Map<string | null, object>([
      [null, { items: [{ run: 'r3' }, { run: 'r2' }], next: 'c1' }],
      ['c1', { items: [{ run: 'r1' }] }],
    ]);
    service = await fakeService(({ url }, response) =>
      json(response, 200, pages.get(new URL(url, 'http://x').searchParams.get('cursor')) ?? {}),
    );
    expect(await client(service.url).runs({ stack: 'shop' })).toEqual([{ run: 'r3' }, { run: 'r2' }, { run: 'r1' }]);
    expect(service.asked.map(({ url }) => url)).toEqual([
      '/v1/runs?stack=shop&limit=200',
      '/v1/runs?stack=shop&limit=200&cursor=c1',
    ]);
  });

  it('decides about what was seen, by its tag', async () => {
    service = await fakeService(({ method }, response) =>
      method === 'GET'
        ? json(response, 200, { role: 'cto' }, { etag: '"7"' })
        : json(response, 200, { run: 'r1', decision: 'approved' }),
    );
    const asking = client(service.url);
    const { etag } = await asking.review('r1');
    await asking.decide('r1', { decision: 'approved', plan: 'sha256:1', etag });
    expect(service.asked[1]?.headers['if-match']).toBe('"7"');
    expect(JSON.parse(service.asked[1]?.body ?? '')).toEqual({ decision: 'approved', plan: 'sha256:1' });
  });

  it.each([
    ['no JSON', 'hello'],
    ['no object', '7'],
  ])('refuses an answer that is %s', async (_what, body) => {
    service = await fakeService((_asked, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    });
    await expect(client(service.url).run('r1')).rejects.toMatchObject({ code: 'SERVICE_REFUSED' });
  });
});
