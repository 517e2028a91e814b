import { randomUUID } from 'node:crypto';
import { Bell } from '../bell.ts';
import type { Loop, LoopDeps } from '../loops.ts';
import { Dispatcher } from './dispatcher.ts';
import { FollowedRuns } from './followed.ts';

/** Carries the runs that were asked of any service of this journal, each in a process of its own. */
export const dispatch: Loop = { name: 'dispatch', start: carryRuns };

/**
 * Looks again whenever a claim, a cancel or a claimed run changes, a process ends, or a time that was decided on has come.
 * @throws what records and journal throw; a new start goes on where this one was
 */
async function carryRuns(deps: LoopDeps, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const bell = new Bell(deps.clock);
  const dispatcher = new Dispatcher({
    deps,
    self: `${deps.by.host}/${randomUUID()}`,
    limits: deps.settings.limits,
    runs: new FollowedRuns(deps, either, (error) => (error === undefined ? bell.ring() : bell.fail(error))),
    log: deps.log,
    wake: () => bell.ring(),
  });
  // Listening before the first look, so that nothing falls between the two.
  for (const kind of ['claim', 'cancel'] as const) void bell.ringOn(deps.records.follow(kind, either), either);
  try {
    while (!signal.aborted) {
      const due = await dispatcher.look();
      await bell.rung(due, either);
    }
  } finally {
    over.abort();
    await dispatcher.leave().catch(() => undefined);
  }
}
