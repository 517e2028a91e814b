import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lifetimeOf } from '../../src/http/lifetime.ts';
import { createApp } from '../../src/http/app.ts';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import type { Grant } from '../../src/model/index.ts';
import { createGate } from '../../src/service/access/prove.ts';
import { createToken, revokeToken } from '../../src/service/access/tokens.ts';
import { appFor, gateOfRoles } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

const operator: Grant = { role: 'operator', stacks: ['*'] };

/** Who is let in, with real tokens in a real store. */
describe('who asks', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await testService({ stacks: { shop: aStackFile(), 'shop-eu': aStackFile(), bank: aStackFile() } });
  });
  afterAll(async () => await service.close());

  const real = () => appFor(service.deps, { gate: createGate({ oidc: [] }, service.deps) });
  const tokenFor = async (name: string, grants: readonly Grant[], forMs?: number) =>
    (await createToken({ name, grants, by: 'tester', ...(forMs === undefined ? {} : { forMs }) }, service.deps)).token;

  it('has to be proven below /v1, and by something that holds', async () => {
    const { app, ask } = real();
    const token = await tokenFor('proven', [operator]);
    const none = await app.request('/v1/me');
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="backstay"');
    expect(await none.json()).toMatchObject({ code: 'ACCESS_UNPROVEN' });
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    for (const wrong of [`${token.slice(0, -1)}${last}`, token.slice(0, -1), `${token}A`, 'bst_', 'x', 'a.b.c'])
      expect((await ask(wrong, 'GET', '/v1/me')).status).toBe(401);
    expect((await app.request('/v1/me', { headers: { Authorization: `Basic ${token}` } })).status).toBe(401);
    const me = await ask(token, 'GET', '/v1/me');
    expect(await me.json()).toEqual({
      principal: { id: 'token:proven', name: 'proven', person: 'proven', by: 'token', grants: [operator] },
    });
    // For probes of Kubernetes and for whoever makes clients.
    for (const open of ['/livez', '/readyz', '/openapi.json']) expect((await app.request(open)).status).toBe(200);
  });

  it('is told of a token nothing but that it does not hold, whatever is wrong with it', async () => {
    const { ask } = real();
    const [gone, old] = [await tokenFor('gone', [operator]), await tokenFor('old', [operator], 1)];
    await revokeToken('gone', service.deps);
    await expect.poll(async () => (await ask(old, 'GET', '/v1/me')).status).toBe(401);
    const said = async (token: string) => {
      const { requestId: _, ...rest } = (await (await ask(token, 'GET', '/v1/me')).json()) as Record<string, unknown>;
      return rest;
    };
    const unknown = `bst_${'0'.repeat(12)}${'A'.repeat(43)}`;
    expect(await said(gone)).toEqual(await said(unknown));
    expect(await said(old)).toEqual(await said(unknown));
  });

  it('may do what their grants say, on the stacks that they name', async () => {
    const { ask } = real();
    const token = await tokenFor('scoped', [
      { role: 'viewer', stacks: ['shop*'] },
      { role: 'operator', stacks: ['shop-eu'] },
    ]);
    const listed = (await (await ask(token, 'GET', '/v1/stacks')).json()) as {
      readonly items: readonly { readonly name: string }[];
    };
    expect(listed.items.map(({ name }) => name)).toEqual(['shop', 'shop-eu']);
    expect((await ask(token, 'GET', '/v1/stacks/shop')).status).toBe(200);
    // Of a stack that is there and one that is not, somebody who may see neither hears the same.
    for (const hidden of ['bank', 'nowhere']) {
      const refused = await ask(token, 'GET', `/v1/stacks/${hidden}`);
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ code: 'ACCESS_DENIED', details: { deed: 'watch', stack: hidden } });
    }
    expect((await ask(token, 'POST', '/v1/stacks/shop/plans', {})).status).toBe(403);
    expect((await ask(token, 'GET', '/v1/tokens')).status).toBe(403);
  });

  it('leaves a trace with every refusal and every change, and none with what was only read', async () => {
    const { records } = service.deps;
    const before = (await records.list('decision')).length;
    const { ask } = appFor(service.deps);
    await ask('viewer', 'GET', '/v1/stacks/shop');
    await ask('viewer', 'POST', '/v1/stacks/shop/plans', {});
    await ask('admin', 'POST', '/v1/tokens', { name: 'traced', grants: [{ role: 'viewer', stacks: ['*'] }] });
    const made = (await records.list('decision')).slice(before).map(({ value }) => value);
    expect(made).toMatchObject([
      { principal: 'token:viewer', deed: 'act', stack: 'shop', allowed: false, path: '/v1/stacks/shop/plans' },
      { principal: 'token:admin', deed: 'manage', allowed: true, method: 'POST' },
    ]);
    expect(JSON.stringify(made)).not.toContain('bst_');
  });

  it('is what admins of all stacks can look up, the newest first and page by page', async () => {
    const { ask } = appFor(service.deps);
    for (const stack of ['one', 'two', 'one', 'three']) await ask('viewer', 'POST', `/v1/stacks/${stack}/plans`, {});
    const read = async (query: string) => {
      const answer = await ask('admin', 'GET', `/v1/decisions?${query}`);
      return (await answer.json()) as { items: { stack?: string; at: string; allowed: boolean }[]; next?: string };
    };
    const seen: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 3; pages += 1) {
      const { items, next } = await read(`limit=1&stack=one${cursor}`);
      seen.push(...items.map(({ at, stack, allowed }) => `${at} ${stack} ${allowed}`));
      if (next === undefined) break;
      cursor = `&cursor=${next}`;
    }
    expect(seen).toHaveLength(2);
    expect(seen.every((line) => line.endsWith(' one false'))).toBe(true);
    expect(seen).toEqual(seen.toSorted().toReversed());
    expect((await read('limit=200')).items.length).toBeGreaterThanOrEqual(4);
    expect((await ask('operator', 'GET', '/v1/decisions')).status).toBe(403);
  });

  it('makes tokens over the API as an admin of all stacks, reads them back without their text, and ends them', async () => {
    const { ask } = appFor(service.deps, {
      gate: gateOfRoles({ half: [{ role: 'admin', stacks: ['shop*'] }] }),
    });
    const asked = {
      name: 'made',
      grants: [{ role: 'operator', stacks: ['shop'], approves: ['cto'] }],
      expiresInMs: 60_000,
    };
    expect((await ask('half', 'POST', '/v1/tokens', asked)).status).toBe(403);
    const made = await ask('admin', 'POST', '/v1/tokens', asked);
    expect(made.status).toBe(201);
    const { token, expiresAt } = (await made.json()) as { readonly token: string; readonly expiresAt: string };
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    expect((await real().ask(token, 'GET', '/v1/me')).status).toBe(200);
    expect((await ask('admin', 'POST', '/v1/tokens', asked)).status).toBe(409);
    const listed = await (await ask('admin', 'GET', '/v1/tokens?limit=200')).text();
    expect(listed).toContain('"made"');
    expect(listed).not.toContain('digest');
    expect(listed).not.toContain('bst_');
    expect((await ask('admin', 'DELETE', '/v1/tokens/made')).status).toBe(204);
    expect((await ask('admin', 'DELETE', '/v1/tokens/made')).status).toBe(404);
    expect((await real().ask(token, 'GET', '/v1/me')).status).toBe(401);
    // Its name is free again.
    expect((await ask('admin', 'POST', '/v1/tokens', asked)).status).toBe(201);
  });

  it('keeps no token in its store, only digests', async () => {
    const token = await tokenFor('secret', [operator]);
    const all = JSON.stringify(await service.deps.records.list('token'));
    expect(all).toContain(hash('sha256', token, 'hex'));
    expect(all).not.toContain(token);
    expect(all).not.toContain(token.slice(16));
  });

  describe('with a cookie', () => {
    const session = async (token: string) => {
      const { app } = real();
      const answer = await app.request('/v1/session', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Origin: 'http://localhost' },
        body: JSON.stringify({ token }),
      });
      const set = answer.headers.get('set-cookie') ?? '';
      const cookie = set.split(';')[0] ?? '';
      const me = async () =>
        (await app.request('/v1/me', { headers: { Cookie: cookie, 'Sec-Fetch-Site': 'same-origin' } })).status;
      return { app, answer, set, cookie, me };
    };

    it('is who the token said, until the token or the session ends', async () => {
      const token = await tokenFor('page', [operator]);
      const { app, answer, set, cookie, me } = await session(token);
      expect(answer.status).toBe(200);
      expect(set).toMatch(/HttpOnly/);
      expect(set).toMatch(/SameSite=Strict/);
      expect(set).not.toContain(token);
      expect(await me()).toBe(200);
      const out = await app.request('/v1/session', {
        method: 'DELETE',
        headers: { Cookie: cookie, Origin: 'http://localhost' },
      });
      expect(out.status).toBe(204);
      expect(await me()).toBe(401);
      const again = await session(token);
      expect(await again.me()).toBe(200);
      await revokeToken('page', service.deps);
      expect(await again.me()).toBe(401);
    });

    it('is bound to TLS and to this host where people reach us by TLS', async () => {
      const token = await tokenFor('tls', [operator]);
      const { app } = appFor(service.deps, {
        gate: createGate({ oidc: [] }, service.deps),
        front: { isTrusted: () => false, secure: true, openMetrics: false },
      });
      const answer = await app.request('https://backstay.example/v1/session', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ token }),
      });
      const set = answer.headers.get('set-cookie') ?? '';
      expect(set).toMatch(/^__Host-backstay=/);
      expect(set).toMatch(/Secure/);
      expect(set).not.toMatch(/Domain/i);
    });

    it('is not opened by a token that does not hold', async () => {
      const { answer, set } = await session('bst_nonsense');
      expect(answer.status).toBe(401);
      expect(set).toBe('');
    });
  });

  it('asks for figures without a token on loopback alone', async () => {
    const front = { isTrusted: () => false, secure: true, openMetrics: false };
    const { app, ask } = appFor(service.deps, {
      front,
      gate: gateOfRoles({ one: [{ role: 'viewer', stacks: ['shop'] }] }),
    });
    expect((await app.request('/metrics')).status).toBe(401);
    expect((await ask('one', 'GET', '/metrics')).status).toBe(403);
    expect((await ask('viewer', 'GET', '/metrics')).status).toBe(200);
    expect((await appFor(service.deps).app.request('/metrics')).status).toBe(200);
  });

  describe('over a stream', () => {
    const streaming = (stopping = new AbortController()) => {
      const app = createApp({
        service: service.deps,
        gate: createGate({ oidc: [] }, service.deps),
        log: () => undefined,
        stopping: stopping.signal,
        front: { isTrusted: () => false, secure: false, openMetrics: true },
        limits: REQUEST_LIMITS,
      });
      const over = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      app.get('/v1/stream', async (c) => {
        const life = lifetimeOf(c, { stopping: stopping.signal }, new AbortController().signal);
        begun.resolve();
        if (!life.aborted) await new Promise((resolve) => life.addEventListener('abort', resolve, { once: true }));
        over.resolve();
        return c.text('over');
      });
      const ask = async (token: string) =>
        await app.request('/v1/stream', { headers: { Authorization: `Bearer ${token}` } });
      return { ask, begun: begun.promise, over: over.promise, stopping };
    };

    it('is heard until the token expires', async () => {
      const { ask } = streaming();
      const token = await tokenFor('short', [operator], 1_500);
      const answer = await ask(token);
      expect(await answer.text()).toBe('over');
      expect((await ask(token)).status).toBe(401);
    });

    it('is heard until the token is revoked, by whatever process', async () => {
      const { ask, begun } = streaming();
      const answer = ask(await tokenFor('revoked', [operator]));
      await begun;
      await revokeToken('revoked', await service.another());
      expect(await (await answer).text()).toBe('over');
    });

    it('is heard until the service ends', async () => {
      const { ask, begun, stopping } = streaming();
      const answer = ask(await tokenFor('stopped', [operator]));
      await begun;
      stopping.abort();
      expect(await (await answer).text()).toBe('over');
    });
  });
});
