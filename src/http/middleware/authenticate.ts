import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import { BackstayError } from '../../errors/index.ts';
import type { Credentials } from '../../service/access/gate.ts';
import type { AppEnv, HttpDeps } from '../context.ts';
import { cookieName } from './origin.ts';

/** Below /v1 nothing is answered before it is proven who asks; signing in is what proves it. */
const needsProof = (path: string, openMetrics: boolean): boolean =>
  (path.startsWith('/v1/') && path !== '/v1/session') || path === '/v1' || (path === '/metrics' && !openMetrics);

/** What proxies add: who stands behind one is not the user of this machine, whatever the address is. */
const FORWARDED = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via'];

/** Puts the principal into the context. @throws ACCESS_UNPROVEN */
export function authenticate({ gate, front }: HttpDeps): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    if (!needsProof(c.req.path, front.openMetrics)) return await next();
    const proven = await gate.prove(credentialsOf(c, front.secure));
    if (proven === undefined) throw new BackstayError('ACCESS_UNPROVEN', 'The request says not who asks.');
    if (proven.principal.by === 'local' && FORWARDED.some((name) => c.req.header(name) !== undefined))
      throw new BackstayError(
        'ACCESS_UNPROVEN',
        'The request came by way of a proxy, so that anybody may have sent it.',
        {
          next: 'Name the proxy in the settings (`proxy`), and make a token.',
        },
      );
    c.set('proven', proven);
    c.set('principal', proven.principal);
    await next();
  };
}

/** A header wins over the cookie: what is typed in is meant. */
export function credentialsOf(c: Context<AppEnv>, secure: boolean): Credentials {
  const header = c.req.header('authorization');
  if (header !== undefined) {
    const [, bearer] = /^Bearer +([!-~]+)$/i.exec(header) ?? [];
    if (bearer === undefined) throw new BackstayError('ACCESS_UNPROVEN', 'Authorization is no bearer token.');
    return { bearer };
  }
  const session = getCookie(c, cookieName(secure));
  return session === undefined ? {} : { session };
}
