import type { Clock } from '../../../ports/index.ts';
import { type Connection, connect } from './connection.ts';
import { isPassing } from './link.ts';

export interface ListenerOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly channels: readonly string[];
}

export interface Subscription {
  /** Returns once it is listened, or the signal fired. @throws JOURNAL_UNREACHABLE after the patience */
  listen(): Promise<void>;
  /** Resolves when something was heard since it last resolved, and at the signal. */
  next(): Promise<void>;
  close(): Promise<void>;
}

/** What one hears: whether this notification wakes it. Without a payload: the connection was lost, with what it had to tell. */
export type Hears = (channel: string, payload: string | undefined) => boolean;

/** Milliseconds. A cut network says nothing: a connection that was silent this long is asked whether it still is one. */
const SILENCE = 20_000;
const PAUSE = 250;

/**
 * One connection that hears for all who subscribe, made when the first one does, made again when it is lost, and closed with
 * the last one: a server has a hundred connections, and a service any number of people who follow runs.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #hearers = new Set<Hears>();
  #connection: Connection | undefined;
  #connecting: Promise<void> | undefined;
  #heard = false;
  #silence = new AbortController();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** `patienceMs`: how long a lost server is waited for, in milliseconds; Infinity as long as the signal lets it. */
  subscribe(hears: Hears, signal: AbortSignal, patienceMs: number): Subscription {
    let wasTold = false;
    let wake: (() => void) | undefined;
    const tell = (): void => {
      wasTold = true;
      wake?.();
    };
    const hearer: Hears = (channel, payload) => {
      const wakes = hears(channel, payload);
      if (wakes) tell();
      return wakes;
    };
    this.#hearers.add(hearer);
    signal.addEventListener('abort', tell, { once: true });
    return {
      listen: async () => await this.#listen(signal, patienceMs),
      next: async () => {
        if (!wasTold && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
        wake = undefined;
        wasTold = false;
      },
      close: async () => {
        signal.removeEventListener('abort', tell);
        this.#hearers.delete(hearer);
        if (this.#hearers.size === 0) await this.#disconnect();
      },
    };
  }

  async #listen(signal: AbortSignal, patienceMs: number): Promise<void> {
    const { clock } = this.#options;
    const since = clock.monotonic();
    while (!signal.aborted && (this.#connection === undefined || this.#connection.lost.aborted)) {
      try {
        await (this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined)));
      } catch (error) {
        if (!isPassing(error) || clock.monotonic() - since > patienceMs) throw error;
        await clock.delay(PAUSE, signal).catch(() => undefined);
      }
    }
  }

  async #connect(): Promise<void> {
    await this.#disconnect();
    const connection = await connect(this.#options.url);
    try {
      for (const channel of this.#options.channels) {
        await connection.listen(channel, (payload) => {
          this.#heard = true;
          this.#tell(channel, payload);
        });
      }
    } catch (error) {
      void connection.close();
      throw error;
    }
    this.#connection = connection;
    // Whoever is told so listens again before it looks: nothing falls between two connections.
    connection.lost.addEventListener(
      'abort',
      () => this.#options.channels.forEach((one) => this.#tell(one, undefined)),
      {
        once: true,
      },
    );
    if (this.#hearers.size === 0) return await this.#disconnect();
    void this.#probe(connection, this.#silence.signal);
  }

  #tell(channel: string, payload: string | undefined): void {
    for (const hears of this.#hearers) hears(channel, payload);
  }

  async #probe(connection: Connection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !connection.lost.aborted) {
      this.#heard = false;
      await this.#options.clock.delay(SILENCE, signal).catch(() => undefined);
      if (signal.aborted || this.#heard) continue;
      // A query that gets no answer marks the connection as lost, which tells.
      await connection.query('SELECT 1').catch(() => undefined);
    }
  }

  async #disconnect(): Promise<void> {
    this.#silence.abort();
    this.#silence = new AbortController();
    const connection = this.#connection;
    this.#connection = undefined;
    // What is lost may take its time to say so.
    if (connection?.lost.aborted === true) void connection.close();
    else await connection?.close();
  }
}
