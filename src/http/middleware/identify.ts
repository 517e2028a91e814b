import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { AppEnv, HttpDeps } from '../context.ts';
import { addressOf } from './address.ts';

/** What a proxy before us may have given: it goes into logs and answers as it is. */
const GIVEN = /^[A-Za-z0-9._-]{8,64}$/;

/** Each request has an id, in its answer, its problems and the log, and one line in the log when it was answered. */
export function identify({ log, front, service: { clock } }: HttpDeps): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && GIVEN.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    c.header('X-Request-Id', requestId);
    const began = clock.monotonic();
    await next();
    const { status } = c.res;
    log({
      level: status >= 500 ? 'error' : 'info',
      event: 'request',
      requestId,
      method: c.req.method,
      path: c.req.path,
      status,
      ms: Math.round(clock.monotonic() - began),
      principal: (c.get('principal') as { readonly id: string } | undefined)?.id,
      address: addressOf(c, front),
    });
  };
}
