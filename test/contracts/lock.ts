import { describe, expect, test, vi } from 'vitest';
import type { HeldLock, Lock, LockHolder } from '../../src/ports/index.ts';

export interface LockFixture {
  readonly lock: Lock;
  /** A stack that nobody had before. */
  readonly newStack: () => string;
  /** Whoever holds the stack dies without a word. */
  readonly dies: (stack: string) => Promise<void>;
}

export const holderOf = (run: string): LockHolder => ({ run, journal: `/journal/${run}`, user: 'ada', host: 'desk' });

/** What every lock keeps. Whatever is held at the end of a test is given back. */
export function lockContract(name: string, open: () => Promise<LockFixture>): void {
  describe(`lock contract: ${name}`, () => {
    const withLock = async (
      work: (fixture: LockFixture & { take: Lock['acquire']; stack: string }) => Promise<void>,
    ): Promise<void> => {
      const fixture = await open();
      const held: HeldLock[] = [];
      const take: Lock['acquire'] = async (...request) => {
        const own = await fixture.lock.acquire(...request);
        held.push(own);
        return own;
      };
      try {
        await work({ ...fixture, take, stack: fixture.newStack() });
      } finally {
        await Promise.all(held.map(async (own) => await own.release()));
      }
    };

    test(`${name} names its holder, and gives a greater token each time`, async () => {
      await withLock(async ({ lock, take, stack }) => {
        expect(await lock.look(stack)).toEqual({});
        const first = await take(stack, { ...holderOf('run-1'), phase: 'locked' });
        expect(first.takeover).toBeUndefined();
        expect(await lock.look(stack)).toMatchObject({ holder: { ...holderOf('run-1'), phase: 'locked' } });
        await first.assertHeld();
        await first.assertFresh();
        await first.release();
        expect(await lock.look(stack)).toEqual({});
        const second = await take(stack, holderOf('run-2'));
        expect(second.token).toBeGreaterThan(first.token);
        expect(second.takeover).toEqual({ from: { ...holderOf('run-1'), phase: 'locked' }, reason: 'released' });
      });
    });

    test(`${name} refuses while somebody holds, naming run, journal, person and machine`, async () => {
      await withLock(async ({ take, stack }) => {
        const first = await take(stack, holderOf('run-1'));
        await expect(take(stack, holderOf('run-2'))).rejects.toMatchObject({
          code: 'LEASE_HELD',
          message: expect.stringMatching(/run-1 of ada on desk.*journal \/journal\/run-1/),
          details: { stack, ...holderOf('run-1') },
        });
        // Not even to the same run: it may be at work in another process.
        await expect(take(stack, holderOf('run-1'))).rejects.toMatchObject({ code: 'LEASE_HELD' });
        await first.assertHeld();
        expect(first.lost.aborted).toBe(false);
      });
    });

    test(`${name} keeps stacks apart`, async () => {
      await withLock(async ({ take, stack, newStack }) => {
        const [one, other] = [await take(stack, holderOf('run-1')), await take(newStack(), holderOf('run-2'))];
        await expect(one.assertHeld()).resolves.toBeUndefined();
        await expect(other.assertHeld()).resolves.toBeUndefined();
      });
    });

    test(`${name} lets a dead holder's place be taken, and stops the dead one if it wakes`, async () => {
      await withLock(async ({ take, stack, dies }) => {
        const first = await take(stack, holderOf('run-1'));
        await dies(stack);
        const second = await take(stack, holderOf('run-1'));
        expect(second.token).toBeGreaterThan(first.token);
        expect(second.takeover).toMatchObject({ from: holderOf('run-1') });
        expect(second.takeover?.reason).not.toBe('released');
        await expect(first.assertHeld()).rejects.toMatchObject({ code: 'LEASE_LOST' });
        await expect(first.assertFresh()).rejects.toMatchObject({ code: 'LEASE_LOST' });
        expect(first.lost.aborted).toBe(true);
        await second.assertHeld();
        // What the dead one gives back is not its own any more.
        await first.release();
        await second.assertHeld();
      });
    });

    test(`${name} tells the phase that its holder is in`, async () => {
      await withLock(async ({ lock, take, stack }) => {
        const own = await take(stack, holderOf('run-1'));
        own.enter('frozen');
        own.enter('applied');
        await vi.waitFor(async () => expect((await lock.look(stack)).holder).toMatchObject({ phase: 'applied' }));
        await own.assertHeld();
      });
    });

    test(`${name} asks before it passes over a run that was left unfinished, and leaves all as it is on a no`, async () => {
      await withLock(async ({ lock, take, stack }) => {
        const first = await take(stack, { ...holderOf('run-1'), phase: 'applied' });
        await first.release(true);
        const left = { ...holderOf('run-1'), phase: 'applied', since: expect.stringMatching(/^\d{4}-/) };
        expect(await lock.look(stack)).toEqual({ unfinished: left });
        const admit = vi.fn(async () => {
          throw new RangeError('not yet');
        });
        await expect(take(stack, holderOf('run-2'), admit)).rejects.toThrow('not yet');
        expect(admit).toHaveBeenCalledExactlyOnceWith(left);
        expect(await lock.look(stack)).toEqual({ unfinished: left });
        const second = await take(stack, holderOf('run-2'), async () => {});
        expect(second.token).toBe(first.token + 1);
        await second.release();
        expect(await lock.look(stack)).toEqual({});
      });
    });

    test(`${name} asks before it passes over a dead holder of another run`, async () => {
      await withLock(async ({ lock, take, stack, dies }) => {
        await take(stack, { ...holderOf('run-1'), phase: 'restored' });
        await dies(stack);
        expect(await lock.look(stack)).toMatchObject({ unfinished: { run: 'run-1', phase: 'restored' } });
        const admit = vi.fn(async () => {
          throw new RangeError('not yet');
        });
        await expect(take(stack, holderOf('run-2'), admit)).rejects.toThrow('not yet');
        expect(admit).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ run: 'run-1', phase: 'restored' }));
      });
    });

    test(`${name} asks nobody when the unfinished run itself comes back`, async () => {
      await withLock(async ({ lock, take, stack }) => {
        const first = await take(stack, holderOf('run-1'));
        await first.release(true);
        const admit = vi.fn(async () => {});
        const again = await take(stack, holderOf('run-1'), admit);
        expect(admit).not.toHaveBeenCalled();
        await again.release();
        expect(await lock.look(stack)).toEqual({});
      });
    });

    test(`${name} lets only one of many win`, async () => {
      await withLock(async ({ take, stack }) => {
        const results = await Promise.allSettled(
          ['a', 'b', 'c', 'd'].map(async (run) => await take(stack, holderOf(run))),
        );
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        const codes = results.flatMap((result) =>
          result.status === 'rejected' ? [(result.reason as { code?: string }).code] : [],
        );
        expect(new Set(codes)).toEqual(new Set(['LEASE_HELD']));
      });
    });
  });
}
