import type { KeySource } from '../../../model/index.ts';
import type { Channel, Message, Sent } from '../channel.ts';
import { type ChannelDeps, REQUEST_MS, sentOf, wordsOf } from './answer.ts';
import { keyed } from './keyed.ts';

/** What is asked of a receiver. */
export interface Post {
  /** A text is sent as it is. */
  readonly body: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A channel that sends each message as one POST of JSON, with the event's id by which receivers tell a repeat. `post` says
 * which, or why there is none; `now` is in milliseconds since the epoch.
 */
export function posting(
  { name, url, key }: { readonly name: string; readonly url: string; readonly key: KeySource },
  deps: ChannelDeps,
  post: (message: Message, secret: string, now: number) => Post | Exclude<Sent, { kind: 'delivered' }>,
): Channel {
  const { http, clock } = deps;
  return keyed({ name, key }, deps, async (message, { signal }, secret) => {
    const now = clock.now();
    const made = post(message, secret, now);
    if ('kind' in made) return made;
    const answer = await http.request({
      method: 'POST',
      url,
      body: typeof made.body === 'string' ? made.body : JSON.stringify(made.body),
      headers: { 'content-type': 'application/json', 'idempotency-key': message.id, ...made.headers },
      timeoutMs: REQUEST_MS,
      signal,
    });
    return sentOf({ ...answer, words: wordsOf(answer.body) }, name, { now, secrets: [secret] });
  });
}
