import type { HttpClient } from '../../../ports/index.ts';
import type { Sent } from '../channel.ts';
import { REQUEST_MS, sentOf, wordsOf } from './answer.ts';

export interface Post {
  readonly http: HttpClient;
  /** Of the channel. */
  readonly name: string;
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What must not be repeated, whoever says it. */
  readonly secrets: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** One POST of JSON, and what its answer means. @throws what the client throws */
export async function post({ http, name, url, body, headers, secrets, now, signal }: Post): Promise<Sent> {
  const answer = await http.request({
    method: 'POST',
    url,
    body,
    headers: { 'content-type': 'application/json', ...headers },
    timeoutMs: REQUEST_MS,
    signal,
  });
  const words = wordsOf(answer.body);
  return sentOf({ ...answer, ...(words === undefined ? {} : { words }) }, name, { now, secrets });
}
