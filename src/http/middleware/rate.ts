import type { MiddlewareHandler } from 'hono';
import { BackstayError } from '../../errors/index.ts';
import type { AppEnv, HttpDeps } from '../context.ts';
import { addressOf } from './address.ts';

/** Of a flood from many addresses only so many are remembered: those that asked last. */
const REMEMBERED = 10_000;

const ALERTS = '/v1/triggers/';
/** So many times as many. */
const STORM = 20;

interface Bucket {
  readonly tokens: number;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** What is left after one more request, and how long to wait where nothing is. A full bucket holds what a minute may bring. */
export function take(bucket: Bucket | undefined, now: number, perMinute: number): Bucket & { readonly waitMs: number } {
  const filled =
    bucket === undefined ? perMinute : Math.min(perMinute, bucket.tokens + ((now - bucket.at) * perMinute) / 60_000);
  if (filled >= 1) return { tokens: filled - 1, at: now, waitMs: 0 };
  return { tokens: filled, at: now, waitMs: Math.ceil(((1 - filled) * 60_000) / perMinute) };
}

/** By principal where there is one, else by address. In memory: each service counts what it is asked itself. */
export function limitRate({ limits, front, service: { clock } }: HttpDeps): MiddlewareHandler<AppEnv> {
  const buckets = new Map<string, Bucket>();
  return async (c, next) => {
    const principal = c.get('principal') as { readonly id: string } | undefined;
    const caller = principal === undefined ? `address ${addressOf(c, front)}` : principal.id;
    // A storm of alerts is what triggers are for, and must not be what stops people from answering it.
    const isAlert = c.req.path.startsWith(ALERTS);
    const [who, perMinute] = isAlert ? [`alerts of ${caller}`, limits.perMinute * STORM] : [caller, limits.perMinute];
    const { waitMs, ...bucket } = take(buckets.get(who), clock.monotonic(), perMinute);
    buckets.delete(who);
    buckets.set(who, bucket);
    if (buckets.size > REMEMBERED) buckets.delete(buckets.keys().next().value ?? '');
    if (waitMs > 0)
      throw new BackstayError('REQUESTS_TOO_MANY', `More than ${perMinute} requests came in a minute.`, {
        details: { retryAfterS: Math.ceil(waitMs / 1000) },
      });
    await next();
  };
}
