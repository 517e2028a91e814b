import { createRoute, z } from '@hono/zod-openapi';
import { NO_OPTIONS, planRollback } from '../../actions/plan.ts';
import { requireSaid } from '../../actions/require-said.ts';
import { keepPlan, keptPlan } from '../../service/plans.ts';
import { body, document, json, planHash, PROBLEMS, stackName, targetText } from '../answers.ts';
import { personOf, requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';
import { planOptions, scope } from '../plan-body.ts';

const make = createRoute({
  method: 'post',
  path: '/v1/stacks/{stack}/plans',
  summary: 'what a rollback would do, frozen; changes nothing',
  request: {
    params: z.object({ stack: stackName }),
    body: body(
      z.strictObject({
        target: targetText.exactOptional(),
        scope: scope.exactOptional(),
        options: planOptions.exactOptional(),
        onInvalid: z.enum(['halt', 'return']).exactOptional(),
      }),
    ),
  },
  responses: {
    200: json(document, 'There is nothing to do: `{kind: "nothing-to-do", target, warnings}`.'),
    201: json(document, '`{kind: "planned", plan}`; Location leads to it.'),
    ...PROBLEMS,
  },
});

const one = createRoute({
  method: 'get',
  path: '/v1/plans/{hash}',
  summary: 'a plan that was made here',
  request: { params: z.object({ hash: planHash }) },
  responses: { 200: json(document, 'As `backstay rollback --dry-run --output json`.'), ...PROBLEMS },
});

export const plans: Routes = (app, deps) => {
  const { service } = deps;
  app.openapi(make, async (c) => {
    const { stack: name } = c.req.valid('param');
    await requireDeed(c, deps, 'act', name);
    const { target, scope: asked = { kind: 'full' }, options, onInvalid } = c.req.valid('json');
    const chosen = { ...NO_OPTIONS, ...options };
    const result = await service.withStack(name, personOf(c, deps), async (reached) => {
      const { stack } = reached;
      requireSaid(stack, chosen, `A rollback of ${name}`);
      return await planRollback(
        {
          target,
          scope: asked,
          options: chosen,
          signal: c.req.raw.signal,
          ...(onInvalid === undefined ? {} : { onInvalid }),
        },
        await reached.planDeps(),
      );
    });
    if (result.kind === 'nothing-to-do') {
      const { kind, target: at, warnings } = result;
      return c.json({ kind, target: { id: at.id }, warnings }, 200);
    }
    const { plan } = result;
    await keepPlan(plan, service);
    c.header('Location', `/v1/plans/${plan.hash}`);
    return c.json({ kind: 'planned', plan }, 201);
  });
  app.openapi(one, async (c) => {
    const plan = await keptPlan(c.req.valid('param').hash, service);
    await requireDeed(c, deps, 'watch', plan.stack);
    return c.json({ ...plan }, 200);
  });
};
