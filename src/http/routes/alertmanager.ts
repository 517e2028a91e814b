import { createRoute, z } from '@hono/zod-openapi';
import { mayAnywhere, mayDo } from '../../service/access/may.ts';
import { assign, policies, type Received, receive } from '../../service/triggers/intake.ts';
import { alertsOf } from '../../service/triggers/webhook.ts';
import { body, json, PROBLEMS } from '../answers.ts';
import { requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';

const texts = z.record(z.string(), z.string());
const moment = z.iso.datetime({ offset: true });

/** Loose: newer versions, and Grafana, send more than is read here. */
const webhook = z
  .looseObject({
    version: z.string().exactOptional(),
    groupKey: z.string().max(10_000).exactOptional(),
    truncatedAlerts: z.number().exactOptional(),
    alerts: z
      .array(
        z.looseObject({
          status: z.string(),
          labels: texts,
          annotations: texts.exactOptional(),
          startsAt: moment,
          endsAt: moment.exactOptional(),
          generatorURL: z.string().exactOptional(),
          fingerprint: z.string().min(1).max(200),
        }),
      )
      .max(10_000),
  })
  .openapi('AlertmanagerWebhook');

const verdict = z
  .object({
    fingerprint: z.string(),
    did: z.enum(['ignored', 'known', 'recorded']),
    because: z.string().exactOptional(),
  })
  .openapi('AlertVerdict');

const post = createRoute({
  method: 'post',
  path: '/v1/triggers/alertmanager',
  summary: "takes Alertmanager's webhook (version 4); what follows from it is decided afterwards",
  request: { body: body(webhook) },
  responses: {
    200: json(
      z.object({ alerts: z.array(verdict) }),
      'What became of each alert. An alert that starts nothing is no error.',
    ),
    ...PROBLEMS,
  },
});

export const alertmanager: Routes = (app, deps) => {
  const { service } = deps;
  const known = policies(service);
  app.openapi(post, async (c) => {
    const principal = c.get('principal');
    // One who may act nowhere is refused as a whole, so that a wrong token is noticed where it was set up.
    if (!mayAnywhere(principal, 'act')) await requireDeed(c, deps, 'act');
    const stacks = await known();
    const written = new Set<string>();
    const alerts: z.infer<typeof verdict>[] = [];
    for (const alert of alertsOf(c.req.valid('json'))) {
      const found = assign(alert, stacks);
      const may = !('because' in found) && mayDo(principal, 'act', found.stack);
      const received: Received =
        'because' in found || !may
          ? // Whether there is such a stack is not told to one who may not act on it.
            { did: 'ignored', because: 'because' in found ? found.because : 'its labels name no stack' }
          : await receive({ ...alert, source: 'alertmanager', stack: found.stack }, found.policy, service);
      if (received.did === 'recorded' && 'stack' in found) written.add(found.stack);
      alerts.push({ fingerprint: alert.fingerprint, ...received });
    }
    // Repetitions change nothing, and are not written down.
    for (const stack of written) await requireDeed(c, deps, 'act', stack);
    return c.json({ alerts }, 200);
  });
};
