/** What a service does to a stack by itself, again and again. */
export type Schedule = {
  /** Unique within the stack: letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** Milliseconds from one firing to the next; from when it was first seen to the first. At least a minute. */
  readonly everyMs: number;
} & ScheduledDeed;

type ScheduledDeed =
  /** A snapshot of the stack as it is, with its checks. */
  | { readonly do: 'capture'; readonly reason?: string }
  /** The newest backup is restored beside the live data, counted and dropped. Without a store: the stack's only one. */
  | { readonly do: 'drill'; readonly store?: string }
  /** What is past its retention is removed. */
  | { readonly do: 'finalize-expired' };
