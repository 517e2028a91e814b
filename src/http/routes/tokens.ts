import { createRoute, z } from '@hono/zod-openapi';
import { createToken, listTokens, revokeToken } from '../../service/access/tokens.ts';
import { body, json, page, pageQuery, paged, PROBLEMS } from '../answers.ts';
import { requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

const tokenName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const pattern = z.string().regex(/^[A-Za-z0-9*][A-Za-z0-9*._-]{0,99}$/);
const roleName = z.string().regex(/^[!-~\u00a1-\uffff]{1,100}$/);

const person = z
  .string()
  .regex(/^[!-~\u00a1-\uffff]{1,300}$/)
  .openapi({
    description:
      'Whose it is: tokens of one person are one where people agree. Absent: of the one whom it is called after.',
  });

const grant = z.strictObject({
  role: z.enum(['viewer', 'operator', 'admin']),
  stacks: z.array(pattern).min(1).max(100).readonly(),
  approves: z.array(roleName).min(1).max(50).readonly().exactOptional(),
});

const view = z
  .object({
    id: z.string(),
    name: z.string(),
    grants: z.array(grant).readonly(),
    person: person.exactOptional(),
    createdAt: z.string(),
    createdBy: z.string(),
    expiresAt: z.string().exactOptional(),
  })
  .openapi('Token');

const list = createRoute({
  method: 'get',
  path: '/v1/tokens',
  summary: 'the tokens that there are: what they may, never what they are',
  request: { query: z.object(pageQuery) },
  responses: { 200: json(page(view), 'By name.'), ...PROBLEMS },
});

const create = createRoute({
  method: 'post',
  path: '/v1/tokens',
  summary: 'make a token; its text is in this one answer',
  request: {
    body: body(
      z.strictObject({
        name: tokenName,
        grants: z.array(grant).min(1).max(20),
        person: person.exactOptional(),
        expiresInMs: z
          .number()
          .int()
          .min(60_000)
          .max(10 * 365 * 86_400_000)
          .exactOptional(),
      }),
    ),
  },
  responses: { 201: json(view.extend({ token: z.string() }), 'Made.'), ...PROBLEMS },
});

const revoke = createRoute({
  method: 'delete',
  path: '/v1/tokens/{name}',
  summary: 'let a token open nothing any more',
  request: { params: z.object({ name: tokenName }) },
  responses: { 204: { description: 'It opens nothing any more.' }, ...PROBLEMS },
});

export const tokens: Routes = (app, deps) => {
  const { service } = deps;
  app.openapi(list, async (c) => {
    await requireDeed(c, deps, 'manage');
    return c.json(
      paged(await listTokens(service), c.req.valid('query'), ({ name }) => name),
      200,
    );
  });
  app.openapi(create, async (c) => {
    await requireDeed(c, deps, 'manage');
    const { expiresInMs, ...asked } = c.req.valid('json');
    const { token, made } = await createToken(
      { ...asked, by: c.get('principal').id, ...(expiresInMs === undefined ? {} : { forMs: expiresInMs }) },
      service,
    );
    c.header('Cache-Control', 'no-store');
    return c.json({ ...made, token }, 201);
  });
  app.openapi(revoke, async (c) => {
    await requireDeed(c, deps, 'manage');
    await revokeToken(c.req.valid('param').name, service);
    return c.body(null, 204);
  });
};
