import { describe, expect, test } from 'vitest';
import { Changes } from '../../src/service/changes.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { fakeClock } from '../rollback/builders.ts';

/** Stores that tell what the test says, to however many readings there are. */
function stores() {
  const told: { readonly run?: string }[] = [];
  const waiting = new Set<() => void>();
  const open = { now: 0, ever: 0 };
  const broken: { error?: Error } = {};
  const until = async (isThere: () => boolean, signal: AbortSignal): Promise<void> => {
    while (!isThere() && broken.error === undefined && !signal.aborted)
      await new Promise<void>((resolve) => {
        waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    if (broken.error !== undefined) throw broken.error;
  };
  const wake = (): void => {
    for (const go of waiting) go();
    waiting.clear();
  };
  const deps = {
    clock: fakeClock(),
    feeds: { stackOf: async (run: string) => (run.startsWith('shop') ? 'shop' : undefined) },
    records: {
      changes: async function* (signal: AbortSignal) {
        open.now += 1;
        open.ever += 1;
        try {
          for (let at = 0; !signal.aborted; at += 1) {
            await until(() => told.length > at, signal);
            const one = told[at];
            if (one !== undefined) yield one;
          }
        } finally {
          open.now -= 1;
        }
      },
      follow: async function* (_kind: string, signal: AbortSignal) {
        yield { key: 'p1', record: { value: { stack: 'shop' } } };
        await until(() => false, signal);
      },
    },
  } as unknown as ServiceDeps;
  return {
    deps,
    open,
    tell: (run?: string): void => {
      told.push(run === undefined ? {} : { run });
      wake();
    },
    fail: (error: Error): void => {
      broken.error = error;
      wake();
    },
  };
}

const settle = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

describe('what changes', () => {
  test('is told to all who watch from one reading, and no longer than they do', async () => {
    const { deps, open, tell } = stores();
    const changes = new Changes(deps);
    const stop = new AbortController();
    const [one, other] = [changes.follow(stop.signal), changes.follow(stop.signal)];
    const first = await Promise.all([one.next(), other.next()]);
    expect(first.map(({ value }) => value)).toEqual([
      [{ stack: 'shop', proposal: 'p1' }],
      [{ stack: 'shop', proposal: 'p1' }],
    ]);
    tell('shop-1');
    expect((await one.next()).value).toEqual([{ stack: 'shop', run: 'shop-1' }]);
    expect(open).toEqual({ now: 1, ever: 1 });
    stop.abort();
    await Promise.all([one.next(), other.next()]);
    await settle();
    expect(open.now).toBe(0);
  });

  test('is told once to whoever is slow, however often it was', async () => {
    const { deps, tell } = stores();
    const reader = new Changes(deps).follow(new AbortController().signal);
    await reader.next();
    for (let i = 0; i < 50; i += 1) tell(i % 2 === 0 ? 'shop-1' : 'shop-2');
    await settle();
    await settle();
    expect((await reader.next()).value).toEqual([
      { stack: 'shop', run: 'shop-1' },
      { stack: 'shop', run: 'shop-2' },
    ]);
    await reader.return();
  });

  test('may be anything, where nobody knows the run or its stack', async () => {
    const { deps, tell } = stores();
    const reader = new Changes(deps).follow(new AbortController().signal);
    await reader.next();
    tell();
    tell('unknown-1');
    expect((await reader.next()).value).toContainEqual({});
    await reader.return();
  });

  test('ends with what breaks the stores, and begins again for the next', async () => {
    const { deps, open, fail } = stores();
    const changes = new Changes(deps);
    const reader = changes.follow(new AbortController().signal);
    await reader.next();
    const next = reader.next();
    fail(new Error('the database is gone'));
    await expect(next).rejects.toThrow('the database is gone');
    void changes
      .follow(new AbortController().signal)
      .next()
      .catch(() => undefined);
    await settle();
    expect(open.ever).toBe(2);
  });
});
