import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idIn, isSecretOf, makeSecret } from '../../../src/service/access/secret.ts';

describe('a secret', () => {
  it('is never the same, and holds 256 bits that its record does not', () => {
    const made = Array.from({ length: 200 }, () => makeSecret('bst'));
    expect(new Set(made.map(({ text }) => text)).size).toBe(200);
    for (const { text, id, digest } of made) {
      expect(text).toMatch(/^bst_[0-9a-f]{12}[A-Za-z0-9_-]{43}$/);
      expect(idIn(text, 'bst')).toBe(id);
      expect(isSecretOf(text, digest)).toBe(true);
      expect(digest).not.toContain(text.slice(16));
    }
  });

  it('is no other: a single character makes the difference', () => {
    const { text, digest } = makeSecret('bst');
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), fc.constantFrom('a', 'Z', '0', '_', '-'), (at, char) => {
        const other = text.slice(0, at) + char + text.slice(at + 1);
        return isSecretOf(other, digest) === (other === text);
      }),
    );
    expect(isSecretOf(text, '')).toBe(false);
  });

  it('of one kind is none of the other', () => {
    expect(idIn(makeSecret('bss').text, 'bst')).toBeUndefined();
    expect(idIn(makeSecret('bst').text, 'bss')).toBeUndefined();
  });

  it('is compared in a time that does not tell how much of it was right', () => {
    // Times are too noisy to be measured here: what compares has to be the function that is made for it, over digests of one length.
    const code = readFileSync(join(import.meta.dirname, '../../../src/service/access/secret.ts'), 'utf8');
    const body = code.slice(code.indexOf('export function isSecretOf'));
    expect(body).toContain('timingSafeEqual(given, kept)');
    expect(body).not.toMatch(/text\s*===|===\s*digest/);
  });
});
