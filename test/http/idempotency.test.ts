import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORD_KINDS } from '../../src/ports/index.ts';
import { appFor } from '../support/app.ts';
import { type TestService, testService } from '../support/service.ts';

/** A change that is asked for twice, because its answer was lost, or by two hands. */
describe('an Idempotency-Key', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await testService();
  });
  afterAll(async () => await service.close());

  const counting = (deps = service.deps) => {
    const made = appFor(deps);
    const calls: string[] = [];
    const gate = Promise.withResolvers<void>();
    made.app.post('/v1/count', async (c) => {
      const { what } = await c.req.json<{ readonly what: string }>();
      calls.push(what);
      if (what === 'wait') await gate.promise;
      if (what === 'fail') return c.json({ calls: calls.length }, 409);
      c.header('Location', `/v1/count/${calls.length}`);
      return c.json({ calls: calls.length }, 201);
    });
    const post = async (key: string, what: string, who = 'operator') =>
      await made.ask(who, 'POST', '/v1/count', { what }, { 'Idempotency-Key': key });
    return { calls, post, go: gate.resolve };
  };

  it('gives the same answer again, to the byte, and on another machine', async () => {
    const { calls, post } = counting();
    const first = await post('k1', 'x');
    const body = await first.text();
    const second = await post('k1', 'x');
    expect([second.status, await second.text(), second.headers.get('location')]).toEqual([201, body, '/v1/count/1']);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
    const elsewhere = counting(await service.another());
    expect(await (await elsewhere.post('k1', 'x')).text()).toBe(body);
    expect([calls, elsewhere.calls]).toEqual([['x'], []]);
  });

  it('is refused for another request', async () => {
    const { calls, post } = counting();
    await post('k2', 'x');
    const other = await post('k2', 'y');
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    expect(calls).toEqual(['x']);
  });

  it('belongs to one principal', async () => {
    const { calls, post } = counting();
    await post('k3', 'x');
    await post('k3', 'x', 'admin');
    expect(calls).toEqual(['x', 'x']);
  });

  it('lets one of two at once through', async () => {
    const { calls, post, go } = counting();
    const first = post('k4', 'wait');
    await expect.poll(() => calls).toEqual(['wait']);
    const second = await post('k4', 'wait');
    expect(second.status).toBe(409);
    expect(await second.json()).toMatchObject({ code: 'REQUEST_UNDER_WAY' });
    go();
    expect((await first).status).toBe(201);
    expect((await post('k4', 'wait')).headers.get('idempotency-replayed')).toBe('true');
    expect(calls).toEqual(['wait']);
  });

  it('keeps nothing of what was refused: the same may be asked again', async () => {
    const { calls, post } = counting();
    expect((await post('k5', 'fail')).status).toBe(409);
    expect((await post('k5', 'fail')).status).toBe(409);
    expect(calls).toEqual(['fail', 'fail']);
  });

  it('keeps no secret that was made: asked again, its name is taken', async () => {
    const { ask } = appFor(service.deps);
    const make = async () =>
      await ask(
        'admin',
        'POST',
        '/v1/tokens',
        { name: 'ci', grants: [{ role: 'viewer', stacks: ['*'] }] },
        { 'Idempotency-Key': 'k7' },
      );
    const made = await make();
    expect(made.status).toBe(201);
    const { token } = (await made.json()) as { readonly token: string };
    expect((await make()).status).toBe(409);
    const kept = await Promise.all(RECORD_KINDS.map(async (kind) => await service.deps.records.list(kind)));
    expect(JSON.stringify(kept)).not.toContain(token);
    expect(JSON.stringify(kept)).toContain('ci');
  });

  it('has to be one', async () => {
    const { post } = counting();
    expect((await post('x'.repeat(129), 'x')).status).toBe(400);
    expect((await post('a b', 'x')).status).toBe(400);
  });

  it('is nothing to a request that changes nothing', async () => {
    const { ask } = appFor(service.deps);
    for (const _ of [1, 2]) {
      const answer = await ask('viewer', 'GET', '/v1/me', undefined, { 'Idempotency-Key': 'k6' });
      expect(answer.headers.get('idempotency-replayed')).toBeNull();
    }
  });
});
