import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { withLock } from '../../src/toolchain/lock.ts';

describe('the lock between processes', () => {
  it('lets one work at a time, and everybody in the end', async () => {
    const key = randomUUID();
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(key, {}, work)));
    expect(most).toBe(1);
  });

  it('does not hold up those with another key', async () => {
    const inner = withLock(randomUUID(), {}, () => withLock(randomUUID(), {}, async () => 'through'));
    expect(await inner).toBe('through');
  });

  it('is free again after work that failed', async () => {
    const key = randomUUID();
    await expect(withLock(key, {}, () => Promise.reject(new TypeError('no')))).rejects.toThrow('no');
    expect(await withLock(key, {}, async () => 'free')).toBe('free');
  });

  it('can be given up while waiting', async () => {
    const key = randomUUID();
    const abort = new AbortController();
    await withLock(key, {}, async () => {
      const second = withLock(
        key,
        { signal: abort.signal, onWait: () => abort.abort(new Error('enough')) },
        async () => 1,
      );
      await expect(second).rejects.toThrow('enough');
    });
  });

  it('hands those who wait what the holder says, also what it said before they came', async () => {
    const key = randomUUID();
    const heard: string[] = [];
    let second: Promise<void> | undefined;
    await withLock(key, {}, async (tell) => {
      tell('half way');
      await new Promise<void>((resolve) => {
        const onWait = (line: string) => {
          heard.push(line);
          if (line === 'half way') tell('nearly there');
          if (line === 'nearly there') resolve();
        };
        second = withLock(key, { onWait }, async () => undefined);
      });
    });
    await second;
    expect(heard).toEqual(['', 'half way', 'nearly there']);
  });
});
