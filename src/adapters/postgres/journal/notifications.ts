import type { Clock } from '../../../ports/index.ts';
import { type Connection, connect } from './connection.ts';
import { isPassing } from './link.ts';
import { CHANNEL } from './schema.ts';

export interface NotificationsOptions {
  readonly url: string;
  readonly run: string;
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** Milliseconds. A cut network says nothing: a connection that was silent this long is asked whether it still is one. */
const SILENCE = 20_000;
const PAUSE = 250;

/** A connection of its own that hears of a run's new entries, and is made again when it is lost. */
export class Notifications {
  readonly #options: NotificationsOptions;
  #connection: Connection | undefined;
  #wasTold = false;
  #wake: (() => void) | undefined;
  readonly #tell = (): void => {
    this.#wasTold = true;
    this.#wake?.();
  };

  constructor(options: NotificationsOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', this.#tell, { once: true });
  }

  /** Returns once it listens, or the signal fired. @throws JOURNAL_UNREACHABLE after the patience */
  async listen(): Promise<void> {
    const { url, run, clock, patienceMs, signal } = this.#options;
    const since = clock.monotonic();
    while (!signal.aborted && (this.#connection === undefined || this.#connection.lost.aborted)) {
      void this.#connection?.close();
      this.#connection = undefined;
      let connection: Connection | undefined;
      try {
        connection = await connect(url);
        connection.lost.addEventListener('abort', this.#tell, { once: true });
        await connection.listen(CHANNEL, (payload) => {
          if (payload.slice(0, payload.lastIndexOf(' ')) === run) this.#tell();
        });
        this.#connection = connection;
      } catch (error) {
        void connection?.close();
        if (!isPassing(error) || clock.monotonic() - since > patienceMs) throw error;
        await clock.delay(PAUSE, signal).catch(() => undefined);
      }
    }
  }

  /** Resolves at the next notification, when the connection was lost, and at the signal. */
  async next(): Promise<void> {
    while (!this.#wasTold) await this.#waitOrProbe();
    this.#wasTold = false;
  }

  async close(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#tell);
    await this.#connection?.close();
    this.#connection = undefined;
  }

  async #waitOrProbe(): Promise<void> {
    const { clock } = this.#options;
    const silence = new AbortController();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      clock.delay(SILENCE, silence.signal).then(resolve, () => undefined);
    });
    this.#wake = undefined;
    silence.abort();
    if (this.#wasTold) return;
    // A query that gets no answer marks the connection as lost, which tells.
    await this.#connection?.query('SELECT 1').catch(this.#tell);
  }
}
