import type { Context, Hono } from 'hono';
import type { AppEnv } from '../../../src/http/context.ts';
import type { Outcome, RunEvent } from '../../../src/model/index.ts';
import { pick, problem, sse } from './answers.ts';
import { ASKED, BEGUN, HISTORY, PLAN, RUN, STACK, UNDO_PLAN, UNDO_RUN } from './story.ts';
import type { FixtureRun, World } from './world.ts';

/** Runs, decisions about them, and their events. */
export function runRoutes(app: Hono<AppEnv>, world: World): void {
  app.get('/v1/runs', (c) => c.json({ items: [...[...world.runs.values()].map(pastOf), ...HISTORY] }));
  app.post('/v1/runs', (c) => {
    if (!world.runs.has(RUN)) {
      world.create(RUN, PLAN);
      world.go(RUN, ASKED);
    }
    return c.json({ run: RUN, state: 'waiting' }, 202, { Location: `/v1/runs/${RUN}` });
  });
  const known = (c: Context<AppEnv>): FixtureRun | undefined => world.runs.get(c.req.param('run') ?? '');
  app.get('/v1/runs/:run', (c) => {
    const run = known(c);
    return run === undefined ? problem(c, 404, 'RUN_UNKNOWN', 'There is no such run.') : c.json(viewOf(run));
  });
  app.get('/v1/runs/:run/approval', (c) => {
    const run = known(c);
    if (run?.state !== 'waiting') return problem(c, 409, 'APPROVAL_REFUSED', 'There is nothing to decide.');
    return c.json(
      {
        plan: run.plan,
        role: 'platform-lead',
        need: run.plan.approval,
        requestedBy: { user: 'anna', host: 'ops-1' },
        requestedAt: run.startedAt,
      },
      200,
      { ETag: `"${run.etag}"` },
    );
  });
  app.post('/v1/runs/:run/approval', (c) => {
    const run = known(c);
    if (run === undefined || c.req.header('if-match') !== `"${run.etag}"`)
      return problem(c, 412, 'PRECONDITION_FAILED', 'Somebody was first.');
    run.etag += 1;
    run.state = 'running';
    world.go(run.run, BEGUN());
    return c.json({ run: run.run, decision: 'approved' });
  });
  app.post('/v1/runs/:run/resume', (c) => {
    const run = known(c);
    if (run !== undefined) run.state = 'running';
    world.go(RUN, [{ type: 'run.message', level: 'info', message: 'somebody goes on with it' }]);
    return c.json({ run: RUN, state: 'queued' }, 202);
  });
  app.post('/v1/runs/:run/cancel', (c) => c.json({ run: c.req.param('run') }, 202));
  app.post('/v1/runs/:run/undo', async (c) => {
    const run = known(c);
    if (c.req.query('dryRun') === 'true') return c.json({ kind: 'planned', plan: UNDO_PLAN });
    world.create(UNDO_RUN, UNDO_PLAN).state = 'running';
    if (run !== undefined) run.undone = { byRun: UNDO_RUN };
    world.go(UNDO_RUN, [
      { type: 'run.started', target: 'before', plan: UNDO_PLAN.hash },
      { type: 'phase.entered', phase: 'locked' },
    ]);
    return c.json({ run: UNDO_RUN, state: 'queued' }, 202, { Location: `/v1/runs/${UNDO_RUN}` });
  });
  app.get('/v1/runs/:run/report', (c) => c.html('<!doctype html><title>Report</title><h1>Report</h1>'));

  app.get('/v1/runs/:run/events', (c) => {
    const run = known(c);
    if (run === undefined) return problem(c, 404, 'RUN_UNKNOWN', 'There is no such run.');
    const after = Number(c.req.header('last-event-id') ?? '0');
    world.streams.push(c.req.header('last-event-id') ?? '');
    return sse((write, end) => {
      const over = (): void => {
        write(`event: end\ndata: ${JSON.stringify({ run: run.run, sequence: run.events.length })}\n\n`);
        end();
      };
      const send = (event: RunEvent): void =>
        write(`id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      const tell = (event: RunEvent): void => {
        send(event);
        if (endOf(run.events) === event) over();
      };
      const set = world.runListeners.get(run.run) ?? new Set();
      world.runListeners.set(run.run, set.add(tell));
      for (const event of run.events.slice(after)) send(event);
      if (endOf(run.events) !== undefined) over();
      return () => set.delete(tell);
    });
  });
}

/** The end of a run that is over: what comes after one is only what was seen of the stack. */
function endOf(events: readonly RunEvent[]): Extract<RunEvent, { readonly type: 'run.ended' }> | undefined {
  const last = events.findLast(({ type }) => !type.startsWith('observation.'));
  return last?.type === 'run.ended' ? last : undefined;
}

function viewOf({ run, plan, events, startedAt, state, undone }: FixtureRun): object {
  const ended = endOf(events);
  const phase = events.findLast((event) => event.type === 'phase.entered')?.phase ?? 'planned';
  return {
    run,
    stack: STACK,
    state: ended === undefined ? state : 'ended',
    ...(ended === undefined ? {} : { outcome: ended.outcome, endedAt: ended.time, undo: `backstay undo ${run}` }),
    phase,
    direction: 'forward',
    plan,
    by: { user: 'anna', host: 'ops-1' },
    trigger: 'person',
    startedAt,
    ...pick('undone', undone),
    steps: [],
    sequence: events.length,
  };
}

function pastOf({ run, plan, events, startedAt }: FixtureRun): object {
  const outcome: Outcome | 'unfinished' =
    events.findLast((event) => event.type === 'run.ended')?.outcome ?? 'unfinished';
  const durationMs = Date.now() - Date.parse(startedAt);
  return {
    kind: 'run',
    run,
    stack: STACK,
    startedAt,
    outcome,
    phase: 'planned',
    durationMs,
    trigger: 'person',
    target: plan.target.said,
    by: 'anna@ops-1',
    resumable: false,
  };
}
