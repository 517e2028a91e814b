import { isBackstayError } from '../../errors/index.ts';
import type { Schedule, Stack } from '../../model/index.ts';
import type { ServiceRecord } from '../../ports/index.ts';
import { type Log, whyOf } from '../log.ts';
import { type Held, take } from '../claim.ts';
import type { ServiceDeps } from '../deps.ts';
import { runsOf } from '../stacks/view.ts';
import { begin, type Begun, type Ending, follow } from './deeds.ts';
import { due, next } from './due.ts';
import { ended, keyOf, recordIn, replace, type ScheduleRecord } from './records.ts';

/** Milliseconds: of a service that says nothing for so long, another takes over what it had not begun or was capturing. */
export const CLAIM_MS = 60_000;
/** Milliseconds: a process that no service sees at work for so long is lost. */
export const WORK_MS = 600_000;
/** Milliseconds until a stack at which a run works, or a process that was begun, is looked at again. */
const AGAIN_MS = 5_000;

export interface SchedulerDeps extends ServiceDeps {
  readonly log: Log;
}

/** One schedule of one stack. */
interface One {
  readonly key: string;
  readonly stack: Stack;
  readonly schedule: Schedule;
  readonly facts: { readonly stack: string; readonly schedule: string; readonly do: string };
}

/** Writes over the record that was read, or is held; false: somebody else did before. */
type Keep = (then: ScheduleRecord) => Promise<boolean>;

