import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/model/index.ts';
import { RECORD_KINDS, type RecordKind } from '../../src/ports/index.ts';
import { forgetOld, isPast, RETENTION, retentionLoop } from '../../src/service/retention.ts';
import type { LoopDeps } from '../../src/service/loops.ts';
import type { LogLine } from '../../src/service/log.ts';
import { testService } from '../support/service.ts';

const NOW = Date.parse('2026-11-21T12:00:00.000Z');
const DAY = 86_400_000;
const record = (kind: RecordKind, daysAgo: number, value: Json = {}) => ({
  kind,
  value,
  at: new Date(NOW - daysAgo * DAY).toISOString(),
});

describe('what a service forgets', () => {
  test.each<[string, RecordKind, number, Json, boolean]>([
    ['an answer that is given again no more', 'idempotency', 2.1, {}, true],
    ['not an answer of yesterday', 'idempotency', 1.5, {}, false],
    ['a decision of the last quarter', 'decision', 91, { state: 'allowed' }, true],
    ['not one of this quarter', 'decision', 89, {}, false],
    ['a delivery that arrived', 'delivery', 31, { state: 'delivered' }, true],
    ['one that was refused', 'delivery', 31, { state: 'refused' }, true],
    ['one that was given up', 'delivery', 31, { state: 'given-up' }, true],
    ['one that nobody has to know any more', 'delivery', 31, { state: 'withdrawn' }, true],
    ['not one that arrived lately', 'delivery', 29, { state: 'delivered' }, false],
    ['not one that is owed, however old', 'delivery', 4_000, { state: 'due' }, false],
    ['not one that is on its way', 'delivery', 4_000, { state: 'sending' }, false],
    ['not one of a state that nobody knows', 'delivery', 4_000, { state: 'new' }, false],
    ['not one without a state', 'delivery', 4_000, 'text', false],
    ['an alert that is over', 'alert', 31, { state: 'settled' }, true],
    ['one that a proposal took up', 'alert', 31, { state: 'taken' }, true],
    ['not one that is undecided', 'alert', 31, { state: 'pending' }, false],
    ['a plan of last month', 'plan', 31, { steps: [] }, true],
    ['not a claim', 'claim', 4_000, {}, false],
    ['not a proposal', 'proposal', 4_000, { state: 'dismissed' }, false],
    ['not where a reader has come to', 'cursor', 4_000, {}, false],
    ['not a token', 'token', 4_000, {}, false],
  ])('%s', (_what, kind, daysAgo, value, gone) => {
    expect(isPast(record(kind, daysAgo, value), NOW)).toBe(gone);
  });

  test('is nothing of a time that cannot be read, and never sooner than later', () => {
    expect(isPast({ kind: 'plan', value: {}, at: 'yesterday' }, NOW)).toBe(false);
    fc.assert(
      fc.property(
        fc.constantFrom(...RECORD_KINDS),
        fc.constantFrom('due', 'sending', 'delivered', 'pending', 'ignored', 'taken'),
        fc.double({ min: 0, max: 400, noNaN: true }),
        fc.double({ min: 0, max: 400, noNaN: true }),
        (kind, state, days, more) => {
          const then = isPast(record(kind, days, { state }), NOW);
          expect(!then || isPast(record(kind, days + more, { state }), NOW)).toBe(true);
          if (RETENTION[kind] === undefined) expect(then).toBe(false);
        },
      ),
    );
  });
});

describe('the loop that forgets', () => {
  test('removes what is past from a real store, page after page, and says how much', async () => {
    const { deps, close } = await testService();
    const { records } = deps;
    for (let i = 0; i < 420; i++) {
      const key = `d${String(i).padStart(4, '0')}`;
      await records.put('delivery', key, 0, { state: i % 3 === 0 ? 'due' : 'delivered' });
    }
    await records.put('claim', 'r1', 0, {});
    await records.put('idempotency', 'k', 0, {});
    const later = (days: number) => ({ ...deps.clock, now: () => Date.now() + days * DAY });
    expect(await forgetOld({ records, clock: deps.clock })).toEqual(new Map());
    expect(await forgetOld({ records, clock: later(3) })).toEqual(new Map([['idempotency', 1]]));

    const stop = new AbortController();
    const lines: LogLine[] = [];
    const retention = { decisionsMs: 90 * DAY, deliveriesMs: 30 * DAY, plansMs: 30 * DAY };
    // The first pause ends the loop: it has gone through everything once.
    const clock = { ...later(31), delay: async () => stop.abort() };
    await retentionLoop.start(
      { ...deps, clock, settings: { retention }, log: (line: LogLine) => lines.push(line) } as unknown as LoopDeps,
      stop.signal,
    );
    expect(lines).toEqual([{ level: 'info', event: 'records.forgotten', kind: 'delivery', count: 280 }]);
    const left = await records.list('delivery');
    expect(left).toHaveLength(140);
    expect(left.every(({ value }) => (value as { readonly state: string }).state === 'due')).toBe(true);
    expect(await records.get('claim', 'r1')).toBeDefined();
    await close();
  }, 60_000);

  test('leaves alone what was changed while it looked', async () => {
    const { deps, close } = await testService();
    const { records } = deps;
    await records.put('delivery', 'a', 0, { state: 'delivered' });
    const meddling = {
      ...records,
      list: async (...asked: Parameters<typeof records.list>) => {
        const page = await records.list(...asked);
        if (asked[0] === 'delivery') await records.put('delivery', 'a', 1, { state: 'due' });
        return page;
      },
    };
    const clock = { ...deps.clock, now: () => Date.now() + 400 * DAY };
    expect(await forgetOld({ records: meddling, clock })).toEqual(new Map());
    expect(await records.get('delivery', 'a')).toMatchObject({ value: { state: 'due' } });
    await close();
  }, 60_000);
});
