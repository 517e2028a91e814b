import { createRoute, z } from '@hono/zod-openapi';
import { type Proposal, PROPOSAL_STATES } from '../../model/index.ts';
import { BackstayError } from '../../errors/index.ts';
import { mayDo } from '../../service/access/may.ts';
import { accept, dismiss, proposalOf, proposals as all, proposalSeen } from '../../service/triggers/answer.ts';
import { body, document, json, page, paged, pageQuery, PROBLEMS, runId, stackName } from '../answers.ts';
import { askerOf, mayWatch, requireDeed } from '../authorize.ts';
import type { AppEnv, Routes } from '../context.ts';
import type { Context } from 'hono';

const alert = z
  .object({
    source: z.enum(['alertmanager', 'watch']),
    name: z.string(),
    stack: z.string(),
    status: z.enum(['firing', 'resolved']),
    groupKey: z.string(),
    fingerprint: z.string(),
    startsAt: z.string(),
    endsAt: z.string().exactOptional(),
    labels: z.record(z.string(), z.string()),
    summary: z.string().exactOptional(),
    url: z.string().exactOptional(),
  })
  .openapi('Alert');

const proposal = z
  .object({
    id: z.string(),
    stack: z.string(),
    createdAt: z.string(),
    alerts: z.array(alert),
    mode: z.enum(['propose', 'automatic']),
    target: z.string(),
    plan: z.string().exactOptional(),
    problem: z.object({ code: z.string(), message: z.string(), next: z.string().exactOptional() }).exactOptional(),
    state: z.enum(PROPOSAL_STATES),
    because: z.string().exactOptional(),
    run: z.string().exactOptional(),
    by: z.string().exactOptional(),
    person: z.string().exactOptional(),
    decidedAt: z.string().exactOptional(),
  })
  .openapi('Proposal');

const id = z
  .string()
  .regex(/^p-[0-9a-z-]{1,60}$/)
  .openapi({ example: 'p-20260102-031500-3f9a2c' });
const reason = z.string().trim().min(1).max(2_000);
const params = z.object({ id });

const list = createRoute({
  method: 'get',
  path: '/v1/proposals',
  summary: 'rollbacks that alerts asked for, newest first',
  request: {
    query: z.object({ stack: stackName.exactOptional(), state: z.enum(PROPOSAL_STATES).exactOptional(), ...pageQuery }),
  },
  responses: { 200: json(page(proposal), 'Those of the stacks that the caller may watch.'), ...PROBLEMS },
});

const show = createRoute({
  method: 'get',
  path: '/v1/proposals/{id}',
  summary: 'one proposal with its plan',
  request: { params },
  responses: { 200: json(proposal.extend({ planDetail: document.exactOptional() }), 'As it is now.'), ...PROBLEMS },
});

const begin = createRoute({
  method: 'post',
  path: '/v1/proposals/{id}/accept',
  summary: 'carries the plan out, in the name of the caller',
  request: { params, body: body(z.object({ reason: reason.exactOptional() })) },
  responses: {
    202: json(z.object({ run: runId, proposal }), 'The run was asked for; Location leads to it.'),
    ...PROBLEMS,
  },
});

const refuse = createRoute({
  method: 'post',
  path: '/v1/proposals/{id}/dismiss',
  summary: 'starts nothing, and says why',
  request: { params, body: body(z.object({ reason })) },
  responses: { 200: json(proposal, 'Dismissed.'), ...PROBLEMS },
});

export const proposals: Routes = (app, deps) => {
  const { service } = deps;
  app.openapi(list, async (c) => {
    const { stack, state, ...asked } = c.req.valid('query');
    const wanted = { ...(stack === undefined ? {} : { stack }), ...(state === undefined ? {} : { state }) };
    const items = (await all(service, wanted)).filter((one) => mayWatch(c, one.stack));
    const { items: shown, ...rest } = paged(items, asked, (one) => one.id);
    return c.json({ items: shown.map(written), ...rest }, 200);
  });
  app.openapi(show, async (c) => {
    const { id: asked } = c.req.valid('param');
    await mine(c, asked);
    const { planDetail, ...found } = await proposalSeen(asked, service);
    const plan = planDetail === undefined ? {} : { planDetail: { ...planDetail } as Record<string, unknown> };
    return c.json({ ...written(found), ...plan }, 200);
  });
  app.openapi(begin, async (c) => {
    const { id: asked } = c.req.valid('param');
    const { stack } = await mine(c, asked);
    await requireDeed(c, deps, 'act', stack);
    const started = await accept(asked, { ...askerOf(c), ...c.req.valid('json') }, service);
    c.header('Location', `/v1/runs/${started.run}`);
    return c.json({ run: started.run, proposal: written(started) }, 202);
  });
  app.openapi(refuse, async (c) => {
    const { id: asked } = c.req.valid('param');
    const { stack } = await mine(c, asked);
    await requireDeed(c, deps, 'act', stack);
    return c.json(written(await dismiss(asked, { ...askerOf(c), ...c.req.valid('json') }, service)), 200);
  });

  /** One of a stack that the caller may not watch is not there. */
  async function mine(c: Context<AppEnv>, asked: string): Promise<Proposal> {
    const found = await proposalOf(asked, service);
    if (mayDo(c.get('principal'), 'watch', found.stack)) return found;
    throw new BackstayError('PROPOSAL_UNKNOWN', `There is no proposal ${asked}.`);
  }
};

function written({ alerts, ...rest }: Proposal): z.infer<typeof proposal> {
  return { ...rest, alerts: alerts.map(({ labels, ...one }) => ({ ...one, labels: { ...labels } })) };
}
