import type { ServiceDeps } from './deps.ts';

/** Something to look at again. Without a stack: anything may have changed. */
export interface Changed {
  readonly stack?: string;
  readonly run?: string;
  readonly proposal?: string;
}

type Deps = Pick<ServiceDeps, 'records' | 'feeds' | 'clock'>;

/** Milliseconds between two rounds for one reader: a run writes many entries a second, and one look shows them all. */
const PACE_MS = 250;

/** What changes, told to all who watch from one reading of the stores. A reader that is slow hears of each thing once. */
export class Changes {
  readonly #deps: Deps;
  readonly #readers = new Set<Reader>();
  #stop: AbortController | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Begins with the next change. Ends when the signal fires. @throws what the stores throw */
  async *follow(signal: AbortSignal): AsyncGenerator<readonly Changed[], void, undefined> {
    const reader = new Reader();
    this.#readers.add(reader);
    this.#start();
    const wake = (): void => reader.wake();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted) {
        const changed = await reader.take();
        if (signal.aborted) return;
        yield changed;
        await this.#deps.clock.delay(PACE_MS, signal).catch(() => undefined);
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#readers.delete(reader);
      if (this.#readers.size === 0) {
        this.#stop?.abort();
        this.#stop = undefined;
      }
    }
  }

  #start(): void {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    this.#stop = stop;
    void this.#read(stop.signal).catch((error: unknown) => {
      if (stop.signal.aborted) return;
      stop.abort();
      if (this.#stop === stop) this.#stop = undefined;
      for (const reader of this.#readers) reader.fail(error);
    });
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { records, feeds } = this.#deps;
    const runs = async (): Promise<void> => {
      for await (const { run } of records.changes(signal)) {
        const stack = run === undefined ? undefined : await feeds.stackOf(run);
        this.#tell(run === undefined || stack === undefined ? {} : { stack, run });
      }
    };
    const proposals = async (): Promise<void> => {
      for await (const { key, record } of records.follow('proposal', signal)) {
        const { stack } = (record?.value ?? {}) as { readonly stack?: string };
        this.#tell(stack === undefined ? {} : { stack, proposal: key });
      }
    };
    await Promise.all([runs(), proposals()]);
  }

  #tell(changed: Changed): void {
    for (const reader of this.#readers) reader.put(changed);
  }
}

class Reader {
  readonly #pending = new Map<string, Changed>();
  #failure: { readonly error: unknown } | undefined;
  #told = Promise.withResolvers<void>();

  put(changed: Changed): void {
    this.#pending.set(`${changed.stack ?? ''}/${changed.run ?? ''}/${changed.proposal ?? ''}`, changed);
    this.wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.wake();
  }

  wake(): void {
    this.#told.resolve();
  }

  /** All that was put since the last time, once there is something. */
  async take(): Promise<readonly Changed[]> {
    await this.#told.promise;
    this.#told = Promise.withResolvers<void>();
    if (this.#failure !== undefined) throw this.#failure.error;
    const changed = [...this.#pending.values()];
    this.#pending.clear();
    return changed;
  }
}
