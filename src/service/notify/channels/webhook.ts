import { createHmac } from 'node:crypto';
import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel, Message } from '../channel.ts';
import { type ChannelDeps, failureOf } from './answer.ts';
import { post } from './post.ts';

/** A shorter one can be guessed. */
const SHORTEST_SECRET = 16;

/**
 * A CloudEvent as JSON, signed anew for each attempt: `backstay-signature: v1=HEX`, HMAC-SHA256 over
 * `backstay-timestamp` (seconds), a dot and the body. docs/notifications.md shows how to verify it.
 */
export function webhook(
  setting: Extract<NotificationSetting, { kind: 'webhook' }>,
  { http, keys, clock }: ChannelDeps,
): Channel {
  const { name, url } = setting;
  return {
    send: async (message, { signal }) => {
      try {
        const secret = await keys.read(setting.secret);
        if (secret.length < SHORTEST_SECRET) {
          return { kind: 'refused', because: `the secret of ${name} is shorter than ${SHORTEST_SECRET} characters` };
        }
        const body = JSON.stringify(cloudEventOf(message));
        const now = clock.now();
        const timestamp = String(Math.floor(now / 1000));
        const headers = {
          'content-type': 'application/cloudevents+json',
          'idempotency-key': message.id,
          'backstay-timestamp': timestamp,
          'backstay-signature': `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`,
        };
        return await post({ http, name, url, body, headers, secrets: [secret], now, signal });
      } catch (error) {
        return failureOf(error, name, signal);
      }
    },
  };
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
