import { BackstayError } from '../../src/errors/index.ts';
import type { Phase } from '../../src/model/index.ts';
import type { HeldLock, Lock, LockHolder, Takeover, UnfinishedRun } from '../../src/ports/index.ts';

/** The lock of one imagined cluster: keeps the lock contract, and can be told what happens to its holder. */
export interface MemoryLock extends Lock {
  holder(): string | undefined;
  /** The run that left word that something is to be done. */
  unfinished(): string | undefined;
  /** The holder's process dies: it does nothing any more, and the next to ask takes over. */
  kill(): void;
  /** Somebody else takes the stack while its holder sleeps. */
  steal(by?: LockHolder): void;
}

export function memoryLock(): MemoryLock {
  let [token, isDead] = [0, false];
  let current: { holder: LockHolder; lost: AbortController } | undefined;
  let last: LockHolder | undefined;
  let marked: UnfinishedRun | undefined;
  const since = '2026-01-01T00:00:00.000Z';

  const take = (stack: string, holder: LockHolder, takeover: Takeover | undefined): HeldLock => {
    const own = { holder, lost: new AbortController() };
    token += 1;
    [current, last, marked, isDead] = [own, holder, undefined, false];
    const fail = (): void => {
      if (current === own && !own.lost.signal.aborted) return;
      const lost = new BackstayError('LEASE_LOST', `Run ${holder.run} lost stack ${stack}: taken by another run.`);
      own.lost.abort(lost);
      throw lost;
    };
    return {
      token,
      ...(takeover === undefined ? {} : { takeover }),
      lost: own.lost.signal,
      assertHeld: async () => fail(),
      assertFresh: async () => fail(),
      enter: (phase: Phase) => {
        own.holder = { ...own.holder, phase };
        if (current === own) last = own.holder;
      },
      release: async (unfinished = false) => {
        // The dead give nothing back.
        if (current !== own || isDead) return;
        current = undefined;
        marked = unfinished ? { ...own.holder, since } : undefined;
      },
    };
  };

  return {
    holder: () => current?.holder.run,
    unfinished: () => (marked ?? (isDead ? current?.holder : undefined))?.run,
    kill: () => {
      isDead = current !== undefined;
    },
    steal: (by = { run: 'thief', journal: 'elsewhere', user: 'bob', host: 'desk' }) => {
      const robbed = current;
      if (robbed === undefined) return;
      [current, last, marked] = [undefined, by, undefined];
      token += 1;
      robbed.lost.abort(new BackstayError('LEASE_LOST', 'taken by another run'));
    },
    look: async () => ({
      ...(current === undefined ? {} : { holder: { ...current.holder, since } }),
      ...(marked !== undefined
        ? { unfinished: marked }
        : isDead && current !== undefined
          ? { unfinished: { ...current.holder, since } }
          : {}),
    }),
    acquire: async (stack, holder, admit) => {
      if (current !== undefined && !isDead) {
        const { run, user, host, journal } = current.holder;
        throw new BackstayError('LEASE_HELD', `held by ${run} of ${user} on ${host}, journal ${journal}`, {
          details: { stack, ...current.holder },
        });
      }
      const left = marked ?? (current === undefined ? undefined : { ...current.holder, since });
      const seen = current;
      if (left !== undefined && left.run !== holder.run) await admit?.(left);
      if (current !== seen) throw new BackstayError('LEASE_HELD', 'somebody was faster');
      const reason = seen === undefined ? 'released' : 'process gone';
      return take(stack, holder, last === undefined ? undefined : { from: last, reason });
    },
  };
}
