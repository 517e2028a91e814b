import { postToWebhook } from '../../../hooks/index.ts';
import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel } from '../channel.ts';
import { type ChannelDeps, failureOf, REQUEST_MS, sentOf, wordsOf } from './answer.ts';

const SHORTEST_SECRET = 4;

/** An incoming webhook of Slack, or of one that speaks as Slack does. */
export function slack(
  setting: Extract<NotificationSetting, { kind: 'slack' }>,
  { http, keys, clock }: ChannelDeps,
): Channel {
  const { name, webhook, channel } = setting;
  return {
    send: async ({ id, title, text }, { signal }) => {
      try {
        const url = await keys.read(webhook);
        if (!URL.canParse(url)) return { kind: 'retry', because: `what ${name} has for its address is not a URL` };
        const answer = await postToWebhook({
          http,
          name,
          url,
          text: text === '' ? `*${title}*` : `*${title}*\n${text}`,
          ...(channel === undefined ? {} : { channel }),
          id,
          timeoutMs: REQUEST_MS,
          signal,
        });
        const words = wordsOf(answer.body);
        return sentOf({ ...answer, ...(words === undefined ? {} : { words }) }, name, {
          now: clock.now(),
          secrets: secretsIn(url),
        });
      } catch (error) {
        return failureOf(error, name, signal);
      }
    },
  };
}

/** Of an address: its path, and each part of it that is long enough to be a password. */
function secretsIn(url: string): readonly string[] {
  if (!URL.canParse(url)) return [url];
  const { pathname } = new URL(url);
  return [url, pathname, ...pathname.split('/')].filter((part) => part.length >= SHORTEST_SECRET);
}
