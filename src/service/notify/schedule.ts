/** A delivery that waits: for its time, or for whoever has begun to send it. */
export interface Waiting {
  readonly key: string;
  readonly lane: string;
  /** Milliseconds since the epoch: not before. */
  readonly at: number;
}

export interface Schedule {
  /** To be sent now, those first that waited longest; one a lane. */
  readonly ready: readonly string[];
  /** Milliseconds since the epoch: when the next one is due. Undefined: only a change can bring one. */
  readonly wakeAt?: number;
}

/**
 * What to send now. Of each lane only the first one is looked at, so that nothing overtakes; lanes wait for nobody but
 * themselves. @param busy lanes in which we send already @param room how many more may be sent at a time
 */
export function schedule(
  waiting: Iterable<Waiting>,
  { busy, now, room }: { readonly busy: ReadonlySet<string>; readonly now: number; readonly room: number },
): Schedule {
  const heads = new Map<string, Waiting>();
  for (const one of waiting) {
    const head = heads.get(one.lane);
    if (head === undefined || one.key < head.key) heads.set(one.lane, one);
  }
  const free = [...heads.values()].filter(({ lane }) => !busy.has(lane)).toSorted((a, b) => a.at - b.at);
  const due = free.filter(({ at }) => at <= now);
  const next = free.find(({ at }) => at > now);
  return {
    ready: due.slice(0, Math.max(0, room)).map(({ key }) => key),
    ...(next === undefined ? {} : { wakeAt: next.at }),
  };
}
