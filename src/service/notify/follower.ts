import { advance, fold, type JournalEntry, type RunState } from '../../journal/index.ts';
import type { NotificationPolicy } from '../../model/index.ts';
import { standingOf } from '../../rollback/index.ts';
import { Bell } from '../bell.ts';
import { type Alarm, alarmsOf, isOpen } from './alarms.ts';
import { GIVE_UP_MS } from './delivery.ts';
import type { NotifyDeps } from './outbox.ts';
import { tellingsOf } from './telling.ts';
import { moveTo, type Place, policyOf, tell } from './told.ts';

export interface Following {
  readonly run: string;
  /** ISO 8601: nothing of before is told. */
  readonly since: string;
  /** How far a service came with it before. */
  readonly place: Place;
  /** Lets few at a time read a journal from its beginning. */
  readonly gate: <T>(read: () => Promise<T>) => Promise<T>;
}

/** Reads one run from its beginning, and tells what its entries and its silence are to people. */
export class Follower {
  readonly #following: Following;
  readonly #deps: NotifyDeps;
  readonly #bell: Bell;
  readonly #written: Bell;
  readonly #queue: JournalEntry[] = [];
  readonly #told = new Set<string>();
  #state: RunState | undefined;
  /** Null: the stack tells nobody. Undefined: to be read anew. */
  #policy: NotificationPolicy | null | undefined;

  constructor(following: Following, deps: NotifyDeps) {
    this.#following = following;
    this.#deps = deps;
    this.#bell = new Bell(deps.clock);
    this.#written = new Bell(deps.clock);
  }

  /** Something was written. Needed for a run that ended and can begin again: others are followed. */
  poke(): void {
    this.#written.ring();
  }

  /**
   * Returns true when nothing more can come of the run, false when there is nothing of it yet or the signal fired.
   * @throws JOURNAL_BROKEN, and what journal and records throw
   */
  async work(signal: AbortSignal): Promise<boolean> {
    const { run, gate } = this.#following;
    // As a whole first: on half of it alarms would go off that are long over.
    for (const entry of await gate(async () => await this.#deps.journal.read(run))) await this.#take(entry, signal);
    if (this.#state === undefined || (await this.#isDone(this.#state))) return this.#state !== undefined;
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const parts = [this.#wait(stop), this.#readOn(this.#state.sequence, stop)];
    try {
      await Promise.race(parts);
    } finally {
      over.abort();
      await Promise.allSettled(parts);
    }
    return !signal.aborted;
  }

  async #readOn(from: number, stop: AbortSignal): Promise<void> {
    let last = from;
    while (!stop.aborted) {
      for await (const entry of this.#deps.journal.follow(this.#following.run, last, stop)) {
        last = entry.sequence;
        this.#queue.push(entry);
        this.#bell.ring();
      }
      // A mixed run may be resumed, and an approval may still come after the end.
      await this.#written.rung(undefined, stop);
    }
  }

  async #wait(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const next = await this.#tellAlarms(stop);
      if (this.#queue.length === 0) await this.#bell.rung(next, stop);
      for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
        await this.#take(entry, stop);
        if (stop.aborted) return;
      }
      if (this.#state !== undefined && (await this.#isDone(this.#state))) return;
    }
  }

  async #take(entry: JournalEntry, signal: AbortSignal): Promise<void> {
    const { run, since, place } = this.#following;
    const before = this.#state;
    const after = advance(before, entry);
    this.#state = after;
    if (entry.sequence <= (place.sequence ?? 0) || entry.time < since) return;
    const tellings = tellingsOf(before, after, entry);
    if (tellings.length === 0) return;
    for (const telling of tellings) await tell(telling, this.#deps, signal);
    await moveTo(run, { sequence: entry.sequence }, this.#deps);
    this.#policy = undefined;
  }

  /** Over, and no approval is due afterwards. */
  async #isDone(state: RunState): Promise<boolean> {
    if (isOpen(state) || standingOf(state, this.#deps.clock.now()).kind === 'due') return false;
    await moveTo(state.run, { sequence: state.sequence, over: true }, this.#deps);
    return true;
  }

  /** Gives the time of the next one, in milliseconds since the epoch. */
  async #tellAlarms(stop: AbortSignal): Promise<number | undefined> {
    const { journal, clock } = this.#deps;
    if (this.#state === undefined) return undefined;
    const expected = await this.#alarms(this.#state, stop);
    if (!expected.some(({ dueAt }) => dueAt <= clock.now())) return expected[0]?.dueAt;
    // More may have been written than we were told of, and the stack file may be another one by now.
    this.#policy = undefined;
    const state = fold(await journal.read(this.#following.run));
    const alarms = await this.#alarms(state, stop);
    for (const { telling, dueAt } of alarms) {
      if (dueAt > clock.now()) return dueAt;
      await tell(telling, this.#deps, stop);
      this.#told.add(telling.id);
    }
    return undefined;
  }

  /** Those that are not told yet, nor too old to be told to anybody; by time. */
  async #alarms(state: RunState, stop: AbortSignal): Promise<readonly Alarm[]> {
    this.#policy ??= (await policyOf(state.stack, this.#deps, stop)) ?? null;
    if (this.#policy === null) return [];
    const now = this.#deps.clock.now();
    const oldest = Math.max(Date.parse(this.#following.since), now - GIVE_UP_MS);
    return alarmsOf(state, this.#policy, now).filter(
      ({ dueAt, telling }) => dueAt >= oldest && !this.#told.has(telling.id),
    );
  }
}
