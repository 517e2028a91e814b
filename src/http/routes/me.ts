import { createRoute, z } from '@hono/zod-openapi';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { BackstayError } from '../../errors/index.ts';
import { closeSession, openSession } from '../../service/access/tokens.ts';
import { body, json, PROBLEMS } from '../answers.ts';
import type { Routes } from '../context.ts';
import { cookieName } from '../middleware/origin.ts';

const principal = z
  .object({
    id: z.string(),
    name: z.string(),
    person: z.string().exactOptional(),
    by: z.enum(['token', 'oidc', 'local']),
    grants: z
      .array(
        z.object({
          role: z.enum(['viewer', 'operator', 'admin']),
          stacks: z.array(z.string()).readonly(),
          approves: z.array(z.string()).readonly().exactOptional(),
        }),
      )
      .readonly(),
  })
  .openapi('Principal');

const me = createRoute({
  method: 'get',
  path: '/v1/me',
  summary: 'who asks, and what they may',
  responses: {
    200: json(z.object({ principal, expiresAt: z.string().exactOptional() }), 'The one who asks.'),
    ...PROBLEMS,
  },
});

const signIn = createRoute({
  method: 'post',
  path: '/v1/session',
  summary: 'exchange a token for a cookie that scripts cannot read',
  security: [],
  request: { body: body(z.strictObject({ token: z.string().min(1).max(16_384) })) },
  responses: { 200: json(z.object({ principal, expiresAt: z.string() }), 'The session is open.'), ...PROBLEMS },
});

const signOut = createRoute({
  method: 'delete',
  path: '/v1/session',
  summary: 'end the session of the cookie',
  security: [],
  responses: { 204: { description: 'There is no session any more.' }, ...PROBLEMS },
});

export const meRoutes: Routes = (app, { service, gate, front }) => {
  const cookie = cookieName(front.secure);
  app.openapi(me, (c) => {
    const { expiresAt } = c.get('proven');
    const until = expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() };
    return c.json({ principal: { ...c.get('principal') }, ...until }, 200);
  });
  app.openapi(signIn, async (c) => {
    const proven = await gate.prove({ bearer: c.req.valid('json').token });
    if (proven === undefined) throw new BackstayError('ACCESS_UNPROVEN', 'The token does not hold.');
    const { text, expiresAt } = await openSession(proven, service);
    setCookie(c, cookie, text, {
      httpOnly: true,
      sameSite: 'Strict',
      secure: front.secure,
      path: '/',
      maxAge: Math.max(0, Math.floor((expiresAt - service.clock.now()) / 1000)),
    });
    return c.json({ principal: { ...proven.principal }, expiresAt: new Date(expiresAt).toISOString() }, 200);
  });
  app.openapi(signOut, async (c) => {
    const session = getCookie(c, cookie);
    if (session !== undefined) await closeSession(session, service);
    deleteCookie(c, cookie, { path: '/', secure: front.secure });
    return c.body(null, 204);
  });
};
