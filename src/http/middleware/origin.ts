import { getCookie } from 'hono/cookie';
import type { Context, MiddlewareHandler } from 'hono';
import { BackstayError } from '../../errors/index.ts';
import type { AppEnv, HttpDeps } from '../context.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What probes and scrapers ask by the address of a pod, and from which no browser has anything. */
const BY_ADDRESS = new Set(['/livez', '/readyz', '/metrics']);

/** `__Host-`: no other host, no subdomain and no plain connection can set it. Browsers take that prefix with Secure only. */
export const cookieName = (secure: boolean): string => (secure ? '__Host-backstay' : 'backstay');

/**
 * Keeps other sites from using a browser that may ask us: by a name of theirs that leads to our address (DNS rebinding),
 * and by requests that carry the cookie, or come from the machine that is let in as it is. What is no browser sends neither
 * Origin nor Sec-Fetch-Site, and no cookie.
 */
export function sameSite({ front }: HttpDeps): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const url = new URL(c.req.url);
    // On loopback figures are open to whoever is there: there they have no address but ours.
    const isByAddress = !front.openMetrics && SAFE.has(c.req.method) && BY_ADDRESS.has(url.pathname);
    if (front.hosts !== undefined && !front.hosts.includes(url.host) && !isByAddress)
      throw new BackstayError('ORIGIN_REFUSED', `This service does not go by the name ${url.host}.`);
    if (!SAFE.has(c.req.method)) refuseForeign(c, url.host, front.secure);
    else if (c.req.header('sec-fetch-site') === 'cross-site' && c.req.header('sec-fetch-mode') !== 'navigate')
      throw new BackstayError('ORIGIN_REFUSED', 'Another site asks.');
    await next();
  };
}

function refuseForeign(c: Context<AppEnv>, host: string, secure: boolean): void {
  const origin = c.req.header('origin');
  const site = c.req.header('sec-fetch-site');
  const isOurs = (origin === undefined || hostOf(origin) === host) && (site === undefined || site === 'same-origin');
  if (!isOurs) throw new BackstayError('ORIGIN_REFUSED', 'Another site asks for a change.');
  const isProven = origin !== undefined || site !== undefined;
  if (getCookie(c, cookieName(secure)) !== undefined && c.req.header('authorization') === undefined && !isProven)
    throw new BackstayError(
      'ORIGIN_REFUSED',
      'A change that is asked for with a cookie has to say where it comes from.',
    );
}

/** `null`, of a sandboxed frame, is nobody's. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
