import { BackstayError } from '../errors/index.ts';
import type { HttpAnswer, HttpClient } from '../ports/index.ts';

export interface WebhookCall {
  readonly http: HttpClient;
  /** For messages. */
  readonly name: string;
  /** A secret: whoever knows it may post. */
  readonly url: string;
  readonly text: string;
  /** Instead of the webhook's own. */
  readonly channel?: string;
  /** By which the receiver can tell a repeat. */
  readonly id: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Posts to a Slack-compatible incoming webhook. Any status is an answer. Its address is a secret, and so never named.
 * @throws ENDPOINT_UNREACHABLE, also for an address that is none, and the signal's reason when it fires
 */
export async function postToWebhook(call: WebhookCall): Promise<HttpAnswer> {
  const { http, name, text, channel, id, timeoutMs, signal } = call;
  const url = call.url.trim();
  if (!URL.canParse(url)) throw new BackstayError('ENDPOINT_UNREACHABLE', `${name}: the address is not a URL`);
  const body = JSON.stringify({ text, ...(channel === undefined ? {} : { channel }) });
  const headers = { 'content-type': 'application/json', 'idempotency-key': id };
  try {
    return await http.request({ method: 'POST', url, headers, body, timeoutMs, signal });
  } catch {
    signal.throwIfAborted();
    // What failed underneath names host and path, and the path of a webhook is its password.
    throw new BackstayError('ENDPOINT_UNREACHABLE', `${name} gives no answer`);
  }
}
