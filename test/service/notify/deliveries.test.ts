import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json } from '../../../src/model/index.ts';
import type { ServiceRecord, ServiceStore } from '../../../src/ports/index.ts';
import { deliveries } from '../../../src/service/notify/deliveries.ts';
import { keyOf, owed } from '../../../src/service/notify/delivery.ts';
import type { Telling } from '../../../src/service/notify/telling.ts';

const event = (sequence: number, ms: number): Telling => ({
  id: `r1:${String(sequence).padStart(8, '0')}:run.started`,
  subject: 'r1',
  notice: 'run.started',
  stack: 'shop',
  run: 'r1',
  at: new Date(Date.UTC(2026, 0, 1) + ms).toISOString(),
  effect: 'opens',
  values: {},
});

test('what is told of a run is shown in the order of its journal, also of one millisecond', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 12 }),
      fc.subarray(['audit', 'chat', 'pager'], { minLength: 1 }),
      async (pauses, channels) => {
        let ms = 0;
        const events = pauses.map((pause, index) => event(index + 1, (ms += pause)));
        const stored = channels
          .flatMap((channel) => events.map((one) => ({ key: keyOf(one, channel), value: owed(one, channel, 0) })))
          .toSorted((a, b) => (a.key < b.key ? -1 : 1))
          .map(
            ({ key, value }): ServiceRecord => ({
              kind: 'delivery',
              key,
              version: 1,
              at: '',
              value: value as unknown as Json,
            }),
          );
        const records = { list: async () => await Promise.resolve(stored) } as unknown as ServiceStore;
        const shown = (await deliveries(records, { subject: 'r1' })).map((one) => [one.event, one.channel]);
        expect(shown).toEqual(events.flatMap(({ id }) => channels.map((channel) => [id, channel])));
      },
    ),
  );
});
