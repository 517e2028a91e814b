import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appFor } from '../support/app.ts';
import { type TestService, testService } from '../support/service.ts';

/** Other sites, in a browser that may ask us. */
describe('a request by way of another site', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await testService();
  });
  afterAll(async () => await service.close());

  const front = {
    hosts: ['127.0.0.1:7787', 'localhost:7787'],
    isTrusted: () => false,
    secure: false,
    openMetrics: true,
  };
  const at = 'http://127.0.0.1:7787';
  const change = async (headers: Readonly<Record<string, string>>, url = `${at}/v1/session`) =>
    await appFor(service.deps, { front }).app.request(url, { method: 'DELETE', headers });

  it('is refused by the name it is for: a foreign name that leads to our address', async () => {
    const { app } = appFor(service.deps, { front });
    const rebound = await app.request('http://evil.example:7787/v1/me', { headers: { Authorization: 'Bearer admin' } });
    expect(rebound.status).toBe(403);
    expect(await rebound.json()).toMatchObject({ code: 'ORIGIN_REFUSED' });
    expect((await app.request(`${at}/livez`)).status).toBe(200);
    expect((await app.request('http://localhost:7787/livez')).status).toBe(200);
    expect((await app.request('http://localhost:80/livez')).status).toBe(403);
  });

  it('lets probes and scrapers ask by the address of a pod, where figures need a token', async () => {
    const hosts = ['backstay.example'];
    const ask = async (path: string, headers: Readonly<Record<string, string>> = {}) =>
      (
        await appFor(service.deps, { front: { ...front, hosts, openMetrics: false } }).app.request(
          `http://10.0.0.7:7787${path}`,
          { headers },
        )
      ).status;
    expect([await ask('/livez'), await ask('/readyz')]).toEqual([200, 200]);
    expect([await ask('/metrics'), await ask('/metrics', { Authorization: 'Bearer viewer' })]).toEqual([401, 200]);
    expect(await ask('/v1/me', { Authorization: 'Bearer admin' })).toBe(403);
    expect(await ask('/')).toBe(403);
  });

  it.each([
    ['another origin', { Origin: 'https://evil.example' }, 403],
    ['another port of this machine', { Origin: 'http://127.0.0.1:9999' }, 403],
    ['a sandboxed frame', { Origin: 'null' }, 403],
    ['no address', { Origin: 'evil' }, 403],
    ['another site, told by the browser', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['a sister site', { 'Sec-Fetch-Site': 'same-site' }, 403],
    ['our own page', { Origin: at, 'Sec-Fetch-Site': 'same-origin' }, 204],
    ['no browser', {}, 204],
    ['a cookie of which nobody says where it comes from', { Cookie: 'backstay=x' }, 403],
    ['a cookie of our own page', { Cookie: 'backstay=x', Origin: at }, 204],
  ])('may change nothing from %s unless it is ours', async (_, headers, status) => {
    expect((await change(headers as Record<string, string>)).status).toBe(status);
  });

  it('reads nothing either, unless a person follows a link to the page', async () => {
    const { app } = appFor(service.deps, { front });
    const foreign = { 'Sec-Fetch-Site': 'cross-site' };
    expect((await app.request(`${at}/livez`, { headers: { ...foreign, 'Sec-Fetch-Mode': 'no-cors' } })).status).toBe(
      403,
    );
    expect((await app.request(`${at}/livez`, { headers: { ...foreign, 'Sec-Fetch-Mode': 'navigate' } })).status).toBe(
      200,
    );
  });
});
