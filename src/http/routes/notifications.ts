import { createRoute, z } from '@hono/zod-openapi';
import { NOTICES } from '../../model/index.ts';
import { deliveries } from '../../service/notify/index.ts';
import { json, page, paged, pageQuery, PROBLEMS, runId } from '../answers.ts';
import { mayWatch } from '../authorize.ts';
import type { Routes } from '../context.ts';

const STATES = ['due', 'sending', 'delivered', 'refused', 'given-up', 'withdrawn'] as const;

const delivery = z
  .object({
    event: z.string().openapi({ description: 'The id that receivers were given.' }),
    notice: z.enum(NOTICES),
    stack: z.string(),
    channel: z.string(),
    run: z.string().exactOptional(),
    proposal: z.string().exactOptional(),
    at: z.string().openapi({ description: 'When it happened.' }),
    state: z.enum(STATES),
    attempts: z.number().int(),
    dueAt: z.string().exactOptional().openapi({ description: 'Of the next attempt.' }),
    settledAt: z.string().exactOptional(),
    because: z.string().exactOptional(),
  })
  .openapi('Delivery');

const list = createRoute({
  method: 'get',
  path: '/v1/notifications',
  summary: 'who was told, is told, and could not be told of what',
  request: {
    query: z.object({
      run: runId.exactOptional().openapi({ description: 'Only of this run.' }),
      proposal: runId.exactOptional().openapi({ description: 'Only of this proposal.' }),
      ...pageQuery,
    }),
  },
  responses: { 200: json(page(delivery), 'Of the stacks that the caller may watch.'), ...PROBLEMS },
});

export const notifications: Routes = (app, { service }) => {
  app.openapi(list, async (c) => {
    const { run, proposal, ...part } = c.req.valid('query');
    const subject = run ?? proposal;
    const all = await deliveries(service.records, subject === undefined ? {} : { subject });
    const mine = all.filter(({ stack }) => mayWatch(c, stack));
    return c.json(
      paged(mine, part, ({ event, channel }) => `${event} ${channel}`),
      200,
    );
  });
};
