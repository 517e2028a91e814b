import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { approve, type ApproveDeps, listApprovals, listedRoles, lookAtApproval } from '../../actions/approve.ts';
import { BackstayError } from '../../errors/index.ts';
import type { Stack } from '../../model/index.ts';
import { approvingRoles } from '../../service/access/may.ts';
import { body, document, json, lines, page, paged, pageQuery, planHash, PROBLEMS, stackName } from '../answers.ts';
import { mayWatch, personOf, requireDeed } from '../authorize.ts';
import type { AppEnv, HttpDeps, Routes } from '../context.ts';
import { requireRun, runParam } from '../run-of.ts';

/** What an action gave, as it is. */
type Document = z.infer<typeof document>;

const ifMatch = z.string().max(200).openapi({ description: 'The ETag of what was looked at.' });

const look = createRoute({
  method: 'get',
  path: '/v1/runs/{run}/approval',
  summary: 'what there is to decide, who may, and who did',
  request: runParam,
  responses: {
    200: {
      ...json(document, 'The plan, what it needs, what was given; `role` where the caller may decide, else `because`.'),
      headers: z.object({ ETag: z.string() }),
    },
    ...PROBLEMS,
  },
});

const decide = createRoute({
  method: 'post',
  path: '/v1/runs/{run}/approval',
  summary: 'approve or deny the plan of a run',
  request: {
    ...runParam,
    headers: z.object({ 'if-match': ifMatch.exactOptional() }),
    body: body(
      z
        .strictObject({ decision: z.enum(['approved', 'denied']), plan: planHash, reason: lines.exactOptional() })
        .refine(({ decision, reason }) => decision === 'approved' || reason !== undefined, {
          path: ['reason'],
          error: 'a denial needs one: it is what the requester reads',
        }),
    ),
  },
  responses: { 200: json(document, 'As `backstay approve --output json`.'), ...PROBLEMS },
});

const pending = createRoute({
  method: 'get',
  path: '/v1/approvals',
  summary: 'what waits for somebody, as `backstay approvals` has it',
  request: { query: z.object({ ...pageQuery, stack: stackName.exactOptional() }) },
  responses: { 200: json(page(document), 'Of the stacks that the caller may watch.'), ...PROBLEMS },
});

export const approvals: Routes = (app, deps) => {
  const { service } = deps;

  app.openapi(look, async (c) => {
    const { run } = c.req.valid('param');
    const stack = await service.stack(await requireRun(c, deps, 'watch', run));
    const seen = await lookAtApproval(run, approveDeps(c, stack, deps));
    const shown: Document = { ...seen };
    return c.json(shown, 200, { ETag: etagOf(seen.plan.hash, seen.sequence) });
  });

  app.openapi(decide, async (c) => {
    const { run } = c.req.valid('param');
    const name = await requireRun(c, deps, 'watch', run);
    const stack = await service.stack(name);
    const listed = listedRoles(stack, c.get('principal').id).length > 0;
    await requireDeed(c, deps, 'approve', name, { listed });
    const { decision, plan, reason } = c.req.valid('json');
    const sequence = sequenceIn(c.req.valid('header')['if-match'], plan);
    const said = reason === undefined ? {} : { reason };
    const { next, ...done } = await approve({ run, decision, plan, sequence, ...said }, approveDeps(c, stack, deps));
    // Where a service has it, it goes on by itself.
    const isCarried = (await service.records.get('claim', run)) !== undefined;
    const told: Document = { ...done, ...(next === undefined || isCarried ? {} : { next }) };
    return c.json(told, 200);
  });

  app.openapi(pending, async (c) => {
    const { stack, limit, cursor } = c.req.valid('query');
    const all = (await listApprovals(stack, service)).filter((one) => mayWatch(c, one.stack));
    const { items, ...next } = paged(all, { limit, cursor }, ({ run }) => run);
    return c.json({ items: items.map((item): Document => ({ ...item })), ...next }, 200);
  });
};

function approveDeps(c: Context<AppEnv>, stack: Stack, deps: HttpDeps): ApproveDeps {
  const { journal, journalName, clock } = deps.service;
  const principal = c.get('principal');
  return {
    stack,
    by: personOf(c, deps),
    roles: approvingRoles(principal, stack.name),
    alsoKnownAs: [principal.name],
    journal,
    journalName,
    clock,
    // Whoever watches the run reads it there.
    reporter: { report: () => undefined },
  };
}

/** The plan, and the run's last entry: whatever is written afterwards makes it another one. */
function etagOf(plan: string, sequence: number): string {
  return `"${plan.slice('sha256:'.length, 'sha256:'.length + 16)}.${sequence}"`;
}

/** @throws CONDITION_MISSING, CONDITION_FAILED */
function sequenceIn(given: string | undefined, plan: string): number {
  if (given === undefined)
    throw new BackstayError('CONDITION_MISSING', 'Without If-Match nobody knows what you have looked at.');
  const sequence = Number(/\.(\d{1,15})"$/.exec(given)?.[1]);
  if (Number.isInteger(sequence) && given === etagOf(plan, sequence)) return sequence;
  throw new BackstayError('CONDITION_FAILED', 'If-Match is of something else than this plan.');
}
