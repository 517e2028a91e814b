import { postToWebhook } from '../../../hooks/index.ts';
import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel } from '../channel.ts';
import { type ChannelDeps, failureOf, REQUEST_MS, sentOf, wordsOf } from './answer.ts';

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
          secrets: [url, pathOf(url)],
        });
      } catch (error) {
        return failureOf(error, name, signal);
      }
    },
  };
}

function pathOf(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : '';
  return path === '/' ? '' : path;
}
