import { createRoute, z } from '@hono/zod-openapi';
import { isBackstayError } from '../../errors/index.ts';
import type { Routes } from '../context.ts';

const stackSummary = z
  .object({
    name: z.string(),
    namespaces: z.array(z.string()),
    checks: z.number().int(),
    problem: z.string().exactOptional(),
  })
  .openapi('StackSummary');

const list = createRoute({
  method: 'get',
  path: '/v1/stacks',
  summary: 'every stack that there is, also one whose file cannot be used',
  responses: {
    200: {
      description: 'The stacks that the caller may watch.',
      content: { 'application/json': { schema: z.object({ items: z.array(stackSummary) }) } },
    },
  },
});

export const stacks: Routes = (app, { service }) => {
  app.openapi(list, async (c) => {
    const names = await service.stackNames();
    const items = await Promise.all(
      names.map(async (name): Promise<z.infer<typeof stackSummary>> => {
        try {
          const { namespaces, checks } = await service.stack(name);
          return { name, namespaces: [...namespaces], checks: checks.length };
        } catch (error) {
          if (!isBackstayError(error)) throw error;
          return { name, namespaces: [], checks: 0, problem: error.message };
        }
      }),
    );
    return c.json({ items }, 200);
  });
};
