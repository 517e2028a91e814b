import { afterAll, describe, expect, test } from 'vitest';
import { fingerprintOf, matcherOf } from '../../../src/sandbox/images/alertmanager/alerts.ts';
import { createAlertmanager } from '../../../src/sandbox/images/alertmanager/server.ts';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import { Started } from './support.ts';

const started = new Started();
afterAll(async () => await started.stop());

interface Alert {
  readonly labels: Record<string, string>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly fingerprint: string;
  readonly status: { readonly state: string };
}

interface Talk {
  readonly send: (alerts: unknown) => Promise<number>;
  readonly list: (query?: string) => Promise<readonly Alert[]>;
  readonly at: (ms: number) => void;
  readonly url: string;
}

async function alertmanager(): Promise<Talk> {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const { url } = await started.service((deps) => createAlertmanager({}, { ...deps, now: () => now }));
  return {
    url,
    at: (ms) => {
      now = Date.parse('2026-01-01T00:00:00Z') + ms;
    },
    send: async (alerts) =>
      (await call(`${url}/api/v2/alerts`, { method: 'POST', body: JSON.stringify(alerts) })).status,
    list: async (query = '') => JSON.parse((await call(`${url}/api/v2/alerts${query}`)).text) as Alert[],
  };
}

describe('the Alertmanager stand-in', () => {
  // The values are those of Prometheus' own tests of its fingerprints.
  test('makes the fingerprints that Prometheus makes', () => {
    expect(fingerprintOf({})).toBe(14695981039346656037n.toString(16));
    expect(fingerprintOf({ name: 'garland, briggs', fear: 'love is not enough' })).toBe(
      5799056148416392346n.toString(16),
    );
  });

  test('gives an alert that was sent, in the shape of the v2 API', async () => {
    const { send, list } = await alertmanager();
    expect(await send([{ labels: { alertname: 'A', severity: 'critical' }, annotations: { summary: 's' } }])).toBe(200);
    expect(await list()).toEqual([
      {
        labels: { alertname: 'A', severity: 'critical' },
        annotations: { summary: 's' },
        startsAt: '2026-01-01T00:00:00.000Z',
        endsAt: '2026-01-01T00:05:00.000Z',
        updatedAt: '2026-01-01T00:00:00.000Z',
        fingerprint: fingerprintOf({ alertname: 'A', severity: 'critical' }),
        generatorURL: '',
        receivers: [{ name: 'default' }],
        status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] },
      },
    ]);
  });

  test('keeps the start of an alert that is sent again, ends one whose end has come, and starts a later one anew', async () => {
    const { send, list, at } = await alertmanager();
    const until = (ms: number): unknown => [
      { labels: { alertname: 'A' }, endsAt: new Date(Date.parse('2026-01-01T00:00:00Z') + ms).toISOString() },
    ];
    await send(until(20_000));
    at(10_000);
    await send(until(30_000));
    expect((await list())[0]?.startsAt).toBe('2026-01-01T00:00:00.000Z');
    at(30_000);
    expect(await list()).toEqual([]);
    at(40_000);
    await send(until(60_000));
    expect((await list())[0]?.startsAt).toBe('2026-01-01T00:00:40.000Z');
  });

  test('an alert that was resolved is gone at once', async () => {
    const { send, list } = await alertmanager();
    await send([{ labels: { alertname: 'A' } }]);
    await send([{ labels: { alertname: 'A' }, endsAt: '2026-01-01T00:00:00Z' }]);
    expect(await list()).toEqual([]);
  });

  test('filters by matchers and by state', async () => {
    const { send, list } = await alertmanager();
    await send([{ labels: { alertname: 'A', team: 'x' } }, { labels: { alertname: 'B' } }]);
    const names = async (query: string): Promise<unknown> =>
      (await list(query)).map(({ labels }) => labels['alertname'] ?? '').toSorted((a, b) => a.localeCompare(b));
    expect(await names(`?filter=${encodeURIComponent('alertname="A"')}`)).toEqual(['A']);
    expect(await names(`?filter=${encodeURIComponent('team!="x"')}`)).toEqual(['B']);
    expect(
      await names(`?filter=${encodeURIComponent('alertname=~"A|B"')}&filter=${encodeURIComponent('team=""')}`),
    ).toEqual(['B']);
    expect(await names('?active=false')).toEqual([]);
  });

  test.each([['nonsense'], ['a=~"("'], ['="x"'], ['a="x']])('refuses %s as a matcher', (filter) => {
    expect(() => matcherOf(filter)).toThrow(/bad matcher format/);
  });

  test.each([
    [{}],
    [[{}]],
    [[{ labels: {} }]],
    [[{ labels: { a: 'b' }, startsAt: 'soon' }]],
    [[{ labels: { a: 'b' }, startsAt: '2026-02-01T00:00:00Z', endsAt: '2026-01-01T00:00:00Z' }]],
  ])('refuses %j with 400 and keeps nothing of it', async (body) => {
    const { send, list } = await alertmanager();
    expect(await send(body)).toBe(400);
    expect(await list()).toEqual([]);
  });

  test('says that it is ready and that it is a stand-in', async () => {
    const { url } = await alertmanager();
    expect((await call(`${url}/-/ready`)).text).toBe('OK');
    expect((await call(`${url}/api/v2/status`)).json).toMatchObject({
      versionInfo: { version: expect.stringContaining('stand-in') as string },
    });
  });
});
