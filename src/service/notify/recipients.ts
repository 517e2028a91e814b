import { type Notice, NOTICES, type NotificationPolicy, type NotificationSetting } from '../../model/index.ts';
import type { Telling } from './telling.ts';

type Kind = NotificationSetting['kind'];

const NEWS: readonly Notice[] = NOTICES.filter((notice) => notice !== 'escalation');

/** What a channel hears that does not say what it wants. */
const USUAL: Readonly<Record<Kind, readonly Notice[]>> = {
  slack: NEWS,
  github: NEWS,
  webhook: NEWS,
  // Nobody is woken because somebody starts a run.
  pagerduty: NEWS.filter((notice) => notice !== 'run.started' && notice !== 'observation.ended'),
  // The public: what it notices, and nothing else.
  status: ['run.started', 'run.ended'],
};

/** Each of these keeps something open that has to be closed again, and cannot close what it never opened. */
const KEEPS_OPEN: ReadonlySet<Kind> = new Set(['pagerduty', 'status']);

/**
 * Who is told. `told` names the channels that have heard of the same run or proposal: whoever heard that something began hears
 * that it is over, whatever else he wants. An escalation goes to those whom it names.
 */
export function recipientsOf(
  { channels }: Pick<NotificationPolicy, 'channels'>,
  telling: Telling,
  told: ReadonlySet<string>,
): readonly NotificationSetting[] {
  return channels.filter((setting) => {
    if (telling.to !== undefined) return telling.to.includes(setting.name);
    return wants(setting, telling, told.has(setting.name));
  });
}

function wants(
  { kind, on = USUAL[kind] }: NotificationSetting,
  { notice, effect }: Telling,
  wasTold: boolean,
): boolean {
  const isTheEnd = notice === 'run.ended' || notice === 'proposal.closed';
  if (isTheEnd && wasTold) return true;
  // Settled before anybody was asked: nobody has to know.
  if (notice === 'proposal.closed') return false;
  if (KEEPS_OPEN.has(kind) && (effect === 'closes' || effect === 'acknowledges') && !wasTold) return false;
  if (kind === 'status' && effect !== 'opens' && !wasTold) return false;
  return on.includes(notice);
}
