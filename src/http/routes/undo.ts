import { createRoute, z } from '@hono/zod-openapi';
import { finalize as closeWayBack } from '../../actions/finalize.ts';
import { NO_OPTIONS } from '../../actions/plan.ts';
import { requireSaid } from '../../actions/require-said.ts';
import { planUndo } from '../../actions/undo.ts';
import { BackstayError } from '../../errors/index.ts';
import type { Plan } from '../../model/index.ts';
import { askForRun } from '../../service/ask.ts';
import type { ReachedStack, ServiceDeps } from '../../service/deps.ts';
import { keepPlan, keptPlan } from '../../service/plans.ts';
import { document, flagQuery, json, lines, planHash, PROBLEMS } from '../answers.ts';
import { askerOf, personOf } from '../authorize.ts';
import type { Routes } from '../context.ts';
import { planOptions } from '../plan-body.ts';
import { answerStarted, requireRun, runParam, started } from '../run-of.ts';

const asks = z.strictObject({
  reason: lines.exactOptional(),
  options: planOptions.exactOptional(),
  onInvalid: z.enum(['halt', 'return']).exactOptional(),
});

const undo = createRoute({
  method: 'post',
  path: '/v1/runs/{run}/undo',
  summary: 'take a run back by one more',
  request: {
    ...runParam,
    query: z.object({
      dryRun: flagQuery.openapi({ description: 'The plan alone; nothing is begun.' }),
    }),
    body: {
      required: false,
      content: {
        'application/json': {
          schema: asks.extend({
            plan: planHash.exactOptional().openapi({ description: 'What `dryRun` answered: this plan and no other.' }),
          }),
        },
      },
    },
  },
  responses: {
    200: json(z.looseObject({ kind: z.literal('planned'), plan: document }), 'What it would do.'),
    202: json(started, 'It is journaled, and begins by itself once it may.'),
    ...PROBLEMS,
  },
});

const finalize = createRoute({
  method: 'post',
  path: '/v1/runs/{run}/finalize',
  summary: 'close the way back of a run for good',
  request: runParam,
  responses: { 200: json(document, 'What was removed, as `backstay finalize` tells it.'), ...PROBLEMS },
});

export const undos: Routes = (app, deps) => {
  const { service } = deps;

  app.openapi(undo, async (c) => {
    const { run } = c.req.valid('param');
    const stack = await requireRun(c, deps, 'act', run);
    const { plan: hash, ...asked } = c.req.valid('json') ?? {};
    const { dryRun } = c.req.valid('query');
    const plan =
      hash === undefined
        ? await service.withStack(
            stack,
            personOf(c, deps),
            async (reached) => await planned(run, asked, reached, service),
          )
        : await agreed(run, hash, service);
    if (dryRun) return c.json({ kind: 'planned' as const, plan: { ...plan } }, 200);
    const result = await askForRun({ plan, ...askerOf(c) }, service);
    if (result.kind !== 'created') throw new BackstayError('INTERNAL', `an undo came back ${result.kind}`);
    const { kind: _kind, ...begun } = result;
    return answerStarted(c, begun);
  });

  app.openapi(finalize, async (c) => {
    const { run } = c.req.valid('param');
    const stack = await requireRun(c, deps, 'act', run);
    const done = await service.withStack(stack, personOf(c, deps), async (reached) => {
      const { cluster, dataStores, ...given } = await reached.planDeps();
      return await closeWayBack(run, {
        ...given,
        by: personOf(c, deps),
        journal: service.journal,
        cluster: async () => cluster,
        dataStores: async () => (await dataStores?.()) ?? [],
      });
    });
    const told: z.infer<typeof document> = { ...done };
    return c.json(told, 200);
  });
};

/** Made now, and kept so that it can be begun as it was shown. */
async function planned(
  run: string,
  { reason, options, onInvalid }: z.infer<typeof asks>,
  reached: ReachedStack,
  service: Pick<ServiceDeps, 'journal' | 'records'>,
): Promise<Plan> {
  const wanted = { ...NO_OPTIONS, ...options, ...(reason === undefined ? {} : { reason }), hold: false };
  requireSaid(reached.stack, wanted, `To undo a run of ${reached.stack.name}`);
  const { plan } = await planUndo(
    { run, options: wanted, ...(onInvalid === undefined ? {} : { onInvalid }) },
    { ...(await reached.planDeps()), journal: service.journal },
  );
  await keepPlan(plan, service);
  return plan;
}

/** What was shown is what is done. @throws PLAN_UNKNOWN, PLAN_REFUSED */
async function agreed(run: string, hash: string, service: Pick<ServiceDeps, 'records'>): Promise<Plan> {
  const plan = await keptPlan(hash, service);
  if (plan.undoes === run) return plan;
  throw new BackstayError('PLAN_REFUSED', `The plan ${hash} does not undo run ${run}.`);
}
