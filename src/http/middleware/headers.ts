import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { AppEnv } from '../context.ts';

const POLICY = 'Content-Security-Policy';

/**
 * Of a document that carries its own style and no script, as reports do. It says in itself which style, by a digest, and
 * both policies have to agree.
 */
export const DOCUMENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const secure = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    fontSrc: ["'self'"],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
  crossOriginResourcePolicy: 'same-origin',
  crossOriginOpenerPolicy: 'same-origin',
  referrerPolicy: 'no-referrer',
  xFrameOptions: 'DENY',
  // Where TLS ends before us, the proxy says this; on loopback it would harm other local services.
  strictTransportSecurity: false,
});

/** The page runs its own scripts and nothing else, is framed by nobody, and asks nobody but us. A route may be stricter. */
export const headers = (): MiddlewareHandler<AppEnv> => async (c, next) => {
  let own: string | null = null;
  await secure(c, async () => {
    await next();
    own = c.res.headers.get(POLICY);
  });
  if (own !== null) c.res.headers.set(POLICY, own);
};
