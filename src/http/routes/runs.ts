import { createRoute, z } from '@hono/zod-openapi';
import { pastRun } from '../../actions/history.ts';
import { TRIGGERS } from '../../journal/index.ts';
import { askForRun, askToCancel, askToResume } from '../../service/ask.ts';
import { keptPlan } from '../../service/plans.ts';
import { seeRun } from '../../service/see-run.ts';
import {
  body,
  document,
  json,
  lines,
  page,
  paged,
  pageQuery,
  planHash,
  PROBLEMS,
  runId,
  stackName,
} from '../answers.ts';
import { askerOf, mayWatch, requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';
import { answerStarted, requireRun, runParam, started } from '../run-of.ts';

const pastRunItem = z
  .looseObject({ kind: z.enum(['run', 'damaged']), run: z.string(), stack: z.string(), startedAt: z.string() })
  .openapi('PastRun');

const view = z
  .looseObject({
    run: z.string(),
    stack: z.string(),
    state: z.enum(['waiting', 'queued', 'running', 'unfinished', 'ended']),
    phase: z.string(),
    outcome: z.string().exactOptional(),
    sequence: z.number().int(),
  })
  .openapi('RunView');

const create = createRoute({
  method: 'post',
  path: '/v1/runs',
  summary: 'carry out a plan that was made before',
  request: {
    body: body(
      z.strictObject({
        plan: planHash,
        trigger: z.enum(TRIGGERS).exactOptional(),
        abandon: z.strictObject({ run: runId, reason: lines }).exactOptional(),
      }),
    ),
  },
  responses: {
    200: json(
      z.object({ kind: z.literal('nothing-to-do'), outcome: z.literal('nothing-to-do') }),
      'The stack is there.',
    ),
    202: json(started, 'It is journaled, and begins by itself once it may.'),
    ...PROBLEMS,
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/runs',
  summary: 'the runs there were, newest first, as `backstay history` has them',
  request: { query: z.object({ ...pageQuery, stack: stackName.exactOptional() }) },
  responses: { 200: json(page(pastRunItem), 'Those that the caller may watch.'), ...PROBLEMS },
});

const show = createRoute({
  method: 'get',
  path: '/v1/runs/{run}',
  summary: 'a run as it is now, with its plan',
  request: runParam,
  responses: { 200: json(view, 'The run.'), ...PROBLEMS },
});

const resume = createRoute({
  method: 'post',
  path: '/v1/runs/{run}/resume',
  summary: 'go on with a run that halted or was cut off',
  request: runParam,
  responses: { 202: json(started, 'A service goes on with it.'), ...PROBLEMS },
});

const cancel = createRoute({
  method: 'post',
  path: '/v1/runs/{run}/cancel',
  summary: 'stop a run between two steps, or before it begins',
  request: { ...runParam, body: body(z.strictObject({ reason: lines })) },
  responses: { 202: json(document, 'It stops as soon as it can, and goes back as its plan says.'), ...PROBLEMS },
});

export const runs: Routes = (app, deps) => {
  const { service } = deps;

  app.openapi(create, async (c) => {
    const { plan: hash, trigger, abandon } = c.req.valid('json');
    const plan = await keptPlan(hash, service);
    await requireDeed(c, deps, 'act', plan.stack);
    const result = await askForRun(
      {
        plan,
        ...askerOf(c),
        ...(trigger === undefined ? {} : { trigger }),
        ...(abandon === undefined ? {} : { abandon }),
      },
      service,
    );
    if (result.kind === 'nothing-to-do') return c.json(result, 200);
    const { kind: _kind, ...run } = result;
    return answerStarted(c, run);
  });

  app.openapi(list, async (c) => {
    const { stack, limit, cursor } = c.req.valid('query');
    const known = (await service.journal.runs(stack)).filter((run) => mayWatch(c, run.stack));
    const { items, ...next } = paged(known, { limit, cursor }, ({ run }) => run);
    const past = await Promise.all(items.map(async (run) => await pastRun(run, service.journal)));
    return c.json({ items: past.map((one): z.infer<typeof pastRunItem> => ({ ...one })), ...next }, 200);
  });

  app.openapi(show, async (c) => {
    const { run } = c.req.valid('param');
    await requireRun(c, deps, 'watch', run);
    const shown: z.infer<typeof view> = { ...(await seeRun(run, service)) };
    return c.json(shown, 200);
  });

  app.openapi(resume, async (c) => {
    const { run } = c.req.valid('param');
    await requireRun(c, deps, 'act', run);
    await askToResume({ run, by: c.get('principal').id }, service);
    const { state } = await seeRun(run, service);
    return answerStarted(c, { run, state: state === 'waiting' ? 'waiting' : 'queued' });
  });

  app.openapi(cancel, async (c) => {
    const { run } = c.req.valid('param');
    await requireRun(c, deps, 'act', run);
    const state = await askToCancel({ run, by: c.get('principal').id, ...c.req.valid('json') }, service);
    return c.json({ run, ...(state.ended === undefined ? {} : { outcome: state.ended.outcome }) }, 202);
  });
};
