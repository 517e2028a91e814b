import { createRoute, z } from '@hono/zod-openapi';
import { liveStack } from '../../service/stacks/live.ts';
import { stackDetail, stackView } from '../../service/stacks/view.ts';
import { document, flagQuery, json, page, pageQuery, paged, PROBLEMS, stackName } from '../answers.ts';
import { mayWatch, requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

const summary = z
  .object({
    name: z.string(),
    namespaces: z.array(z.string()),
    checks: z.number().int(),
    problem: z.string().exactOptional(),
    state: z.enum(['idle', 'running', 'waiting', 'unfinished']).exactOptional(),
    run: z.string().exactOptional(),
    lastRun: z.object({ run: z.string(), outcome: z.string(), endedAt: z.string() }).exactOptional(),
    lastKnownGood: z
      .object({ id: z.string(), labels: z.array(z.string()).readonly(), capturedAt: z.string() })
      .exactOptional(),
    holds: z.number().int().exactOptional(),
    triggers: z.enum(['propose', 'automatic']).exactOptional(),
    openProposals: z.number().int(),
  })
  .openapi('Stack');

const list = createRoute({
  method: 'get',
  path: '/v1/stacks',
  summary: 'every stack that there is, also one whose file cannot be used',
  request: { query: z.object(pageQuery) },
  responses: { 200: json(page(summary), 'The stacks that the caller may watch.'), ...PROBLEMS },
});

const one = createRoute({
  method: 'get',
  path: '/v1/stacks/{stack}',
  summary: 'one stack, with its policy',
  request: { params: z.object({ stack: stackName }) },
  responses: {
    200: json(document, 'As in the list, with policy, flags, stores, channels and schedules.'),
    ...PROBLEMS,
  },
});

const live = createRoute({
  method: 'get',
  path: '/v1/stacks/{stack}/live',
  summary: 'the stack as the cluster has it now',
  request: { params: z.object({ stack: stackName }), query: z.object({ checks: flagQuery }) },
  responses: {
    200: json(document, 'Workloads with their health, flags; checks where they were asked for.'),
    ...PROBLEMS,
  },
});

export const stacks: Routes = (app, deps) => {
  const { service } = deps;
  app.openapi(list, async (c) => {
    const names = (await service.stackNames()).filter((name) => mayWatch(c, name));
    const { items, ...next } = paged(names, c.req.valid('query'), (name) => name);
    const views = await Promise.all(items.map(async (name) => await stackView(name, service)));
    return c.json({ items: views.map(plain), ...next }, 200);
  });
  app.openapi(one, async (c) => {
    const { stack } = c.req.valid('param');
    await requireDeed(c, deps, 'watch', stack);
    return c.json({ ...(await stackDetail(stack, service)) }, 200);
  });
  app.openapi(live, async (c) => {
    const { stack: name } = c.req.valid('param');
    await requireDeed(c, deps, 'watch', name);
    const { checks } = c.req.valid('query');
    return c.json({ ...(await liveStack({ name, checks, signal: c.req.raw.signal }, service)) }, 200);
  });
};

const plain = ({ namespaces, ...view }: Awaited<ReturnType<typeof stackView>>) => ({
  ...view,
  namespaces: [...namespaces],
});
