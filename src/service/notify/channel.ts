import type { Telling } from './telling.ts';

/** What one channel is to say, in its own words. */
export interface Message extends Omit<Telling, 'to'> {
  /** One line. */
  readonly title: string;
  /** May be empty. */
  readonly text: string;
  readonly link?: string;
}

/** How a sending is done; the rest is the message's. */
export interface Sending {
  /** Whether this message, or an earlier one of its subject, may have arrived without our knowing. */
  readonly repeated: boolean;
  /** What an earlier message of the same subject was answered with. */
  readonly reference?: string;
  readonly signal: AbortSignal;
}

/** How it went. `because` is one line for people and never holds a secret. */
export type Sent =
  | {
      readonly kind: 'delivered';
      /** What later messages of the same subject need: an issue's number. */
      readonly reference?: string;
    }
  /** Not now: tried again later, in so many milliseconds at the earliest. */
  | { readonly kind: 'retry'; readonly because: string; readonly afterMs?: number }
  /** Not ever. */
  | { readonly kind: 'refused'; readonly because: string };

/** One place that is told. Sending twice with one id has the effect of sending once, as far as the receiver can tell. */
export interface Channel {
  /** Never throws but for the signal. */
  send(message: Message, sending: Sending): Promise<Sent>;
}
