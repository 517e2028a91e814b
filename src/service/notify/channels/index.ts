import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel } from '../channel.ts';
import type { ChannelDeps } from './answer.ts';
import { github } from './github.ts';
import { pagerduty } from './pagerduty.ts';
import { slack } from './slack.ts';
import { status } from './status.ts';
import { webhook } from './webhook.ts';

export { type ChannelDeps, REQUEST_MS } from './answer.ts';

/** The channel of a setting. Nothing is asked, and no key is read, before something is sent. */
export function channelOf(setting: NotificationSetting, deps: ChannelDeps): Channel {
  switch (setting.kind) {
    case 'slack':
      return slack(setting, deps);
    case 'github':
      return github(setting, deps);
    case 'pagerduty':
      return pagerduty(setting, deps);
    case 'webhook':
      return webhook(setting, deps);
    case 'status':
      return status(setting, deps);
  }
}
