import { createRoute, z } from '@hono/zod-openapi';
import { listDrills, startDrill } from '../../service/drills.ts';
import { body, document, json, page, pageQuery, paged, PROBLEMS, stackName } from '../answers.ts';
import { personOf, requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

/** Of stores and backups. They become arguments of a command: none begins like a flag. */
const word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/);

const start = createRoute({
  method: 'post',
  path: '/v1/stacks/{stack}/drills',
  summary: 'prove a backup: restore it beside the live data, count, and drop that',
  request: {
    params: z.object({ stack: stackName }),
    body: body(z.strictObject({ store: word.exactOptional(), backup: word.default('latest') })),
  },
  responses: { 202: json(document, 'It is begun, in a process of its own.'), ...PROBLEMS },
});

const list = createRoute({
  method: 'get',
  path: '/v1/stacks/{stack}/drills',
  summary: 'the drills of a stack, newest first, and how they ended',
  request: { params: z.object({ stack: stackName }), query: z.object(pageQuery) },
  responses: { 200: json(page(document), '`state` is running, proven, failed or lost.'), ...PROBLEMS },
});

export const drills: Routes = (app, deps) => {
  const { service } = deps;
  app.openapi(start, async (c) => {
    const { stack } = c.req.valid('param');
    await requireDeed(c, deps, 'act', stack);
    const { store, backup } = c.req.valid('json');
    const by = personOf(c, deps).user;
    const named = store === undefined ? {} : { store };
    const drill = await startDrill({ stack: await service.stack(stack), backup, by, ...named }, service);
    c.header('Location', `/v1/stacks/${stack}/drills`);
    return c.json({ ...drill }, 202);
  });
  app.openapi(list, async (c) => {
    const { stack } = c.req.valid('param');
    await requireDeed(c, deps, 'watch', stack);
    const { items, ...next } = paged(await listDrills(stack, service), c.req.valid('query'), ({ id }) => id);
    return c.json({ items: items.map((drill) => ({ ...drill })), ...next }, 200);
  });
};
