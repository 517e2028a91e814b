export interface BackOffOptions {
  /** First wait, milliseconds. A kubelet uses 10 s. */
  readonly baseMs: number;
  /** Longest wait, milliseconds. A kubelet uses 5 min. */
  readonly maxMs: number;
  /** Quiet time after which it starts from the beginning, milliseconds. A kubelet uses 10 min. */
  readonly resetMs: number;
}

/** Where a back-off stands: the wait before the next attempt, and when it was last lengthened. */
export interface BackOffState {
  readonly waitMs: number;
  readonly at: number;
}

/** A kubelet's proportions on a base that a sandbox may shorten. */
export function backOffOptions(baseMs: number): BackOffOptions {
  return { baseMs, maxMs: baseMs * 30, resetMs: 600_000 };
}

/**
 * The state after one more failure at `now` (milliseconds, any clock). The first failure of a series is retried at once,
 * the second after the base, each further one after twice as long, up to the maximum.
 */
export function backOff(previous: BackOffState | undefined, now: number, options: BackOffOptions): BackOffState {
  if (previous === undefined || now - previous.at > options.resetMs) return { waitMs: 0, at: now };
  const waitMs = previous.waitMs === 0 ? options.baseMs : Math.min(previous.waitMs * 2, options.maxMs);
  return { waitMs, at: now };
}

/** `10s`, `2m40s`, `500ms`: durations as Go prints them, which is how they stand in a kubelet's messages. */
export function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = (ms - minutes * 60_000) / 1000;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
