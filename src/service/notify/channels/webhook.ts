import { createHmac } from 'node:crypto';
import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel, Message } from '../channel.ts';
import type { ChannelDeps } from './answer.ts';
import { posting } from './post.ts';

/** A shorter one can be guessed. */
const SHORTEST_SECRET = 16;

/**
 * A CloudEvent as JSON, signed anew for each attempt: `backstay-signature: v1=HEX`, HMAC-SHA256 over
 * `backstay-timestamp` (seconds), a dot and the body. docs/notifications.md shows how to verify it.
 */
export function webhook(
  { name, url, secret: key }: Extract<NotificationSetting, { kind: 'webhook' }>,
  deps: ChannelDeps,
): Channel {
  return posting({ name, url, key }, deps, (message, secret, now) => {
    if (secret.length < SHORTEST_SECRET)
      return { kind: 'refused', because: `the secret of ${name} is shorter than ${SHORTEST_SECRET} characters` };
    const body = JSON.stringify(cloudEventOf(message));
    const timestamp = String(Math.floor(now / 1000));
    const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
    return {
      body,
      headers: {
        'content-type': 'application/cloudevents+json',
        'backstay-timestamp': timestamp,
        'backstay-signature': `v1=${signature}`,
      },
    };
  });
}

function cloudEventOf({ id, subject, notice, stack, run, proposal, at, title, text, link, values }: Message): unknown {
  return {
    specversion: '1.0',
    id,
    source: `/stacks/${stack}`,
    type: `dev.backstay.${notice}`,
    subject,
    time: at,
    datacontenttype: 'application/json',
    data: {
      stack,
      ...(run === undefined ? {} : { run }),
      ...(proposal === undefined ? {} : { proposal }),
      title,
      text,
      ...(link === undefined ? {} : { link }),
      values,
    },
  };
}