/** The schedules of all stacks, as one of several services sees to them. The records are all that it shares with others. */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  /** Of this service, in its records. */
  readonly #self: string;
  readonly #signal: AbortSignal;
  readonly #deeds: { readonly begin: typeof begin };
  /** What is at work here, by key. */
  readonly #work = new Map<string, Promise<void>>();
  /** The run for which a schedule waits, where that was said. */
  readonly #putOff = new Map<string, string>();

  /** @param deeds what a test does instead */
  constructor(
    deps: SchedulerDeps,
    self: string,
    signal: AbortSignal,
    deeds: { readonly begin: typeof begin } = { begin },
  ) {
    this.#deps = deps;
    this.#self = self;
    this.#signal = signal;
    this.#deeds = deeds;
  }

  /**
   * Does what is due now, and says when the next thing is. Milliseconds since the epoch; undefined: nothing is scheduled.
   * @throws what listing the stacks throws; what is wrong with one of them is logged, and keeps no other from its turn
   */
  async look(): Promise<number | undefined> {
    const times: number[] = [];
    for (const name of await this.#deps.stackNames()) {
      for (const one of await this.#schedulesOf(name)) {
        if (this.#signal.aborted) return undefined;
        if (!this.#work.has(one.key)) times.push(await this.#tend(one));
      }
    }
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Resolves when nothing of this service is at work any more; the signal ends it sooner. */
  async idle(): Promise<void> {
    await Promise.all(this.#work.values());
  }

  /** A stack file that cannot be used schedules nothing; whoever uses the stack is told why. */
  async #schedulesOf(name: string): Promise<readonly One[]> {
    try {
      const stack = await this.#deps.stack(name);
      return (stack.schedules ?? []).map((schedule) => ({
        key: keyOf(name, schedule.name),
        stack,
        schedule,
        facts: { stack: name, schedule: schedule.name, do: schedule.do },
      }));
    } catch (error) {
      if (isBackstayError(error)) return [];
      throw error;
    }
  }

  async #tend(one: One): Promise<number> {
    const { clock, log } = this.#deps;
    try {
      return await this.#step(one);
    } catch (error) {
      log({ level: 'error', event: 'schedule.unsettled', ...one.facts, ...whyOf(error) });
      return clock.now() + AGAIN_MS;
    }
  }

  /** When to look at it again. */
  async #step(one: One): Promise<number> {
    const { records, clock } = this.#deps;
    const seen = await records.get('schedule', one.key);
    const record = recordIn(seen);
    const now = clock.now();
    const what = next(one.schedule, record, now);
    const at = { key: one.key, version: seen?.version ?? 0 };
    const keep: Keep = async (then) => await replace(records, at, then);
    if (what.kind === 'wait') return what.until;
    if (record === undefined || what.kind === 'see') {
      await keep({ do: one.schedule.do, seenAt: new Date(now).toISOString() });
      return now + one.schedule.everyMs;
    }
    if (what.kind === 'fire') return await this.#fire(one, at, record, what.attempt);
    if (what.kind === 'follow') return await this.#follow(one, record, keep);
    return await this.#end(one, record, { outcome: 'lost' }, keep);
  }

  async #fire(
    one: One,
    at: Pick<ServiceRecord, 'key' | 'version'>,
    before: ScheduleRecord,
    attempt: number,
  ): Promise<number> {
    const { records, clock, log } = this.#deps;
    const { state, run = '' } = await runsOf(one.stack, this.#deps);
    const now = clock.now();
    if (state !== 'idle') {
      if (this.#putOff.get(one.key) !== run)
        log({ level: 'info', event: 'schedule.put-off', ...one.facts, run, state });
      this.#putOff.set(one.key, run);
      return now + AGAIN_MS;
    }
    this.#putOff.delete(one.key);
    const firedAt = attempt === 1 ? new Date(now).toISOString() : (before.firedAt ?? before.seenAt);
    const held = await take(
      {
        kind: 'schedule',
        ...at,
        held: (holder): ScheduleRecord => ({ ...before, firedAt, firing: { attempt, ...holder } }),
      },
      { records, clock, self: this.#self, ms: CLAIM_MS },
    );
    if (held === undefined) return now + AGAIN_MS;
    log({ level: 'info', event: 'schedule.fired', ...one.facts, attempt });
    const work = this.#carry(one, held, { before, attempt })
      .catch((error: unknown) => log({ level: 'error', event: 'schedule.unsettled', ...one.facts, ...whyOf(error) }))
      .finally(() => this.#work.delete(one.key));
    this.#work.set(one.key, work);
    return now + AGAIN_MS;
  }

  /** Never longer than the firing is ours: where another service took it, this ends. */
  async #carry(
    one: One,
    held: Held<ScheduleRecord>,
    { before, attempt }: { readonly before: ScheduleRecord; readonly attempt: number },
  ): Promise<void> {
    const begun = await this.#begin(one, held.lost);
    // This service stops: the next one begins it, at once.
    if (begun === undefined) return void (await held.leave(before));
    if (begun.kind === 'done') {
      await this.#end(one, held.value, begun.ending, async (then) => await held.leave(then));
      return;
    }
    const until = new Date(this.#deps.clock.now() + WORK_MS).toISOString();
    await held.leave({ ...held.value, firing: { attempt, service: this.#self, until, work: begun.work } });
  }

  /** Undefined: this service was stopped first. @throws why it was lost */
  async #begin({ stack, schedule }: One, lost: AbortSignal): Promise<Begun | undefined> {
    try {
      return await this.#deeds.begin(stack, schedule, this.#deps, AbortSignal.any([this.#signal, lost]));
    } catch (error) {
      lost.throwIfAborted();
      return this.#signal.aborted ? undefined : { kind: 'done', ending: { outcome: 'failed', ...whyOf(error) } };
    }
  }

  async #follow(one: One, record: ScheduleRecord, keep: Keep): Promise<number> {
    const { clock } = this.#deps;
    const { firing } = record;
    const now = clock.now();
    if (firing?.work === undefined) return now;
    const found = await follow(one.stack.name, firing.work, this.#deps);
    if (found.kind === 'done') return await this.#end(one, record, found.ending, keep);
    const left = Date.parse(firing.until) - now;
    if (!found.isSeen && left <= 0) return await this.#end(one, record, { outcome: 'lost' }, keep);
    if (found.isSeen && left < WORK_MS / 2) {
      const until = new Date(now + WORK_MS).toISOString();
      await keep({ ...record, firing: { ...firing, until } });
    }
    return now + AGAIN_MS;
  }

  /** Kept, and said by whichever service was the one to keep it. */
  async #end(one: One, record: ScheduleRecord, ending: Ending, keep: Keep): Promise<number> {
    const { clock, log } = this.#deps;
    const now = clock.now();
    const value = ended(record, { at: new Date(now).toISOString(), ...ending });
    if (!(await keep(value))) return now + AGAIN_MS;
    const level = ending.outcome === 'succeeded' ? 'info' : 'error';
    log({ level, event: `schedule.${ending.outcome}`, ...one.facts, ...because(ending) });
    const when = due(one.schedule, value, now);
    return when.kind === 'now' ? now : when.at;
  }
}

function because({ code, message }: Ending): { readonly code?: string; readonly message?: string } {
  return { ...(code === undefined ? {} : { code }), ...(message === undefined ? {} : { message }) };
}
