import { createRoute, z } from '@hono/zod-openapi';
import { listSnapshots, showSnapshot } from '../../actions/snapshots.ts';
import { captureReached } from '../../service/stacks/capture.ts';
import { compareStack } from '../../service/stacks/compare.ts';
import {
  body,
  document,
  flagQuery,
  json,
  lines,
  page,
  pageQuery,
  paged,
  PROBLEMS,
  scopeQuery,
  stackName,
  targetText,
} from '../answers.ts';
import { personOf, requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

const list = createRoute({
  method: 'get',
  path: '/v1/stacks/{stack}/snapshots',
  summary: 'the snapshots of a stack, newest first',
  request: { params: z.object({ stack: stackName }), query: z.object(pageQuery) },
  responses: {
    200: json(
      page(document).extend({ damaged: z.array(document) }),
      'As `backstay list --output json`. `damaged` comes with the first page.',
    ),
    ...PROBLEMS,
  },
});

const show = createRoute({
  method: 'get',
  path: '/v1/stacks/{stack}/snapshots/{ref}',
  summary: 'one snapshot: its objects, images, flags and checks; of secrets the keys alone',
  request: {
    params: z.object({ stack: stackName, ref: targetText }),
    query: z.object({ allowUnsigned: flagQuery }),
  },
  responses: { 200: json(document, 'As `backstay show --output json`.'), ...PROBLEMS },
});

const make = createRoute({
  method: 'post',
  path: '/v1/stacks/{stack}/snapshots',
  summary: 'capture the stack as it is now',
  request: {
    params: z.object({ stack: stackName }),
    body: body(
      z.strictObject({
        reason: lines.exactOptional(),
        labels: z.array(targetText).max(20).exactOptional(),
        checks: z.boolean().exactOptional(),
      }),
    ),
  },
  responses: {
    200: json(document, 'Nothing was there to capture.'),
    201: json(document, 'As `backstay capture --output json`.'),
    ...PROBLEMS,
  },
});

const compare = createRoute({
  method: 'get',
  path: '/v1/stacks/{stack}/compare',
  summary: 'what differs between live and a snapshot, or between two snapshots',
  request: {
    params: z.object({ stack: stackName }),
    query: z.object({ from: targetText.default('live'), to: targetText.default('known-good'), scope: scopeQuery }),
  },
  responses: { 200: json(document, 'As `backstay diff --output json`.'), ...PROBLEMS },
});

export const snapshots: Routes = (app, deps) => {
  const { service } = deps;
  app.openapi(list, async (c) => {
    const { stack } = c.req.valid('param');
    await requireDeed(c, deps, 'watch', stack);
    const found = await service.withStack(
      stack,
      service.by,
      async ({ store }) => await listSnapshots(stack, { store }),
    );
    const query = c.req.valid('query');
    const { items, ...next } = paged(found.rows, query, ({ id, capturedAt }) => `${capturedAt} ${id}`);
    const damaged = query.cursor === undefined ? found.damaged.map((one) => ({ ...one })) : [];
    return c.json({ items: items.map((row) => ({ ...row })), damaged, ...next }, 200);
  });
  app.openapi(show, async (c) => {
    const { stack, ref: target } = c.req.valid('param');
    await requireDeed(c, deps, 'watch', stack);
    const { allowUnsigned } = c.req.valid('query');
    const details = await service.withStack(
      stack,
      service.by,
      async ({ store }) => await showSnapshot({ stack, target, allowUnsigned }, { store }),
    );
    return c.json({ ...details }, 200);
  });
  app.openapi(make, async (c) => {
    const { stack: name } = c.req.valid('param');
    await requireDeed(c, deps, 'act', name);
    const { reason, labels = [], checks = true } = c.req.valid('json');
    const options = {
      labels,
      checks: checks ? 'ask' : 'none',
      ...(reason === undefined ? {} : { note: reason }),
    } as const;
    const result = await service.withStack(
      name,
      personOf(c, deps),
      async (reached) => await captureReached(options, reached, service),
    );
    if (result.kind === 'empty') return c.json({ ...result }, 200);
    const { content, ...rest } = result;
    return c.json({ ...rest, objects: content.objects.length, flags: content.flags }, 201);
  });
  app.openapi(compare, async (c) => {
    const { stack } = c.req.valid('param');
    await requireDeed(c, deps, 'watch', stack);
    const request = { ...c.req.valid('query'), signal: c.req.raw.signal };
    const found = await service.withStack(stack, service.by, async (reached) => await compareStack(request, reached));
    return c.json({ ...found }, 200);
  });
};
