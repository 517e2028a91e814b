import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backOff, backOffOptions, type BackOffState, goDuration } from '../../../../src/sandbox/node/pods/back-off.ts';

const KUBELET = backOffOptions(10_000);

const waits = (times: readonly number[]): number[] => {
  let state: BackOffState | undefined;
  return times.map((now) => (state = backOff(state, now, KUBELET)).waitMs);
};

describe('the back-off of a crash loop', () => {
  test('begins at once and doubles to five minutes', () => {
    expect(waits([0, 1, 2, 3, 4, 5, 6, 7, 8])).toEqual([
      0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000,
    ]);
  });

  test('begins anew after ten quiet minutes', () => {
    expect(waits([0, 1, 2, 600_003, 600_004])).toEqual([0, 10_000, 20_000, 0, 10_000]);
  });

  test('never waits longer than the maximum', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(700_000), { maxLength: 40 }), (gaps) => {
        let now = 0;
        expect(Math.max(0, ...waits(gaps.map((gap) => (now += gap))))).toBeLessThanOrEqual(KUBELET.maxMs);
      }),
    );
  });

  test.each([
    [500, '500ms'],
    [10_000, '10s'],
    [160_000, '2m40s'],
    [300_000, '5m0s'],
    [1500, '1.5s'],
  ])('prints %d ms as %s', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });
});
