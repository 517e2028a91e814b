import { isBackstayError } from '../../../errors/index.ts';
import type { Clock, HttpClient, KeyReader } from '../../../ports/index.ts';
import type { Sent } from '../channel.ts';

/** What every kind of channel stands on. */
export interface ChannelDeps {
  readonly http: HttpClient;
  readonly keys: KeyReader;
  readonly clock: Pick<Clock, 'now'>;
}

/** Milliseconds for one request; whoever takes longer is asked again later. */
export const REQUEST_MS = 10_000;
/** Characters of a receiver's own words. */
const LONGEST_WORDS = 200;
/** Milliseconds: nobody may keep us waiting for longer. */
const LONGEST_WAIT_MS = 3_600_000;

/** Below 500, what can be otherwise the next time. */
const PASSING: ReadonlySet<number> = new Set([408, 423, 425, 429]);

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** In the receiver's own words, what is wrong. */
  readonly words: string | undefined;
}

/** What an answer is to a message. `name` is the channel's. @param now milliseconds since the epoch */
export function sentOf(
  { status, headers, words }: Answer,
  name: string,
  { now, secrets }: { readonly now: number; readonly secrets: readonly string[] },
): Sent {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const said = words === undefined || words.trim() === '' ? '' : `: ${shown(words, secrets)}`;
  const because = `${name} answers ${status}${said}`;
  const afterMs = waitOf(headers, now);
  if (status >= 500 || PASSING.has(status) || isExhausted(status, headers)) {
    return { kind: 'retry', because, ...(afterMs === undefined ? {} : { afterMs }) };
  }
  return { kind: 'refused', because };
}

/** What an error underneath is to a message; its own text may name a secret address, and is not repeated. */
export function failureOf(error: unknown, name: string, signal: AbortSignal): Sent {
  signal.throwIfAborted();
  // Names a variable or a file, never what is in it.
  if (isBackstayError(error, 'KEY_MISSING') || isBackstayError(error, 'KEY_EXPOSED'))
    return { kind: 'retry', because: error.message };
  const because = isBackstayError(error, 'TIMEOUT')
    ? `${name} gave no whole answer within ${REQUEST_MS / 1000} s`
    : `${name} gives no answer`;
  return { kind: 'retry', because };
}

/** GitHub says 403 both for what is forbidden and for what was asked too often. */
function isExhausted(status: number, headers: Readonly<Record<string, string>>): boolean {
  return status === 403 && (headers['x-ratelimit-remaining'] === '0' || headers['retry-after'] !== undefined);
}

/** Retry-After in seconds or as a date, else when GitHub's allowance begins anew. */
function waitOf(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const after = headers['retry-after']?.trim();
  const reset = headers['x-ratelimit-remaining'] === '0' ? Number(headers['x-ratelimit-reset']) : Number.NaN;
  const wait =
    after === undefined ? reset * 1000 - now : /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), LONGEST_WAIT_MS) : undefined;
}

/** One line, cut, and without any secret that a receiver may have sent back to us. */
function shown(words: string, secrets: readonly string[]): string {
  const clean = secrets
    .filter((secret) => secret !== '')
    .reduce((text, secret) => text.replaceAll(secret, '[secret]'), words)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return clean.length <= LONGEST_WORDS ? clean : `${clean.slice(0, LONGEST_WORDS)}…`;
}

/** `message`, `error` or `errors` of a JSON body; undefined where there are no such words. */
export function wordsOf(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return body.startsWith('<') ? undefined : body;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { message, error, errors } = value as Readonly<Record<string, unknown>>;
  const list = Array.isArray(errors) ? errors.filter((one) => typeof one === 'string') : [];
  const words = [message, error].filter((one) => typeof one === 'string');
  return words.length + list.length === 0 ? undefined : [...words, ...list].join('; ');
}
