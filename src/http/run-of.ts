import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { BackstayError } from '../errors/index.ts';
import type { Deed } from '../model/index.ts';
import { mayAnywhere } from '../service/access/may.ts';
import { runId } from './answers.ts';
import { requireDeed } from './authorize.ts';
import type { AppEnv, HttpDeps } from './context.ts';

/** Of the routes below `/v1/runs/{run}`. */
export const runParam = { params: z.object({ run: runId }) };

/** Of what goes on without the one who asked. */
export const started = z
  .object({ run: z.string(), state: z.enum(['waiting', 'queued']), until: z.string().exactOptional() })
  .openapi('RunStarted');

/** Accepted: Location leads to the run. */
export function answerStarted(c: Context<AppEnv>, run: z.infer<typeof started>) {
  return c.json(run, 202, { Location: `/v1/runs/${run.run}` });
}

/** The stack of the run, for whoever may do that to it. @throws RUN_UNKNOWN, ACCESS_DENIED */
export async function requireRun(
  c: Context<AppEnv>,
  deps: Pick<HttpDeps, 'service'>,
  deed: Deed,
  run: string,
): Promise<string> {
  const stack = await deps.service.feeds.stackOf(run);
  // Whoever may see nothing learns nothing, also not which runs there are.
  if (stack !== undefined || !mayAnywhere(c.get('principal'), deed)) await requireDeed(c, deps, deed, stack);
  if (stack !== undefined) return stack;
  throw new BackstayError('RUN_UNKNOWN', `There is no run ${run}.`);
}
