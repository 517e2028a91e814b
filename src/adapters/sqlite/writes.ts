import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { type FileChanges, fileChanges } from './changes.ts';
import { guard } from './database.ts';

/** Who waits for writes. */
export interface Subscription {
  /** Resolves once what was written before can be read, whenever something was written since it last did; and at the signal. */
  next(): Promise<void>;
  close(): void;
}

/** Wakes one who waits; with a failure, there is nothing more to come. */
type Wake = (failure?: { readonly error: unknown }) => void;

/** Milliseconds between two looks: a run at work writes by the hundred a second, and each look waits for its writer. */
const PACE = 20;

/**
 * Hears of every write to a database by whatever process, once for all who subscribe. The log is written a moment before its
 * commit can be seen, and nothing is written after it: whoever is about to commit is let finish first.
 */
export class Writes {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #subscribers = new Set<Wake>();
  #stop: AbortController | undefined;

  constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.#database = database;
  }

  /** From now on. The first `next` resolves at once: what is there then is to be read. */
  subscribe(signal: AbortSignal): Subscription {
    let told = true;
    let failure: { readonly error: unknown } | undefined;
    let resume: (() => void) | undefined;
    const wake: Wake = (failed) => {
      failure ??= failed;
      told = true;
      resume?.();
    };
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#start();
    this.#subscribers.add(wake);
    let isFirst = true;
    return {
      next: async () => {
        if (!told && !signal.aborted) await new Promise<void>((resolve) => (resume = resolve));
        resume = undefined;
        told = false;
        if (failure !== undefined) throw failure.error;
        if (isFirst && !signal.aborted) this.#settle();
        isFirst = false;
      },
      close: () => {
        signal.removeEventListener('abort', onAbort);
        this.#subscribers.delete(wake);
        if (this.#subscribers.size > 0) return;
        this.#stop?.abort();
        this.#stop = undefined;
      },
    };
  }

  #settle(): void {
    if (this.#database.isOpen) guard(this.#file, () => this.#database.exec('BEGIN IMMEDIATE; ROLLBACK'));
  }

  #start(): void {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    // Before anybody reads: nothing falls between the two.
    const changes = fileChanges(this.#file, stop.signal);
    this.#stop = stop;
    void this.#pump(changes, stop);
  }

  async #pump(changes: FileChanges, stop: AbortController): Promise<void> {
    try {
      while (!stop.signal.aborted) {
        await changes.next();
        if (stop.signal.aborted) return;
        this.#settle();
        for (const wake of this.#subscribers) wake();
        await delay(PACE, undefined, { signal: stop.signal });
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      // Whoever subscribes next begins anew.
      if (this.#stop === stop) this.#stop = undefined;
      for (const wake of this.#subscribers) wake({ error });
      this.#subscribers.clear();
    } finally {
      changes.close();
    }
  }
}
