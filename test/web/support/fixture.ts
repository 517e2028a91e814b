import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import { type Context, Hono } from 'hono';
import type { AppEnv, HttpDeps } from '../../../src/http/context.ts';
import { headers } from '../../../src/http/middleware/headers.ts';
import { page } from '../../../src/http/page.ts';
import type { Outcome, Plan, RunEvent, RunEventBody } from '../../../src/model/index.ts';
import {
  ASKED,
  BEGUN,
  CHANGES,
  FINISHED,
  HISTORY,
  OPEN_PROPOSAL,
  PLAN,
  PROPOSAL,
  RUN,
  SNAPSHOTS,
  STACK,
  stamped,
  UNDO_PLAN,
  UNDO_RUN,
  WAITING,
} from './story.ts';

export const TOKEN = 'bst_of-a-test';

interface FixtureRun {
  readonly run: string;
  readonly plan: Plan;
  readonly events: RunEvent[];
  readonly startedAt: string;
  state: 'waiting' | 'running' | 'ended';
  etag: number;
  undone?: { readonly byRun: string };
}

export interface Fixture {
  readonly url: string;
  readonly runs: ReadonlyMap<string, FixtureRun>;
  /** What was asked of it, as `POST /v1/runs`, with the body and the headers that matter. */
  readonly asked: readonly Asked[];
  /** Streams that are open, by the Last-Event-ID with which each was asked for. */
  readonly streams: readonly string[];
  /** The run goes on by these; every listener is told. */
  go(run: string, events: readonly RunEventBody[]): void;
  /** Somebody asks for the run, so many milliseconds ago. */
  begin(agoMs?: number): void;
  finish(): void;
  /** Cuts every connection, and answers nobody until `back`. */
  away(): void;
  back(): void;
  /** From now on who asks is a viewer. */
  watchOnly(): void;
  /** From now on a token is wanted. */
  lock(): void;
  close(): Promise<void>;
}

export interface Asked {
  readonly call: string;
  readonly body: unknown;
  readonly key?: string;
  readonly ifMatch?: string;
}

/**
 * A service without a cluster, with the page, the policy of the real one and an honest stream: ids, Last-Event-ID, cut
 * connections. What happens in it is what the test says.
 */
