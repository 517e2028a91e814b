import { postToWebhook } from '../../../hooks/index.ts';
import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel } from '../channel.ts';
import { type ChannelDeps, REQUEST_MS, sentOf, wordsOf } from './answer.ts';
import { keyed } from './keyed.ts';

const SHORTEST_SECRET = 4;

/** An incoming webhook of Slack, or of one that speaks as Slack does. */
export function slack(
  { name, webhook: key, channel }: Extract<NotificationSetting, { kind: 'slack' }>,
  deps: ChannelDeps,
): Channel {
  const { http, clock } = deps;
  return keyed({ name, key }, deps, async ({ id, title, text }, { signal }, url) => {
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
    const known = { now: clock.now(), secrets: secretsIn(url) };
    return sentOf({ ...answer, words: wordsOf(answer.body) }, name, known);
  });
}

/** Of an address: its path, and each part of it that is long enough to be a password. */
function secretsIn(url: string): readonly string[] {
  if (!URL.canParse(url)) return [url];
  const { pathname } = new URL(url);
  return [url, pathname, ...pathname.split('/')].filter((part) => part.length >= SHORTEST_SECRET);
}
