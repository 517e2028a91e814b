import type { Json } from '../../model/index.ts';
import type { ServiceRecord } from '../../ports/index.ts';
import type { Sent } from './channel.ts';
import type { Telling } from './telling.ts';

/** What is owed to one channel, or was. One record for each event and channel. */
export interface Delivery {
  readonly telling: Telling;
  readonly channel: string;
  /**
   * `due`: waits for `dueAt`. `sending`: a service has begun to; if it dies, another sends it again. `refused`: can never
   * succeed. `given-up`: could not be had within a day. `withdrawn`: nobody has to know any more.
   */
  readonly state: 'due' | 'sending' | 'delivered' | 'refused' | 'given-up' | 'withdrawn';
  /** How often it was begun to be sent. */
  readonly attempts: number;
  /** ISO 8601: not before. */
  readonly dueAt: string;
  /** What the last attempt met, or why it was the last. */
  readonly because?: string;
  readonly reference?: string;
  /** Who sends, or sent it. */
  readonly by?: string;
  /** ISO 8601: delivered, or no longer tried. */
  readonly settledAt?: string;
}

/** Milliseconds after the event for which a delivery is tried. */
export const GIVE_UP_MS = 86_400_000;
/** Milliseconds before the second attempt; doubled with each. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;

/** Deliveries of one lane are made one after the other, in the order of their keys: that in which things happened. */
export function laneOf(subject: string, channel: string): string {
  return `${subject}/${channel}/`;
}

export function keyOf({ subject, at, id }: Telling, channel: string): string {
  return `${laneOf(subject, channel)}${at} ${id}`;
}

/** The lane of a key. */
export function laneIn(key: string): string {
  return key.slice(0, key.lastIndexOf('/', key.indexOf(' ')) + 1);
}

export function isSettled({ state }: Delivery): boolean {
  return state !== 'due' && state !== 'sending';
}

export function owed(telling: Telling, channel: string, now: number): Delivery {
  return { telling, channel, state: 'due', attempts: 0, dueAt: new Date(now).toISOString() };
}

/** As it stands once somebody has begun to send it: written before the first byte leaves. */
export function begun(delivery: Delivery, by: string): Delivery {
  return { ...delivery, state: 'sending', attempts: delivery.attempts + 1, by };
}

export type Outcome = Sent | { readonly kind: 'withdrawn'; readonly because: string };

/**
 * As it stands after an attempt. Tried again with growing pauses, spread by chance so that many do not come back in one
 * moment, until a day after the event; at least once, however late it was noticed.
 * @param random 0 to 1
 */
export function ended(delivery: Delivery, outcome: Outcome, now: number, random: number): Delivery {
  const { because: _because, ...rest } = delivery;
  const settled = { ...rest, settledAt: new Date(now).toISOString() };
  switch (outcome.kind) {
    case 'delivered':
      return {
        ...settled,
        state: 'delivered',
        ...(outcome.reference === undefined ? {} : { reference: outcome.reference }),
      };
    case 'refused':
    case 'withdrawn':
      return { ...settled, state: outcome.kind, because: outcome.because };
    case 'retry': {
      const giveUpAt = Date.parse(delivery.telling.at) + GIVE_UP_MS;
      const { because } = outcome;
      if (now >= giveUpAt) return { ...settled, state: 'given-up', because: `${because}, for a day` };
      const pause = Math.max(pauseAfter(delivery.attempts, random), outcome.afterMs ?? 0);
      const dueAt = new Date(Math.min(now + pause, giveUpAt)).toISOString();
      return { ...rest, state: 'due', because, dueAt };
    }
  }
}

/** Milliseconds: half of it is certain, the other half by chance. */
export function pauseAfter(attempts: number, random: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, attempts - 1));
  return Math.round(longest * (0.5 + random / 2));
}

export function deliveryIn({ value }: Pick<ServiceRecord, 'value'>): Delivery {
  return value as unknown as Delivery;
}

export function jsonOf(delivery: Delivery): Json {
  return delivery as unknown as Json;
}