export async function startFixture(folder: string): Promise<Fixture> {
  const runs = new Map<string, FixtureRun>();
  const asked: Asked[] = [];
  const streams: string[] = [];
  const listeners = new Set<(text: string) => void>();
  const runListeners = new Map<string, Set<(event: RunEvent) => void>>();
  let proposal = OPEN_PROPOSAL;
  let [isAway, isLocked, mayAct] = [false, false, true];

  const changed = (what: object): void => {
    for (const tell of listeners) tell(`event: changed\ndata: ${JSON.stringify({ stack: STACK, ...what })}\n\n`);
  };
  const go: Fixture['go'] = (id, bodies) => {
    const run = runs.get(id);
    if (run === undefined) throw new TypeError(`no run ${id}`);
    const last = run.events.at(-1)?.time ?? run.startedAt;
    const events = stamped(id, bodies, run.events.length, Date.parse(last));
    run.events.push(...events);
    for (const event of events) {
      if (event.type === 'approval.given') run.state = 'running';
      if (event.type === 'run.ended') run.state = 'ended';
      for (const tell of runListeners.get(id) ?? []) tell(event);
    }
    changed({ run: id });
  };
  const create = (id: string, plan: Plan, agoMs = 0): FixtureRun => {
    const run: FixtureRun = {
      run: id,
      plan,
      events: [],
      startedAt: new Date(Date.now() - agoMs).toISOString(),
      state: 'waiting',
      etag: 1,
    };
    runs.set(id, run);
    return run;
  };

  const app = new Hono<AppEnv>();
  app.use(headers());
  const shell = new OpenAPIHono<AppEnv>();
  page(folder)(shell, {} as HttpDeps);
  app.route('/', shell);
  app.use('/v1/*', async (c, next) => {
    const isOpen = c.req.path === '/v1/session' || !isLocked || (c.req.header('cookie') ?? '').includes('backstay=in');
    if (!isOpen) return problem(c, 401, 'ACCESS_UNPROVEN', 'The request says not who asks.');
    if (c.req.method !== 'GET')
      asked.push({
        call: `${c.req.method} ${c.req.path}`,
        body: await c.req.json().catch(() => undefined),
        ...pick('key', c.req.header('idempotency-key')),
        ...pick('ifMatch', c.req.header('if-match')),
      });
    await next();
  });
  app.post('/v1/session', async (c) => {
    const { token } = await c.req.json<{ token: string }>();
    if (token !== TOKEN) return problem(c, 401, 'ACCESS_UNPROVEN', 'This token is not known.');
    return c.body(null, 204, { 'Set-Cookie': 'backstay=in; HttpOnly; SameSite=Strict; Path=/' });
  });
  app.get('/v1/me', (c) => {
    const grants = [{ role: mayAct ? 'operator' : 'viewer', stacks: ['shop-*'] }];
    return c.json({ principal: { id: 'token:anna', name: 'Anna', by: 'token', grants } });
  });

  const summary = (): object => {
    const active = [...runs.values()].find(({ state }) => state !== 'ended');
    return {
      name: STACK,
      namespaces: ['shop', 'shop-jobs'],
      checks: 3,
      state: active?.state ?? 'idle',
      ...pick('run', active?.run),
      lastRun: { run: HISTORY[0]!.run, outcome: 'succeeded', endedAt: HISTORY[0]!.startedAt },
      lastKnownGood: { id: SNAPSHOTS[1]!.id, labels: ['v2.7.4'], capturedAt: SNAPSHOTS[1]!.capturedAt },
      holds: 1,
      triggers: 'propose',
      openProposals: proposal.state === 'open' ? 1 : 0,
    };
  };
  app.get('/v1/stacks', (c) =>
    c.json({
      items: [
        summary(),
        { name: 'documents', namespaces: ['documents'], checks: 0, state: 'idle' },
        {
          name: 'graph',
          namespaces: [],
          checks: 0,
          problem: 'stacks/Pulumi.graph.yaml:14:3: stores is not known here',
        },
      ],
    }),
  );
  app.get('/v1/stacks/:stack', (c) =>
    c.json({
      ...summary(),
      name: c.req.param('stack'),
      policy: {
        severities: [{ name: 'SEV-1' }, { name: 'SEV-2' }],
        roles: [],
        requireReason: true,
        requireSeverity: false,
      },
    }),
  );
  app.get('/v1/stacks/:stack/live', (c) =>
    c.json({
      stack: STACK,
      at: new Date().toISOString(),
      flags: [],
      workloads: [
        workload('gateway', 'failed', 'container gateway was killed for its memory'),
        workload('orders', 'progressing', '1 of 2 pods ready'),
        workload('catalogue', 'ready', '3 of 3 pods ready'),
      ],
    }),
  );
  app.get('/v1/stacks/:stack/snapshots', (c) => c.json({ items: SNAPSHOTS, damaged: [] }));
  app.get('/v1/stacks/:stack/compare', (c) =>
    c.json({
      from: 'live',
      to: SNAPSHOTS[1]!.id,
      changes: CHANGES,
      warnings: PLAN.warnings,
      refusals: [],
      labels: ['v2.7.4'],
    }),
  );
  app.post('/v1/stacks/:stack/plans', (c) =>
    c.json({ kind: 'planned', plan: PLAN }, 201, { Location: `/v1/plans/${PLAN.hash}` }),
  );
  app.post('/v1/stacks/:stack/snapshots', (c) => c.json({ kind: 'captured' }, 201));
  app.get('/v1/plans/:hash', (c) => c.json(c.req.param('hash') === UNDO_PLAN.hash ? UNDO_PLAN : PLAN));
  app.get('/v1/approvals', (c) => c.json({ items: runs.get(RUN)?.state === 'waiting' ? [WAITING] : [] }));
  app.get('/v1/stats', (c) =>
    c.json({
      by: 'stack',
      since: '2026-06-01T00:00:00Z',
      until: new Date().toISOString(),
      all: {
        runs: 6,
        perWeek: 0.7,
        perMonth: 3,
        ended: 6,
        succeeded: 4,
        successRate: 4 / 6,
        duration: { mean: 61_950, median: 50_000, p95: 128_000 },
        downtime: { measured: 5, totalMs: 18_800, meanMs: 3_760, maxMs: 12_300 },
      },
      groups: [],
      damaged: [],
    }),
  );
  app.get('/v1/proposals', (c) => c.json({ items: proposal.state === 'open' ? [proposal] : [] }));
  app.get('/v1/proposals/:id', (c) => c.json({ ...proposal, planDetail: PLAN }));
  app.post('/v1/proposals/:id/accept', (c) => {
    create(RUN, PLAN);
    proposal = { ...proposal, state: 'started', run: RUN, by: 'token:anna' };
    go(RUN, ASKED);
    changed({ proposal: PROPOSAL });
    return c.json({ run: RUN, state: 'waiting' }, 202, { Location: `/v1/runs/${RUN}` });
  });
  app.post('/v1/proposals/:id/dismiss', (c) => {
    proposal = { ...proposal, state: 'dismissed', because: 'a person said so' };
    changed({ proposal: PROPOSAL });
    return c.json(proposal);
  });

  app.get('/v1/runs', (c) => c.json({ items: [...[...runs.values()].map(pastOf), ...HISTORY] }));
  app.post('/v1/runs', (c) => {
    if (!runs.has(RUN)) {
      create(RUN, PLAN);
      go(RUN, ASKED);
    }
    return c.json({ run: RUN, state: 'waiting' }, 202, { Location: `/v1/runs/${RUN}` });
  });
  const known = (c: Context<AppEnv>): FixtureRun | undefined => runs.get(c.req.param('run') ?? '');
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
    go(run.run, BEGUN());
    return c.json({ run: run.run, decision: 'approved' });
  });
  app.post('/v1/runs/:run/resume', (c) => {
    const run = known(c);
    if (run !== undefined) run.state = 'running';
    go(RUN, [{ type: 'run.message', level: 'info', message: 'somebody goes on with it' }]);
    return c.json({ run: RUN, state: 'queued' }, 202);
  });
  app.post('/v1/runs/:run/cancel', (c) => c.json({ run: c.req.param('run') }, 202));
  app.post('/v1/runs/:run/undo', async (c) => {
    const run = known(c);
    if (c.req.query('dryRun') === 'true') return c.json({ kind: 'planned', plan: UNDO_PLAN });
    create(UNDO_RUN, UNDO_PLAN).state = 'running';
    if (run !== undefined) run.undone = { byRun: UNDO_RUN };
    go(UNDO_RUN, [
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
    streams.push(c.req.header('last-event-id') ?? '');
    return sse((write, end) => {
      const tell = (event: RunEvent): void => {
        write(`id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
        if (event.type !== 'run.ended' || event !== run.events.at(-1)) return;
        write('event: end\ndata: {}\n\n');
        end();
      };
      const set = runListeners.get(run.run) ?? new Set();
      runListeners.set(run.run, set.add(tell));
      for (const event of run.events.slice(after)) tell(event);
      return () => set.delete(tell);
    });
  });
  app.get('/v1/events', () =>
    sse((write) => {
      listeners.add(write);
      write(': here\n\n');
      return () => listeners.delete(write);
    }),
  );

  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const sockets = new Set<Socket>();
  const server = createServer((request, response: ServerResponse) => {
    if (isAway) request.socket.destroy();
    else void answer(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    runs,
    asked,
    streams,
    go,
    begin: (agoMs) => {
      create(RUN, PLAN, agoMs);
      go(RUN, ASKED);
    },
    finish: () => go(RUN, FINISHED()),
    away: () => {
      isAway = true;
      cut();
    },
    back: () => {
      isAway = false;
    },
    watchOnly: () => {
      mayAct = false;
    },
    lock: () => {
      isLocked = true;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

function workload(name: string, state: string, reason: string): object {
  return { kind: 'Deployment', namespace: 'shop', name, health: { state, reason }, images: [] };
}

function pick<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function problem(c: Context<AppEnv>, status: 401 | 404 | 409 | 412, code: string, detail: string): Response {
  const body = {
    type: `urn:backstay:error:${code}`,
    title: detail,
    status,
    detail,
    code,
    next: 'Look again.',
    source: 'user',
  };
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json' });
}

function sse(begin: (write: (text: string) => void, end: () => void) => () => void): Response {
  let stop = (): void => undefined;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      let isOpen = true;
      const close = (): void => {
        if (isOpen) controller.close();
        isOpen = false;
      };
      const release = begin((text) => {
        if (isOpen) controller.enqueue(encoder.encode(text));
      }, close);
      stop = () => {
        isOpen = false;
        release();
      };
    },
    cancel: () => stop(),
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } });
}

function viewOf({ run, plan, events, startedAt, state, undone }: FixtureRun): object {
  const last = events.at(-1);
  const ended = last?.type === 'run.ended' ? last : undefined;
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
