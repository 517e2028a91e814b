import { describe, expect, it } from 'vitest';
import { quantity } from '../../src/health/diagnose/pods.ts';

describe('a quantity', () => {
  it.each([
    ['250m', 0.25],
    ['1', 1],
    ['64Mi', 67_108_864],
    ['1e3', 1_000],
    ['1.5Gi', 1_610_612_736],
    ['129384n', 0.000129384],
    ['lots', undefined],
    [undefined, undefined],
  ])('%s is %s', (text, value) => {
    const found = quantity(text);
    if (value === undefined) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(value, 9);
  });
});
