import { createRoute, z } from '@hono/zod-openapi';
import { json, page, pageQuery, PROBLEMS, stackName } from '../answers.ts';
import { requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

const decision = z
  .looseObject({
    at: z.string(),
    principal: z.string(),
    deed: z.enum(['watch', 'act', 'approve', 'manage']),
    stack: z.string().exactOptional(),
    allowed: z.boolean(),
    method: z.string(),
    path: z.string(),
    requestId: z.string(),
  })
  .openapi('Decision');

const list = createRoute({
  method: 'get',
  path: '/v1/decisions',
  summary: 'who asked for a change, or was refused, and when; the newest first',
  request: { query: z.object({ ...pageQuery, stack: stackName.exactOptional() }) },
  responses: { 200: json(page(decision), 'For admins of all stacks.'), ...PROBLEMS },
});

/** Keys begin with the time: pages are read as they are asked for, however long the record is. */
export const decisions: Routes = (app, deps) => {
  const { records } = deps.service;
  app.openapi(list, async (c) => {
    await requireDeed(c, deps, 'manage');
    const { limit, cursor, stack } = c.req.valid('query');
    const items: z.infer<typeof decision>[] = [];
    let after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString();
    for (let isMore = true; isMore && items.length < limit; ) {
      const read = await records.list('decision', {
        newestFirst: true,
        limit: limit - items.length,
        ...(after === undefined ? {} : { after }),
      });
      isMore = read.length === limit - items.length;
      const found = read.map(({ key, value }) => ({ at: key.split(' ')[0] ?? '', ...(value as object) }));
      items.push(...(found as z.infer<typeof decision>[]).filter((one) => stack === undefined || one.stack === stack));
      after = read.at(-1)?.key ?? after;
    }
    const next = items.length < limit || after === undefined ? {} : { next: Buffer.from(after).toString('base64url') };
    return c.json({ items, ...next }, 200);
  });
};
