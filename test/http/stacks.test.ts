import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { annotateSnapshot } from '../../src/actions/snapshots.ts';
import { linkOf } from '../../src/journal/index.ts';
import type { Proposal } from '../../src/model/index.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { appFor } from '../support/app.ts';
import { journalOf } from '../support/journal.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';
import { configMap, newSnapshot, secret, type TemporaryStore, temporaryStore } from '../support/snapshots.ts';

const POLICY = `  backstay:approvers: { cto: [carla] }
  backstay:severities: { SEV-2: { approvers: [cto], advice: Call first. } }
  backstay:flags: [{ name: backend, source: { configMap: app, key: BACKEND } }]
`;

/** What the service says of stacks without a cluster: real stack files, journal, records and snapshots. */
describe('stacks', () => {
  let service: TestService;
  let place: TemporaryStore;
  let deps: ServiceDeps;

  beforeAll(async () => {
    service = await testService({
      stacks: {
        bank: aStackFile('', 'bank'),
        broken: aStackFile('  backstay:readyTimeout: soon\n'),
        'medical-kg': aStackFile(POLICY, 'production'),
      },
    });
    place = await temporaryStore('medical-kg');
    const store = async (name: string, part = {}) =>
      await place.store.put(
        'medical-kg',
        newSnapshot(place, [configMap(name, {}), secret('db', { password: 'canary-hunter2' })], part),
      );
    await store('a', { verdict: 'pass', labels: ['v1'] });
    await store('b', { verdict: 'pass', labels: ['v2'] });
    await annotateSnapshot({ stack: 'medical-kg', target: 'v2', held: { run: 'r1', reason: 'slow' } }, place);
    deps = {
      ...service.deps,
      withStack: async (name, by, work) =>
        await service.deps.withStack(
          name,
          by,
          async (reached) =>
            await work(name === 'medical-kg' ? { ...reached, stack: place.stack, store: place.store } : reached),
        ),
    };
  });
  afterAll(async () => {
    await Promise.all([service.close(), place.remove()]);
  });

  it('are listed at a glance, also one whose file cannot be used', async () => {
    const { ask } = appFor(deps);
    const answer = await ask('viewer', 'GET', '/v1/stacks');
    expect(answer.status).toBe(200);
    const { items } = (await answer.json()) as { readonly items: readonly Record<string, unknown>[] };
    expect(items).toMatchObject([
      { name: 'bank', namespaces: ['bank'], state: 'idle', holds: 0, openProposals: 0 },
      { name: 'broken', namespaces: [], problem: expect.stringContaining('readyTimeout') },
      {
        name: 'medical-kg',
        namespaces: ['production'],
        lastKnownGood: { labels: ['v1'] },
        holds: 1,
      },
    ]);
    expect(items[0]).not.toHaveProperty('lastKnownGood');
  });

  it('come in pages that lose none and repeat none', async () => {
    const { ask } = appFor(deps);
    const names: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 5; pages += 1) {
      const page = await ask('viewer', 'GET', `/v1/stacks?limit=1${cursor}`);
      const { items, next } = (await page.json()) as { items: { name: string }[]; next?: string };
      names.push(...items.map(({ name }) => name));
      if (next === undefined) break;
      cursor = `&cursor=${next}`;
    }
    expect(names).toEqual(['bank', 'broken', 'medical-kg']);
    const odd = await ask('viewer', 'GET', '/v1/stacks?cursor=bm93aGVyZQ');
    expect(odd.status).toBe(422);
    expect(await odd.json()).toMatchObject({ errors: [{ in: 'query', pointer: '/cursor' }] });
    expect((await ask('viewer', 'GET', '/v1/stacks?limit=201')).status).toBe(422);
  });

  it('are told with their policy', async () => {
    const { ask } = appFor(deps);
    const detail = (await (await ask('viewer', 'GET', '/v1/stacks/medical-kg')).json()) as Record<string, unknown>;
    expect(detail).toMatchObject({
      name: 'medical-kg',
      policy: {
        severities: [{ name: 'SEV-2', advice: 'Call first.', approval: { roles: ['cto'], when: 'before', count: 1 } }],
        roles: ['cto'],
        requireReason: true,
      },
      flags: ['backend'],
      notifications: [],
    });
    const unknown = await ask('viewer', 'GET', '/v1/stacks/nowhere');
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: 'STACK_UNKNOWN' });
    expect((await ask('viewer', 'GET', '/v1/stacks/..%2Fetc')).status).toBe(422);
  });

  it('show the run that is at work, the last one, and what a trigger asks for', async () => {
    const { ask } = appFor(deps);
    const { journal, records } = service.deps;
    const plan = aPlan({ steps: [aStep('a', 'locked')] });
    const by = { user: 'ada', host: 'laptop' };
    const first = journalOf(
      [
        { kind: 'run-created', plan, by },
        { kind: 'run-ended', outcome: 'succeeded' },
      ],
      '20260101-000000-aaaaaa',
    );
    for (const entry of first) await journal.append(entry);
    const view = async () => await (await ask('viewer', 'GET', '/v1/stacks/medical-kg')).json();
    expect(await view()).toMatchObject({
      state: 'idle',
      lastRun: { run: '20260101-000000-aaaaaa', outcome: 'succeeded', endedAt: '2026-01-01T00:00:01.000Z' },
    });
    const second = journalOf([{ kind: 'run-created', plan, by }], '20260102-000000-bbbbbb').map((entry) => ({
      ...entry,
      time: '2026-01-02T00:00:00.000Z',
    }));
    for (const entry of second) await journal.append(entry);
    expect(await view()).toMatchObject({
      state: 'unfinished',
      run: '20260102-000000-bbbbbb',
      lastRun: { run: '20260101-000000-aaaaaa' },
    });
    const claim = { stack: 'medical-kg', by: 'token:x', askedAt: '2026-01-02T00:00:00.000Z', failures: 0 };
    await records.put('claim', '20260102-000000-bbbbbb', 0, claim);
    expect(await view()).toMatchObject({ state: 'running', run: '20260102-000000-bbbbbb' });
    const proposal: Proposal = {
      id: 'p1',
      stack: 'medical-kg',
      createdAt: '2026-01-02T00:00:00.000Z',
      alerts: [],
      mode: 'propose',
      target: 'known-good',
      state: 'open',
    };
    await records.put('proposal', 'p1', 0, proposal as never);
    await records.put('proposal', 'p2', 0, { ...proposal, id: 'p2', state: 'dismissed' } as never);
    await records.put('proposal', 'p3', 0, { ...proposal, id: 'p3', stack: 'bank' } as never);
    expect(await view()).toMatchObject({ openProposals: 1 });
    const last = second[0];
    if (last === undefined) throw new TypeError('nothing was written');
    await journal.append({
      ...last,
      kind: 'run-ended',
      outcome: 'mixed',
      sequence: 2,
      previous: linkOf(last),
      time: '2026-01-02T00:00:01.000Z',
    } as never);
    await records.remove('claim', '20260102-000000-bbbbbb', 0);
    expect(await view()).toMatchObject({ state: 'unfinished', lastRun: { outcome: 'mixed' } });
  });

  it('have snapshots, which are listed and shown without a secret', async () => {
    const { ask } = appFor(deps);
    const answer = await ask('viewer', 'GET', '/v1/stacks/medical-kg/snapshots');
    const { items, damaged } = (await answer.json()) as {
      items: { id: string; labels: string[]; held?: object }[];
      damaged: unknown[];
    };
    expect(items.map(({ labels }) => labels)).toEqual([['v2'], ['v1']]);
    expect(damaged).toEqual([]);
    expect(items[0]?.held).toMatchObject({ reason: 'slow' });
    const one = await ask('viewer', 'GET', '/v1/stacks/medical-kg/snapshots/v1');
    const text = await one.text();
    expect(JSON.parse(text)).toMatchObject({
      row: { labels: ['v1'], knownGood: true },
      secrets: [{ dataKeys: ['password'] }],
    });
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain(Buffer.from('canary-hunter2').toString('base64'));
    const byId = await ask('viewer', 'GET', `/v1/stacks/medical-kg/snapshots/${items[1]?.id ?? ''}`);
    expect(byId.status).toBe(200);
    const none = await ask('viewer', 'GET', '/v1/stacks/medical-kg/snapshots/v9');
    expect(none.status).toBe(404);
    expect(await none.json()).toMatchObject({ code: 'TARGET_UNKNOWN' });
  });

  it('have pages of snapshots', async () => {
    const { ask } = appFor(deps);
    const first = await ask('viewer', 'GET', '/v1/stacks/medical-kg/snapshots?limit=1');
    const { items, next } = (await first.json()) as { items: { labels: string[] }[]; next?: string };
    const second = await ask('viewer', 'GET', `/v1/stacks/medical-kg/snapshots?limit=1&cursor=${next ?? ''}`);
    const rest = (await second.json()) as { items: { labels: string[] }[]; next?: string };
    expect([items[0]?.labels, rest.items[0]?.labels, rest.next]).toEqual([['v2'], ['v1'], undefined]);
  });

  it('have figures, of which everybody sees those of their own stacks', async () => {
    const { ask } = appFor(deps);
    const runsOf = async (who: string, query: string) => {
      const answer = await ask(who, 'GET', `/v1/stats?sinceMs=315360000000${query}`);
      return ((await answer.json()) as { all: { runs: number } }).all.runs;
    };
    expect(await runsOf('viewer', '')).toBe(2);
    expect(await runsOf('viewer', '&stack=medical-kg&by=stack')).toBe(2);
    expect(await runsOf('viewer', '&stack=bank')).toBe(0);
  });

  it('are not planned for without what their policy asks to be said', async () => {
    const { ask } = appFor(deps);
    const silent = await ask('operator', 'POST', '/v1/stacks/bank/plans', { target: 'known-good' });
    expect(silent.status).toBe(400);
    expect(await silent.json()).toMatchObject({ code: 'USAGE' });
    const unknown = await ask('operator', 'POST', '/v1/stacks/bank/plans', { options: { emergancy: true } });
    expect(unknown.status).toBe(422);
    expect(await unknown.json()).toMatchObject({ errors: [{ in: 'body', pointer: '/options' }] });
  });

  it('have plans that are found by their hash, by those who may watch the stack', async () => {
    const { app, ask } = appFor(deps);
    const plan = aPlan();
    await service.deps.records.put('plan', plan.hash, 0, plan as never);
    expect(await (await ask('viewer', 'GET', `/v1/plans/${plan.hash}`)).json()).toEqual(plan);
    expect((await app.request(`/v1/plans/${plan.hash}`)).status).toBe(401);
    const none = await ask('viewer', 'GET', `/v1/plans/sha256:${'0'.repeat(64)}`);
    expect(none.status).toBe(404);
    expect(await none.json()).toMatchObject({ code: 'PLAN_UNKNOWN' });
  });
});
