import type { ServiceSettings } from '../model/index.ts';
import { sessionSweep } from './access/sweep.ts';
import type { ServiceDeps } from './deps.ts';
import { dispatch } from './dispatch/loop.ts';
import { type Log, whyOf } from './log.ts';
import { NOTIFY_LOOPS } from './notify/index.ts';
import { observationLoop } from './observe/loop.ts';
import { retentionLoop } from './retention.ts';
import { scheduleLoop } from './schedules/loop.ts';
import { triggerLoop } from './triggers/loop.ts';
import { watchLoop } from './triggers/watch/loop.ts';

/** What loops work with, beside what requests do. */
export interface LoopDeps extends ServiceDeps {
  readonly settings: ServiceSettings;
  readonly log: Log;
}

/** What a service does by itself until the signal fires. It may be killed at any time, and run on other machines as well. */
export interface Loop {
  readonly name: string;
  /** Resolves when the signal fires. What it throws is logged, and it is started again. */
  start(deps: LoopDeps, signal: AbortSignal): Promise<void>;
}

/** Everything that `backstay serve` starts. */
export const LOOPS: readonly Loop[] = [
  dispatch,
  sessionSweep,
  triggerLoop,
  watchLoop,
  ...NOTIFY_LOOPS,
  observationLoop,
  retentionLoop,
  scheduleLoop,
];

/** Milliseconds before a loop that failed is started again: 1 s, doubled with each failure in a row. */
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Milliseconds at work after which a failure counts as the first one again. */
const SOUND_MS = 300_000;

/** Runs all of them side by side until the signal fires and the last one is done; none takes another one down. */
export async function runLoops(loops: readonly Loop[], deps: LoopDeps, signal: AbortSignal): Promise<void> {
  await Promise.all(loops.map(async (loop) => await keep(loop, deps, signal)));
}

async function keep(loop: Loop, deps: LoopDeps, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps;
  for (let failures = 0; !signal.aborted; ) {
    const began = clock.monotonic();
    try {
      await loop.start(deps, signal);
      if (signal.aborted) return;
      log({ level: 'error', event: 'loop.ended', loop: loop.name });
    } catch (error) {
      if (signal.aborted) return;
      log({ level: 'error', event: 'loop.failed', loop: loop.name, ...whyOf(error) });
    }
    failures = clock.monotonic() - began > SOUND_MS ? 1 : failures + 1;
    const pause = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** (failures - 1));
    await clock.delay(pause, signal).catch(() => undefined);
  }
}
