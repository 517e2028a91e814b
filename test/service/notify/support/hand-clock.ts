import type { Clock } from '../../../../src/ports/index.ts';

/** A clock that goes on only when a test says so; who sleeps is woken when his time has come, in order. */
export interface HandClock extends Clock {
  advance(ms: number): void;
  /** How many sleep. */
  asleep(): number;
}

export function handClock(start = Date.parse('2026-03-01T03:00:00.000Z')): HandClock {
  let time = start;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => time,
    monotonic: () => time - start,
    delay: async (ms, signal) => {
      signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const sleeper = { at: time + Math.max(0, ms), wake: resolve };
        if (sleeper.at <= time) {
          setImmediate(resolve);
          return;
        }
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      });
    },
    advance: (ms) => {
      time += ms;
      for (const sleeper of [...sleepers].toSorted((a, b) => a.at - b.at)) {
        if (sleeper.at > time) break;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
    asleep: () => sleepers.size,
  };
}
