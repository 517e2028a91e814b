import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../ports/index.ts';

/** The machine's clock. `delay` rejects with the reason of its signal. */
export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    delay: async (ms, signal) => {
      try {
        await delay(Math.max(0, ms), undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        throw signal?.aborted === true ? signal.reason : error;
      }
    },
  };
}
