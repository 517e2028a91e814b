import { randomUUID } from 'node:crypto';
import type { Loop } from '../loops.ts';
import { Scheduler } from './scheduler.ts';

/** Milliseconds after which stack files are read again at the latest. */
const LOOK_MS = 15_000;

/** Does what stacks have scheduled. On every machine of the service: of several, one does it each time. */
export const scheduleLoop: Loop = {
  name: 'schedules',
  start: async (deps, signal) => {
    const own = new AbortController();
    const ending = AbortSignal.any([signal, own.signal]);
    const scheduler = new Scheduler(deps, `${deps.by.host}/${randomUUID()}`, ending);
    try {
      while (!signal.aborted) {
        const again = await scheduler.look();
        const ms = again === undefined ? LOOK_MS : Math.min(LOOK_MS, Math.max(0, again - deps.clock.now()));
        await deps.clock.delay(ms, signal).catch(() => undefined);
      }
    } finally {
      own.abort();
      await scheduler.idle();
    }
  },
};
