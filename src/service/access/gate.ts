import type { Principal } from '../../model/index.ts';

/** What came with a request. */
export interface Credentials {
  /** Of `Authorization: Bearer`. */
  readonly bearer?: string;
  /** Of the page's cookie. */
  readonly session?: string;
}

/** Credentials that hold, and on what that rests. */
export interface Held {
  readonly principal: Principal;
  /** Milliseconds since the epoch. Absent: until it is revoked. */
  readonly expiresAt?: number;
  /** Keys of 'token' records whose removal ends it. */
  readonly keys: readonly string[];
}

/** Who asks, and how long that holds. */
export interface Proven extends Held {
  /** Resolves when it holds no longer: expired, revoked. Never rejects; resolves as well when the signal fires. */
  ended(signal: AbortSignal): Promise<void>;
}

/** Where it is proven who asks. */
export interface Gate {
  /**
   * Undefined when nothing was shown and nobody is let in without.
   * @throws ACCESS_UNPROVEN for what does not hold: unknown, altered, expired, revoked. The message never tells which.
   */
  prove(credentials: Credentials): Promise<Proven | undefined>;
}
