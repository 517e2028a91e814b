import { randomUUID } from 'node:crypto';
import { newestChange, observe, observedUntil } from '../../actions/observe/index.ts';
import { isBackstayError } from '../../errors/index.ts';
import { fold } from '../../journal/index.ts';
import type { ObservationPolicy } from '../../model/index.ts';
import { Bell } from '../bell.ts';
import { type Held, type Holder, takeWhole } from '../claim.ts';
import { whyOf } from '../log.ts';
import type { Loop, LoopDeps } from '../loops.ts';
import { tell } from '../notify/told.ts';
import { observationTellings } from './tellings.ts';

/** Milliseconds between two looks at journals that are being written: a run writes many entries a second. */
const PACE_MS = 1_000;
/** Milliseconds of silence after which another service goes on with the watching. */
const CLAIM_MS = 60_000;
/** Milliseconds before a stack whose watching failed is looked at again. */
const AGAIN_MS = 15_000;

/** Watches each stack after its newest run, as its file says; of several services, one does. */
export const observationLoop: Loop = { name: 'observations', start: watchStacks };

/** @throws what records and journal throw; a new start goes on where this one was */
async function watchStacks(deps: LoopDeps, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const bell = new Bell(deps.clock);
  const watchers = new Watchers(deps, either, bell);
  void bell.ringOn(deps.records.changes(either), either);
  try {
    while (!signal.aborted) {
      const due = await watchers.look();
      await deps.clock.delay(PACE_MS, either).catch(() => undefined);
      await bell.rung(due, either);
    }
  } finally {
    over.abort();
    await watchers.left();
  }
}

class Watchers {
  readonly #deps: LoopDeps;
  readonly #signal: AbortSignal;
  readonly #bell: Bell;
  readonly #self = randomUUID();
  /** By stack. */
  readonly #work = new Map<string, Promise<void>>();
  /** By stack: milliseconds since the epoch before which it is left alone. */
  readonly #notBefore = new Map<string, number>();

  constructor(deps: LoopDeps, signal: AbortSignal, bell: Bell) {
    this.#deps = deps;
    this.#signal = signal;
    this.#bell = bell;
  }

  /** Takes up what is to be watched. Gives when to look again, in milliseconds since the epoch, if at any time. */
  async look(): Promise<number | undefined> {
    const dues: number[] = [];
    for (const stack of await this.#deps.stackNames()) {
      if (this.#signal.aborted) break;
      if (this.#work.has(stack)) continue;
      const due = this.#notBefore.get(stack) ?? 0;
      const next = due > this.#deps.clock.now() ? due : await this.#take(stack);
      if (next !== undefined) dues.push(next);
    }
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  async left(): Promise<void> {
    await Promise.all(this.#work.values());
  }

  /** Undefined: there is nothing to do, or this service does it now. Else when another one's claim runs out. */
  async #take(stack: string): Promise<number | undefined> {
    const { records, clock } = this.#deps;
    const policy = await this.#policyOf(stack);
    if (policy === undefined) return undefined;
    const run = await this.#toWatch(stack, policy);
    if (run === undefined) return undefined;
    const claimant = { records, clock, self: this.#self, ms: CLAIM_MS };
    const held = await takeWhole({ kind: 'trigger', key: `${stack}/observe` }, claimant);
    if (typeof held === 'number') return held;
    const work = this.#watch(stack, run, held).finally(() => {
      this.#work.delete(stack);
      this.#bell.ring();
    });
    this.#work.set(stack, work);
    return undefined;
  }

  /** A stack file that cannot be used has nothing to watch; whoever uses the stack is told why. */
  async #policyOf(stack: string): Promise<ObservationPolicy | undefined> {
    try {
      return (await this.#deps.stack(stack)).observe;
    } catch (error) {
      if (isBackstayError(error)) return undefined;
      throw error;
    }
  }

  /** The newest run that changed the stack, while its time is not over; one that was left open is ended however late. */
  async #toWatch(stack: string, policy: ObservationPolicy): Promise<string | undefined> {
    const { run, state } = (await newestChange(stack, this.#deps)) ?? {};
    const until = state === undefined ? undefined : observedUntil(state, policy);
    if (until === undefined) return undefined;
    return until > this.#deps.clock.now() || state?.observation !== undefined ? run : undefined;
  }

  /** Never throws: what failed is logged, and tried again a little later. */
  async #watch(stack: string, run: string, held: Held<Holder>): Promise<void> {
    const { log, clock, by, journal } = this.#deps;
    const signal = AbortSignal.any([this.#signal, held.lost]);
    try {
      log({ level: 'info', event: 'observation.taken', stack, run });
      await this.#deps.withStack(stack, by, async (reached) => {
        let told: Promise<void> = Promise.resolve();
        const tellAll = async (): Promise<void> => {
          for (const telling of observationTellings(fold(await journal.read(run))))
            await tell(telling, this.#deps, signal);
        };
        // After the entry is stored; a service that dies in between leaves it to the next one.
        const report = (): void => {
          told = told.then(tellAll).catch(() => undefined);
        };
        report();
        const result = await observe(
          { run, signal },
          { ...(await reached.observeDeps()), journal, reporter: { report } },
        );
        await told;
        await this.#tellAtLast(tellAll, { stack, run }, signal);
        if (result.kind === 'observed')
          log({ level: 'info', event: 'observation.over', stack, run, outcome: result.outcome });
      });
    } catch (error) {
      if (!signal.aborted) log({ level: 'error', event: 'observation.failed', stack, run, ...whyOf(error) });
      this.#notBefore.set(stack, clock.now() + AGAIN_MS);
    } finally {
      await held.giveUp().catch(() => undefined);
    }
  }

  /** Nobody comes back to a run whose observation is over: until all of it is written down, or the signal fires. */
  async #tellAtLast(
    tellAll: () => Promise<void>,
    about: { readonly stack: string; readonly run: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { log, clock } = this.#deps;
    while (!signal.aborted) {
      try {
        return await tellAll();
      } catch (error) {
        log({ level: 'warn', event: 'observation.untold', ...about, ...whyOf(error) });
        await clock.delay(AGAIN_MS, signal).catch(() => undefined);
      }
    }
  }
}
