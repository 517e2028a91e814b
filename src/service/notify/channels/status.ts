import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel } from '../channel.ts';
import { type ChannelDeps, failureOf } from './answer.ts';
import { post } from './post.ts';

/** A status page: one incident a run, open until it is over. Its words are for everybody. */
export function status(
  setting: Extract<NotificationSetting, { kind: 'status' }>,
  { http, keys, clock }: ChannelDeps,
): Channel {
  const { name, url } = setting;
  return {
    send: async ({ id, subject, stack, at, effect, title, text }, { signal }) => {
      try {
        const token = await keys.read(setting.token);
        const state = effect === 'closes' ? 'resolved' : 'open';
        const body = JSON.stringify({ incident: subject, component: stack, status: state, title, message: text, at });
        const headers = { authorization: `Bearer ${token}`, 'idempotency-key': id };
        return await post({ http, name, url, body, headers, secrets: [token], now: clock.now(), signal });
      } catch (error) {
        return failureOf(error, name, signal);
      }
    },
  };
}
