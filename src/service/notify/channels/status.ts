import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel } from '../channel.ts';
import type { ChannelDeps } from './answer.ts';
import { posting } from './post.ts';

/** A status page: one incident a run, open until it is over. Its words are for everybody. */
export function status(
  { name, url, token: key }: Extract<NotificationSetting, { kind: 'status' }>,
  deps: ChannelDeps,
): Channel {
  return posting({ name, url, key }, deps, ({ subject, stack, at, effect, title, text }, token) => ({
    headers: { authorization: `Bearer ${token}` },
    body: {
      incident: subject,
      component: stack,
      status: effect === 'closes' ? 'resolved' : 'open',
      title,
      message: text,
      at,
    },
  }));
}
