import { Bell } from '../bell.ts';
import { whyOf } from '../log.ts';
import type { Loop, LoopDeps } from '../loops.ts';
import { stackOfAlertKey } from './records.ts';
import { settle } from './settle.ts';

/** Milliseconds between two looks at one stack at least: of a storm, many alerts are looked at together. */
const PACE_MS = 200;
/** A run at work writes all the time, and only that it began or ended decides anything. */
const RUNS_PACE_MS = 2_000;
/** Milliseconds until what could not be read is looked at again. */
const RETRY_MS = 15_000;

/** Looks at each stack when something about it was written, and when a time comes that decides something. */
export const triggerLoop: Loop = {
  name: 'triggers',
  start: async (deps, signal) => {
    const own = new AbortController();
    const ending = AbortSignal.any([signal, own.signal]);
    const tended = new Map<string, Bell>();
    const work: Promise<void>[] = [];
    const wake = (stack: string): void => {
      const known = tended.get(stack);
      if (known !== undefined) return known.ring();
      const bell = new Bell(deps.clock);
      tended.set(stack, bell);
      work.push(tend(stack, bell, deps, ending));
    };
    try {
      // Followed first and read then: what is written in between is heard of.
      const heard = Promise.all([
        follow(deps.records.follow('alert', ending), ({ key }) => wake(stackOfAlertKey(key))),
        follow(deps.records.follow('proposal', ending), ({ record }) => {
          const stack = (record?.value as { readonly stack?: unknown } | undefined)?.stack;
          if (typeof stack === 'string') wake(stack);
        }),
        // A run that begins or ends; stacks where nothing is to be decided are looked at for no time worth naming.
        follow(deps.records.changes(ending), async () => {
          for (const bell of tended.values()) bell.ring();
          await deps.clock.delay(RUNS_PACE_MS, ending).catch(() => undefined);
        }),
      ]);
      // It is awaited below; an error that nobody awaits yet would end the process.
      heard.catch(() => undefined);
      for (const { key } of await deps.records.list('trigger')) if (!key.includes('/')) wake(key);
      for (const { key } of await deps.records.list('alert')) wake(stackOfAlertKey(key));
      await heard;
    } finally {
      own.abort();
      await Promise.allSettled(work);
    }
  },
};

async function follow<T>(source: AsyncIterable<T>, hear: (news: T) => void | Promise<void>): Promise<void> {
  for await (const news of source) await hear(news);
}

/** One stack, one look at a time, until the signal fires. */
async function tend(stack: string, bell: Bell, deps: LoopDeps, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps;
  while (!signal.aborted) {
    let again: number | undefined;
    try {
      again = await settle(stack, deps);
    } catch (error) {
      if (signal.aborted) return;
      log({ level: 'error', event: 'triggers.failed', stack, ...whyOf(error) });
      again = clock.now() + RETRY_MS;
    }
    await clock.delay(PACE_MS, signal).catch(() => undefined);
    await bell.rung(again, signal);
  }
}
