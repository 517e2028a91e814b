import type { Loop } from '../loops.ts';
import { dropOldSessions } from './tokens.ts';

const HOUR_MS = 3_600_000;

/** Sessions of the page that ran out and were not used since. */
export const sessionSweep: Loop = {
  name: 'sessions',
  start: async (deps, signal) => {
    while (!signal.aborted) {
      await dropOldSessions(deps);
      await deps.clock.delay(HOUR_MS, signal).catch(() => undefined);
    }
  },
};
