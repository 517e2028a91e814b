import { BackstayError, isBackstayError } from '../../../errors/index.ts';
import type { Clock } from '../../../ports/index.ts';
import { type Connection, connect, isConnectionFailure, reasonOf, stateOf, unreachable } from './connection.ts';

export interface LinkOptions {
  readonly url: string;
  readonly where: string;
  readonly clock: Clock;
  /** How long a lost server is waited for before it is given up, in milliseconds. */
  readonly patienceMs: number;
}

/** Milliseconds between two tries to connect again; they grow to the second. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 2_000;

/** A connection that is made again when it was lost. One statement at a time, in the order in which they are asked. */
export class Link {
  readonly #options: LinkOptions;
  #connection: Connection | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  /** Of many who wait for a server that is away, nobody waits longer than the first. */
  #awaySince: number | undefined;
  #isClosed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Works with the connection when nobody else does. Where the connection breaks, `work` is called again on a new one, with
   * `isAgain`: what the first call asked for may have happened. @throws JOURNAL_UNREACHABLE after the patience
   */
  async use<T>(work: (connection: Connection, isAgain: boolean) => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => await this.#retry(work));
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }

  /** As `use`, but the first failure counts: for opening, where a wrong address must not take half a minute. */
  async once<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#connect());
    } catch (error) {
      throw this.#told(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue;
    await this.#connection?.close();
    this.#connection = undefined;
  }

  async #retry<T>(work: (connection: Connection, isAgain: boolean) => Promise<T>): Promise<T> {
    const { clock, patienceMs } = this.#options;
    let pause = FIRST_PAUSE;
    let since: number | undefined;
    let isAgain = false;
    for (;;) {
      try {
        const connection = await this.#connect();
        this.#awaySince = undefined;
        return await work(connection, isAgain).catch((error: unknown) => {
          isAgain = true;
          throw error;
        });
      } catch (error) {
        this.#awaySince ??= clock.monotonic();
        since ??= this.#awaySince;
        if (!isPassing(error) || this.#isClosed || clock.monotonic() - since > patienceMs) throw this.#told(error);
        await clock.delay(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      }
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#connection?.lost.aborted === true) {
      // Not waited for: what is lost may take its time to say so.
      void this.#connection.close();
      this.#connection = undefined;
    }
    return (this.#connection ??= await connect(this.#options.url));
  }

  #told(error: unknown): unknown {
    if (isBackstayError(error)) return error;
    if (isConnectionFailure(error)) return unreachable(this.#options.url, error);
    const { where } = this.#options;
    return new BackstayError('JOURNAL_BROKEN', `the journal ${where} cannot be used: ${reasonOf(error)}`, {
      details: { where, reason: reasonOf(error) },
    });
  }
}

/** Another session is in the way, or there are too many: `lock_not_available`, `deadlock_detected` and their like. */
const IN_THE_WAY: ReadonlySet<string> = new Set(['40001', '40P01', '53300', '55P03']);

/** Whether the server may be back in a moment: a cut connection, a restart, a failover. A refused password stays refused. */
export function isPassing(error: unknown): boolean {
  if (isBackstayError(error, 'JOURNAL_UNREACHABLE')) return error.details['retry'] === true;
  return !isBackstayError(error) && (isConnectionFailure(error) || IN_THE_WAY.has(stateOf(error) ?? ''));
}
