import type { Context } from 'hono';
import type { AppEnv, Front } from '../context.ts';

/** Who is at the other end: the last address in X-Forwarded-For that is no proxy of ours, where one stands before us. */
export function addressOf(c: Context<AppEnv>, front: Front): string {
  // Without a server there is no env at all.
  const direct = (c.env as AppEnv['Bindings'] | undefined)?.incoming?.socket?.remoteAddress ?? 'unknown';
  if (!front.isTrusted(direct)) return direct;
  const hops = (c.req.header('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
  return hops.findLast((hop) => hop !== '' && !front.isTrusted(hop)) ?? direct;
}
