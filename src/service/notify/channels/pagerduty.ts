import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel, Message } from '../channel.ts';
import type { Effect } from '../telling.ts';
import type { ChannelDeps } from './answer.ts';
import { posting } from './post.ts';

/** Characters that the Events API takes of a summary. */
const LONGEST_SUMMARY = 1_024;

const ACTIONS: Readonly<Record<Effect, 'trigger' | 'acknowledge' | 'resolve'>> = {
  opens: 'trigger',
  alarms: 'trigger',
  acknowledges: 'acknowledge',
  closes: 'resolve',
};

/** Events API version 2. The run or proposal is the key by which PagerDuty takes several events for one incident. */
export function pagerduty(
  { name, url, routingKey: key }: Extract<NotificationSetting, { kind: 'pagerduty' }>,
  deps: ChannelDeps,
): Channel {
  return posting({ name, url, key }, deps, (message, secret) => ({
    body: { routing_key: secret, ...eventOf(message) },
  }));
}

function eventOf({ id, subject, stack, at, effect, title, text, link, values }: Message): Record<string, unknown> {
  const event = { event_action: ACTIONS[effect], dedup_key: subject };
  if (effect === 'acknowledges' || effect === 'closes') return event;
  return {
    ...event,
    payload: {
      summary: title.slice(0, LONGEST_SUMMARY),
      source: stack,
      severity: effect === 'alarms' ? 'critical' : 'warning',
      timestamp: at,
      component: stack,
      class: 'rollback',
      custom_details: { ...values, text, event: id },
    },
    client: 'Backstay',
    ...(link === undefined ? {} : { client_url: link, links: [{ href: link, text: 'Look at it' }] }),
  };
}
