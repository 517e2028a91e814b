import { describe, expect, it } from 'vitest';
import { BackstayError, isOutOfRoom } from '../../src/errors/index.ts';

const coded = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code });

describe('whether an error tells of a full volume', () => {
  it.each<[string, unknown]>([
    ['the system', coded('ENOSPC')],
    ['a quota', coded('EDQUOT')],
    ['PostgreSQL', coded('53100')],
    ['a tool', new BackstayError('STORE_FAILED', 'pg_dump: could not write to output file: No space left on device')],
    ['redis-cli', new Error('redis-cli: Error writing data to file: short write')],
    ['Java', new Error('java.io.IOException: No space left on device')],
    ['a cause of it', new Error('not written', { cause: new Error('x', { cause: coded('ENOSPC') }) })],
  ])('yes: %s', (_who, error) => {
    expect(isOutOfRoom(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a limit on the size of a file', coded('EFBIG', 'File too large')],
    ['a word that only looks like it', new Error('ENOSPCX')],
    ['no error', 'ENOSPC'],
    ['nothing', undefined],
  ])('no: %s', (_what, error) => {
    expect(isOutOfRoom(error)).toBe(false);
  });

  it('ends with causes that go in a circle', () => {
    const [a, b] = [new Error('a'), new Error('b')];
    a.cause = b;
    b.cause = a;
    expect(isOutOfRoom(a)).toBe(false);
  });
});
