import type { Context } from 'hono';
import type { AppEnv, HttpDeps } from './context.ts';

/**
 * Until when a stream may go on: the caller is there, their token holds (not expired, not revoked), the service is not
 * ending. Every stream ends with this signal, and ends the asking with `done`: a request that is answered to its end fires
 * nothing.
 */
export function lifetimeOf(
  c: Context<AppEnv>,
  { stopping }: Pick<HttpDeps, 'stopping'>,
  done: AbortSignal,
): AbortSignal {
  const outer = AbortSignal.any([c.req.raw.signal, stopping, done]);
  const over = new AbortController();
  void c
    .get('proven')
    .ended(outer)
    .then(() => over.abort());
  return AbortSignal.any([outer, over.signal]);
}
