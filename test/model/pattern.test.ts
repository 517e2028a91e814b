import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesGlob } from '../../src/model/index.ts';

describe('a glob', () => {
  it('fits as the regular expression of the same meaning does', () => {
    const piece = fc.string({ unit: fc.constantFrom('a', 'b', '*', '-', '.', '\n') });
    fc.assert(
      fc.property(piece, fc.string({ unit: fc.constantFrom('a', 'b', '-', '.', '\n') }), (glob, text) => {
        const source = glob
          .split('*')
          .map((part) => part.replaceAll(/[.-]/g, String.raw`\$&`))
          .join('.*');
        expect(matchesGlob(glob, text)).toBe(new RegExp(`^${source}$`, 's').test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('comes to an end however many stars it has, which a regular expression would not', () => {
    expect(matchesGlob(`${'*a'.repeat(2_000)}b`, 'a'.repeat(20_000))).toBe(false);
  });

  it('that is not there fits everything', () => {
    expect(matchesGlob(undefined, 'anything')).toBe(true);
  });
});
