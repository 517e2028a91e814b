import type { Context } from 'hono';
import type { AppEnv, HttpDeps } from './context.ts';

/**
 * Until when a stream may go on: the caller is there, their token holds (not expired, not revoked), the service is not
 * ending. Every stream ends with this signal.
 */
export function lifetimeOf(c: Context<AppEnv>, { stopping }: Pick<HttpDeps, 'stopping'>): AbortSignal {
  const outer = AbortSignal.any([c.req.raw.signal, stopping]);
  const over = new AbortController();
  void c
    .get('proven')
    .ended(outer)
    .then(() => over.abort());
  return AbortSignal.any([outer, over.signal]);
}
