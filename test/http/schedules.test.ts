import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appFor } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

describe('schedules over HTTP', () => {
  let service: TestService;
  beforeAll(async () => {
    const schedules = `  backstay:schedules:
    - { name: nightly, do: capture, every: 1d }
    - { name: tidy, do: finalize-expired, every: 1h }
`;
    service = await testService({ stacks: { shop: aStackFile(schedules), bare: aStackFile() } });
  });
  afterAll(async () => await service.close());

  const seenAt = '2026-01-01T00:00:00.000Z';
  const at = '2026-01-02T00:00:00.500Z';

  it('are shown with the stack, with how the last time went', async () => {
    const { app, ask } = appFor(service.deps);
    const last = { at, outcome: 'succeeded' };
    await service.deps.records.put('schedule', 'shop/nightly', 0, {
      do: 'capture',
      seenAt,
      firedAt: at,
      last,
      succeededAt: at,
    });
    // Of a schedule that the file has no more.
    await service.deps.records.put('schedule', 'shop/gone', 0, { do: 'drill', seenAt, succeededAt: at });
    const shown = (await (await ask('viewer', 'GET', '/v1/stacks/shop')).json()) as { readonly schedules: unknown };
    expect(shown.schedules).toEqual([
      {
        name: 'nightly',
        do: 'capture',
        everyMs: 86_400_000,
        seenAt,
        nextAt: '2026-01-03T00:00:00.500Z',
        isFiring: false,
        last,
        succeededAt: at,
      },
      { name: 'tidy', do: 'finalize-expired', everyMs: 3_600_000, isFiring: false },
    ]);
    expect(await (await ask('viewer', 'GET', '/v1/stacks/bare')).json()).toMatchObject({ schedules: [] });
    const lines = (await (await app.request('/metrics')).text()).split('\n');
    expect(lines.filter((line) => line.startsWith('backstay_schedule_'))).toEqual([
      'backstay_schedule_interval_seconds{stack="shop",schedule="nightly",do="capture"} 86400',
      'backstay_schedule_interval_seconds{stack="shop",schedule="tidy",do="finalize-expired"} 3600',
      `backstay_schedule_seen_timestamp_seconds{stack="shop",schedule="nightly",do="capture"} ${Date.parse(seenAt) / 1000}`,
      `backstay_schedule_last_success_timestamp_seconds{stack="shop",schedule="nightly",do="capture"} ${Date.parse(at) / 1000}`,
    ]);
  });
});
