/** A delivery that waits: for its time, or for whoever has begun to send it. */
export interface Waiting {
  readonly key: string;
  readonly lane: string;
  /** Of one stack: its lanes end at the same receiver. */
  readonly channel: string;
  /** Milliseconds since the epoch: not before. */
  readonly at: number;
}

export interface Schedule {
  /** To be sent now, those first that waited longest; one a lane. */
  readonly ready: readonly string[];
  /** Milliseconds since the epoch: when the next one is due. Undefined: only a change can bring one. */
  readonly wakeAt?: number;
}

/** How many may be sent at a time. */
export interface Room {
  readonly inAll: number;
  /** A receiver that is slow keeps no more than this of the room from the others. */
  readonly perChannel: number;
}

/**
 * What to send now. Of each lane only the first one is looked at, so that nothing overtakes; lanes wait for nobody but
 * themselves and, for room, those of the same channel. @param busy channels by the lanes in which we send already
 */
export function schedule(
  waiting: Iterable<Waiting>,
  { busy, now, room }: { readonly busy: ReadonlyMap<string, string>; readonly now: number; readonly room: Room },
): Schedule {
  const heads = new Map<string, Waiting>();
  for (const one of waiting) {
    const head = heads.get(one.lane);
    if (head === undefined || one.key < head.key) heads.set(one.lane, one);
  }
  const free = [...heads.values()].filter(({ lane }) => !busy.has(lane)).toSorted((a, b) => a.at - b.at);
  const next = free.find(({ at }) => at > now);
  const used = new Map<string, number>();
  for (const channel of busy.values()) used.set(channel, (used.get(channel) ?? 0) + 1);
  const ready: string[] = [];
  for (const { key, channel, at } of free) {
    const sending = used.get(channel) ?? 0;
    if (at > now || busy.size + ready.length >= room.inAll || sending >= room.perChannel) continue;
    used.set(channel, sending + 1);
    ready.push(key);
  }
  return { ready, ...(next === undefined ? {} : { wakeAt: next.at }) };
}
