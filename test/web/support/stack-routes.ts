import type { Hono } from 'hono';
import type { AppEnv } from '../../../src/http/context.ts';
import { pick } from './answers.ts';
import { STORES } from './story-stack.ts';
import { ASKED, CHANGES, HISTORY, PLAN, PROPOSAL, RUN, SNAPSHOTS, STACK, UNDO_PLAN, WAITING } from './story.ts';
import type { World } from './world.ts';

/** Stacks, what can be told of them, plans and proposals. */
export function stackRoutes(app: Hono<AppEnv>, world: World): void {
  const summary = (): object => {
    const active = [...world.runs.values()].find(({ state }) => state !== 'ended');
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
      openProposals: world.proposal.state === 'open' ? 1 : 0,
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
      stores: STORES,
      schedules: world.schedules,
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
  app.get('/v1/stacks/:stack/drills', (c) => c.json({ items: world.drills }));
  app.post('/v1/stacks/:stack/drills', async (c) => {
    const { store = 'orders', backup = 'latest' } = await c.req.json<{ store?: string; backup?: string }>();
    return c.json({ ...world.beginDrill(store, backup) }, 202, { Location: c.req.path });
  });
  app.get('/v1/notifications', (c) => {
    const { run, proposal } = c.req.query();
    const wanted = world.deliveries.filter((one) => (run === undefined ? one.proposal === proposal : one.run === run));
    return c.json({ items: wanted });
  });
  app.get('/v1/approvals', (c) => c.json({ items: world.runs.get(RUN)?.state === 'waiting' ? [WAITING] : [] }));
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
  app.get('/v1/proposals', (c) => c.json({ items: world.proposal.state === 'open' ? [world.proposal] : [] }));
  app.get('/v1/proposals/:id', (c) => c.json({ ...world.proposal, planDetail: PLAN }));
  app.post('/v1/proposals/:id/accept', (c) => {
    world.create(RUN, PLAN);
    world.proposal = { ...world.proposal, state: 'started', run: RUN, by: 'token:anna' };
    world.go(RUN, ASKED);
    world.changed({ proposal: PROPOSAL });
    return c.json({ run: RUN, state: 'waiting' }, 202, { Location: `/v1/runs/${RUN}` });
  });
  app.post('/v1/proposals/:id/dismiss', (c) => {
    world.proposal = { ...world.proposal, state: 'dismissed', because: 'a person said so' };
    world.changed({ proposal: PROPOSAL });
    return c.json(world.proposal);
  });
}

function workload(name: string, state: string, reason: string): object {
  return { kind: 'Deployment', namespace: 'shop', name, health: { state, reason }, images: [] };
}
