import { createRoute, z } from '@hono/zod-openapi';
import { stats } from '../../actions/stats.ts';
import type { JournalStore } from '../../ports/index.ts';
import { document, json, PROBLEMS, stackName } from '../answers.ts';
import { mayWatch, requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

const DAY_MS = 86_400_000;

const figures = createRoute({
  method: 'get',
  path: '/v1/stats',
  summary: 'how often runs were needed, how they ended, how long they took',
  request: {
    query: z.object({
      stack: stackName.exactOptional(),
      sinceMs: z.coerce
        .number()
        .int()
        .min(60_000)
        .max(3_650 * DAY_MS)
        .default(90 * DAY_MS),
      by: z.enum(['trigger', 'stack', 'scope']).default('trigger'),
    }),
  },
  responses: { 200: json(document, 'As `backstay stats --output json`.'), ...PROBLEMS },
});

export const statsRoutes: Routes = (app, deps) => {
  const { journal, clock } = deps.service;
  app.openapi(figures, async (c) => {
    const { stack, sinceMs, by } = c.req.valid('query');
    if (stack !== undefined) await requireDeed(c, deps, 'watch', stack);
    // Runs of other stacks are in no figure that the caller sees.
    const seen: Pick<JournalStore, 'runs' | 'read'> = {
      runs: async (of) => (await journal.runs(of)).filter((run) => mayWatch(c, run.stack)),
      read: async (run) => await journal.read(run),
    };
    const found = await stats({ sinceMs, by, ...(stack === undefined ? {} : { stack }) }, { journal: seen, clock });
    return c.json({ ...found }, 200);
  });
};
