import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Metrics, parseMetrics, sumOf } from '../../../src/sandbox/images/kit/metrics.ts';

describe('the metrics of the sandbox programs', () => {
  test('what is rendered is read back, whatever the labels hold', () => {
    const labels = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string(), { maxKeys: 3 });
    fc.assert(
      fc.property(labels, fc.nat({ max: 1000 }), (given, by) => {
        const metrics = new Metrics();
        metrics.count('things_total', 'Things.', given, by);
        expect(parseMetrics(metrics.render())).toEqual([{ name: 'things_total', labels: { ...given }, value: by }]);
      }),
    );
  });

  test('a histogram counts every observation into its own and all larger buckets', () => {
    const metrics = new Metrics();
    for (const seconds of [0.02, 0.3, 20]) metrics.observe('t_seconds', 'Time.', seconds);
    const samples = parseMetrics(metrics.render());
    expect(sumOf(samples, 't_seconds_bucket', { le: '0.01' })).toBe(0);
    expect(sumOf(samples, 't_seconds_bucket', { le: '0.5' })).toBe(2);
    expect(sumOf(samples, 't_seconds_bucket', { le: '+Inf' })).toBe(3);
    expect(sumOf(samples, 't_seconds_sum')).toBeCloseTo(20.32);
  });

  test('a sum is taken over the samples with the labels asked for, and is undefined without any', () => {
    const metrics = new Metrics();
    metrics.count('a_total', 'A.', { code: '200', path: '/x' }, 2);
    metrics.count('a_total', 'A.', { code: '200', path: '/y' }, 3);
    metrics.count('a_total', 'A.', { code: '500', path: '/y' }, 7);
    const samples = parseMetrics(metrics.render());
    expect(sumOf(samples, 'a_total', { code: '200' })).toBe(5);
    expect(sumOf(samples, 'a_total', { code: '404' })).toBeUndefined();
  });
});
