import { expect, test } from 'vitest';
import { type Figure, isMissed, median, ratio, sampled } from '../../scripts/bench/figure.ts';
import { figureTable } from '../../scripts/bench/print.ts';

const figure = (value: number, more: Partial<Figure> = {}): Figure => ({
  name: 'a.b',
  what: 'it',
  unit: 'ms',
  value,
  ...more,
});

test('the median is the middle of the samples, in whatever order they came, or between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 1, 2, 4])).toBe(3);
  expect(() => median([])).toThrow(RangeError);
});

test('a sampled figure keeps its samples and rounds as its unit does', () => {
  const made = sampled({ name: 'a', what: '', unit: 'ms' }, [1.4, 3.6, 2.2]);
  expect(made).toMatchObject({ value: 2, samples: [1, 4, 2] });
  expect(ratio('r', '', figure(5), figure(4)).value).toBe(1.25);
});

test('a target is met up to its very value and missed beyond it', () => {
  expect(isMissed(figure(150, { atMost: 150 }))).toBe(false);
  expect(isMissed(figure(151, { atMost: 150 }))).toBe(true);
  expect(isMissed(figure(1e9))).toBe(false);
});

test('the table says of each figure with a target whether it was met', () => {
  const table = figureTable([
    figure(100, { name: 'good', atMost: 150, samples: [90, 100, 170] }),
    figure(12_345, { name: 'bad', atMost: 1500 }),
    figure(3, { name: 'free' }),
  ]).split('\n');
  expect(table[1]).toMatch(/^good +100 ms +≤ 150 ms +met +90 ms … 170 ms \(3\) +it$/);
  expect(table[2]).toMatch(/^bad +12\.3 s +≤ 1500 ms +MISSED +it$/);
  expect(table[3]).toMatch(/^free +3 ms +it$/);
});
