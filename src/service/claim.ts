import type { Json } from '../model/index.ts';
import type { Clock, RecordKind, ServiceStore } from '../ports/index.ts';

/** Which of several services is at something. Stands in a record, by itself or with more. */
export interface Holder {
  /** One life of one process. */
  readonly service: string;
  /** ISO 8601: from then on others may take it. */
  readonly until: string;
}

/** Until when `self` leaves it to another, in milliseconds since the epoch; undefined: it need not. Pure. */
export function heldByOther(holder: Holder | undefined, self: string, now: number): number | undefined {
  if (holder === undefined || holder.service === self) return undefined;
  const until = Date.parse(holder.until);
  return now < until ? until : undefined;
}

/** A record as it was read (version 0: there is none), and what it is while somebody holds it. */
export interface Claimable<T> {
  readonly kind: RecordKind;
  readonly key: string;
  readonly version: number;
  held(holder: Holder): T;
}

export interface Claimant {
  readonly records: Pick<ServiceStore, 'get' | 'put'>;
  readonly clock: Pick<Clock, 'now' | 'delay'>;
  readonly self: string;
  /** Milliseconds of silence after which it is taken for gone. It renews four times in that. */
  readonly ms: number;
}

/**
 * Writes that this service has it, and goes on doing so. Whether it may is asked before, by what was read. Undefined: another
 * one was first. @throws what the records throw
 */
export async function take<T>(what: Claimable<T>, by: Claimant): Promise<Held<T> | undefined> {
  const written = await write(what, by, what.version);
  return written === undefined ? undefined : new Held(what, by, written);
}

/**
 * The same for a record that says who has it and nothing else. Where another one does: until when, in milliseconds since the
 * epoch. @throws what the records throw
 */
export async function takeWhole(
  { kind, key }: Pick<Claimable<Holder>, 'kind' | 'key'>,
  by: Claimant,
): Promise<Held<Holder> | number> {
  const there = await by.records.get(kind, key);
  const other = heldByOther(there?.value as unknown as Holder | undefined, by.self, by.clock.now());
  if (other !== undefined) return other;
  const held = await take({ kind, key, version: there?.version ?? 0, held: (holder) => holder }, by);
  return held ?? by.clock.now() + by.ms;
}

/** What a service holds: its record as it was written last. Renewed until it is left, or lost. */
export class Held<T> {
  readonly #what: Claimable<T>;
  readonly #by: Claimant;
  readonly #lost = new AbortController();
  readonly #over = new AbortController();
  #written: Written<T>;
  #renewing: Promise<void> | undefined;

  constructor(what: Claimable<T>, by: Claimant, written: Written<T>) {
    this.#what = what;
    this.#by = by;
    this.#written = written;
    void this.#keep();
  }

  /** Fires when others may have it: with TakenOver, or with what the records threw. What is done with it ends then. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get value(): T {
    return this.#written.value;
  }

  /** Renews it no more, and writes what the record is from now on; false: it was lost before. @throws what the records throw */
  async leave(next: T): Promise<boolean> {
    this.#over.abort();
    await this.#renewing;
    if (this.lost.aborted) return false;
    const { kind, key } = this.#what;
    return (await this.#by.records.put(kind, key, this.#written.version, next as Json)) !== undefined;
  }

  /** Renews it no more: whoever is next need not wait until this service is taken for gone. Otherwise as `leave`. */
  async giveUp(): Promise<boolean> {
    const { self, clock } = this.#by;
    return await this.leave(this.#what.held({ service: self, until: new Date(clock.now()).toISOString() }));
  }

  /** A renewal that has no answer yet keeps it from nobody longer than it was written. */
  async #keep(): Promise<void> {
    const { clock, ms } = this.#by;
    while (!this.lost.aborted) {
      const left = this.#written.until - clock.now();
      if (left <= 0) return this.#lost.abort(new TakenOver());
      const isOver = await clock.delay(Math.min(left, ms / 4), this.#over.signal).then(
        () => false,
        () => true,
      );
      if (isOver) return;
      if (clock.now() < this.#written.until) this.#renewing ??= this.#renew();
    }
  }

  async #renew(): Promise<void> {
    try {
      const written = await write(this.#what, this.#by, this.#written.version);
      if (written === undefined) this.#lost.abort(new TakenOver());
      else this.#written = written;
    } catch (error) {
      this.#lost.abort(error);
    } finally {
      this.#renewing = undefined;
    }
  }
}

interface Written<T> {
  readonly value: T;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly version: number;
}

/** It counts from before it is asked for, however long the answer takes. */
async function write<T>(
  what: Claimable<T>,
  { records, clock, self, ms }: Claimant,
  version: number,
): Promise<Written<T> | undefined> {
  const until = clock.now() + ms;
  const value = what.held({ service: self, until: new Date(until).toISOString() });
  const record = await records.put(what.kind, what.key, version, value as Json);
  return record === undefined ? undefined : { value, until, version: record.version };
}

/** Another service has it, or may: this one was silent for too long. */
class TakenOver extends Error {
  override readonly name = 'TakenOver';
}
