import { createRoute, z } from '@hono/zod-openapi';
import { mayAnywhere, mayDo } from '../../service/access/may.ts';
import { assign, type LooseAlert, policies, type Received, receive } from '../../service/triggers/intake.ts';
import type { ServiceDeps } from '../../service/deps.ts';
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
    // Of stacks on which the caller may not act nothing is told, not even that they are there.
    const stacks = new Map([...(await known())].filter(([stack]) => mayDo(principal, 'act', stack)));
    const written = new Set<string>();
    const alerts: z.infer<typeof verdict>[] = [];
    for (const alert of alertsOf(c.req.valid('json'))) {
      const received = await take(alert, stacks, service);
      if (received.did === 'recorded') written.add(received.stack);
      const { did, because } = received;
      alerts.push({ fingerprint: alert.fingerprint, did, ...(because === undefined ? {} : { because }) });
    }
    // Repetitions change nothing, and are not written down.
    for (const stack of written) await requireDeed(c, deps, 'act', stack);
    return c.json({ alerts }, 200);
  });
};

async function take(
  alert: LooseAlert,
  stacks: Parameters<typeof assign>[1],
  service: ServiceDeps,
): Promise<Received & { readonly stack: string }> {
  const found = assign(alert, stacks);
  if ('because' in found) return { did: 'ignored', because: found.because, stack: '' };
  const { stack, policy } = found;
  return { ...(await receive({ ...alert, source: 'alertmanager', stack }, policy, service)), stack };
}
