import { createHash, timingSafeEqual } from 'node:crypto';
import type { Answer, Ask, Handler } from '../kit/service.ts';
import type { GatewaySettings } from './settings.ts';

/** Lets a request through when it carries a bearer token that is accepted, or when none is asked for. */
export function guarded(settings: Pick<GatewaySettings, 'authRequired' | 'tokens'>, handler: Handler): Handler {
  return async (ask) =>
    settings.authRequired ? (refusal(ask, settings.tokens) ?? (await handler(ask))) : await handler(ask);
}

function refusal(ask: Ask, tokens: readonly string[]): Answer | undefined {
  const token = /^Bearer\s+(\S+)$/i.exec(ask.headers.authorization ?? '')?.[1];
  if (token !== undefined && (tokens.length === 0 || tokens.some((known) => same(known, token)))) return undefined;
  return { status: 401, body: { error: 'a bearer token is needed' }, headers: { 'www-authenticate': 'Bearer' } };
}

/** Compares digests, so that neither length nor content shows in the time it takes. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
