import { randomUUID } from 'node:crypto';
import { isBackstayError } from '../../../errors/index.ts';
import { digestOf, type TriggerPolicy } from '../../../model/index.ts';
import type { Cluster } from '../../../ports/index.ts';
import { takeWhole } from '../../claim.ts';
import { whyOf } from '../../log.ts';
import type { Loop, LoopDeps } from '../../loops.ts';
import { watchAll } from './watcher.ts';

/** Milliseconds between two looks at the stack files. */
const LOOK_MS = 15_000;
/** Milliseconds after which another service measures for one that says nothing any more. */
const CLAIM_MS = 4 * LOOK_MS;

/** Measures the thresholds of every stack that has some; of several services, one does for each stack. */
export const watchLoop: Loop = {
  name: 'watches',
  start: async (deps, signal) => {
    const service = randomUUID();
    const watched = new Set<string>();
    const work: Promise<void>[] = [];
    const own = new AbortController();
    const ending = AbortSignal.any([signal, own.signal]);
    try {
      while (!signal.aborted) {
        for (const stack of await deps.stackNames()) {
          if (watched.has(stack)) continue;
          watched.add(stack);
          work.push(keepWatch(stack, service, deps, ending));
        }
        await pause(deps, signal);
      }
    } finally {
      own.abort();
      await Promise.all(work);
    }
  },
};

/** Begins anew when the stack file changed; waits where there is nothing to watch, or another service does. Never throws. */
async function keepWatch(stack: string, service: string, deps: LoopDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await watchOnce(stack, service, deps, signal);
    } catch (error) {
      if (!signal.aborted) deps.log({ level: 'error', event: 'watches.failed', stack, ...whyOf(error) });
    }
    await pause(deps, signal);
  }
}

async function watchOnce(name: string, service: string, deps: LoopDeps, signal: AbortSignal): Promise<void> {
  const { triggers: policy } = await settingsOf(name, deps);
  if (policy === undefined || policy.watches.length === 0) return;
  const { records, clock } = deps;
  // It saves work and proves nothing: what two would tell is one alert in one proposal.
  const claimant = { records, clock, self: service, ms: CLAIM_MS };
  const held = await takeWhole({ kind: 'trigger', key: `${name}/watch` }, claimant);
  if (typeof held === 'number') return;
  try {
    await watchWhile(name, policy, deps, AbortSignal.any([signal, held.lost]));
    held.lost.throwIfAborted();
  } finally {
    await held.giveUp();
  }
}

/** Until the stack file asks for something else, or the signal fires. */
async function watchWhile(name: string, policy: TriggerPolicy, deps: LoopDeps, signal: AbortSignal): Promise<void> {
  await deps.withStack(name, deps.by, async (reached) => {
    const asked = digestOf(reached.stack.triggers ?? {});
    const own = new AbortController();
    const ending = AbortSignal.any([signal, own.signal]);
    const measure = { stack: reached.stack, cluster: clusterOf(reached), http: deps.http, clock: deps.clock };
    const work = watchAll({ stack: name, policy, measure }, deps, ending);
    try {
      do await pause(deps, ending);
      while (!signal.aborted && (await isStill(name, asked, deps)));
    } finally {
      own.abort();
      await work;
    }
  });
}

/** A stack file that cannot be used has nothing to watch; whoever uses the stack is told why. */
async function settingsOf(name: string, deps: LoopDeps): Promise<{ readonly triggers?: TriggerPolicy }> {
  try {
    return await deps.stack(name);
  } catch (error) {
    if (isBackstayError(error)) return {};
    throw error;
  }
}

async function isStill(name: string, asked: string, deps: LoopDeps): Promise<boolean> {
  const { triggers } = await settingsOf(name, deps);
  return triggers !== undefined && digestOf(triggers) === asked;
}

type Reached = Parameters<Parameters<LoopDeps['withStack']>[2]>[0];

/** Connected when it is first asked, and again when that failed. */
function clusterOf(reached: Reached): () => Promise<Cluster> {
  let connected: Promise<Cluster> | undefined;
  return async () => {
    connected ??= reached.planDeps().then(({ cluster }) => cluster);
    try {
      return await connected;
    } catch (error) {
      connected = undefined;
      throw error;
    }
  };
}

async function pause({ clock }: LoopDeps, signal: AbortSignal): Promise<void> {
  await clock.delay(LOOK_MS, signal).catch(() => undefined);
}
