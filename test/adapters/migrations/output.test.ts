import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hidden, lastLine, readable } from '../../../src/adapters/migrations/output.ts';

describe('what a tool wrote', () => {
  it.each([
    ['the password', 'failed for s3cret!', 'failed for [hidden]'],
    ['as it stands in a URL', 'at x://ada:s3cret!%20more@db/app', 'at x://ada:[hidden]@db/app'],
    ['somebody else’s in a URL', 'postgresql+psycopg://bob:other@db/app', 'postgresql+psycopg://bob:[hidden]@db/app'],
    [
      'in a JDBC address',
      'jdbc:postgresql://db/app?user=a&password=other&ssl=1',
      'jdbc:postgresql://db/app?user=a&password=[hidden]&ssl=1',
    ],
    ['as a setting', `password: "other one" next`, 'password: [hidden] next'],
    ['nothing', 'the passwordless user', 'the passwordless user'],
  ])('hides %s', (_what, text, wanted) => {
    expect(hidden(text, ['s3cret!'])).toBe(wanted);
  });

  it('never has a secret in it, whatever it is made of', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 4 }).filter((one) => one.trim() === one && !'[hidden]'.includes(one)),
        fc.string(),
        (secret, around) => {
          expect(hidden(`${around}${secret}${around}`, [secret])).not.toContain(secret);
        },
      ),
    );
  });

  it('is cut to its last 16 KiB, between characters', () => {
    const text = readable({ stdout: `${'ä'.repeat(20_000)} end`, stderr: '' }, []);
    expect(Buffer.byteLength(text)).toBeLessThan(16 * 1024 + 64);
    expect(text).toMatch(/^\[\d+ bytes left out\]\nä+ end$/);
  });

  it('has both streams, and a last line', () => {
    expect(readable({ stdout: 'one\n', stderr: '\ntwo\n\n' }, [])).toBe('one\ntwo');
    expect(lastLine('one\n two \n\n')).toBe('two');
  });
});
