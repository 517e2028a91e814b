import { randomUUID } from 'node:crypto';
import { BackstayError } from '../../errors/index.ts';
import type { Notice, NotificationSetting, Stack } from '../../model/index.ts';
import type { Sent } from './channel.ts';
import { type ChannelDeps, channelOf } from './channels/index.ts';
import { render } from './render.ts';
import type { Effect, Telling } from './telling.ts';

export interface TestedChannel {
  readonly stack: string;
  readonly channel: string;
  /** Its kind. */
  readonly receiver: NotificationSetting['kind'];
  /** What later messages about the same would refer to: an issue's number. */
  readonly reference?: string;
}

/** Milliseconds for the whole of it. */
const LIMIT_MS = 30_000;

/** What is opened is closed again: a test leaves nobody an open incident. */
const NOTICES: readonly (readonly [Notice, Effect])[] = [
  ['run.started', 'opens'],
  ['run.ended', 'closes'],
];

/**
 * Sends a channel what a run would: that it begins, and that it is over. Both say that they are a test.
 * @throws CHANNEL_UNKNOWN, NOTICE_FAILED with the reason
 */
export async function testChannel(
  { stack, channel: name }: { readonly stack: Stack; readonly channel: string },
  deps: ChannelDeps,
  signal: AbortSignal = AbortSignal.timeout(LIMIT_MS),
): Promise<TestedChannel> {
  const { channels = [], page } = stack.notifications ?? {};
  const setting = channels.find((one) => one.name === name);
  if (setting === undefined) {
    const known = channels.map((one) => one.name).join(', ');
    throw new BackstayError('CHANNEL_UNKNOWN', `The stack ${stack.name} has no channel ${name}.`, {
      next: known === '' ? 'Declare one in backstay:notifications.' : `Choose one of ${known}.`,
    });
  }
  const subject = `test-${randomUUID()}`;
  const channel = channelOf(setting, deps);
  let reference: string | undefined;
  for (const [notice, effect] of NOTICES) {
    const message = render(testTelling(stack.name, subject, notice, effect, deps.clock.now()), setting, page);
    const about = { repeated: false, ...(reference === undefined ? {} : { reference }), signal };
    const sent: Sent = await channel.send(message, about);
    if (sent.kind !== 'delivered') throw new BackstayError('NOTICE_FAILED', `Nothing was told: ${sent.because}.`);
    reference = sent.reference ?? reference;
  }
  return {
    stack: stack.name,
    channel: name,
    receiver: setting.kind,
    ...(reference === undefined ? {} : { reference }),
  };
}

function testTelling(stack: string, subject: string, notice: Notice, effect: Effect, now: number): Telling {
  return {
    id: `${subject}:${notice}`,
    subject,
    notice,
    stack,
    at: new Date(now).toISOString(),
    effect,
    values: {
      stack,
      run: subject,
      from: 'here',
      to: 'here',
      reason: 'a test of this channel: nothing happens to the stack',
      by: 'backstay notify test',
      trigger: 'person',
      outcome: 'succeeded',
      duration: '0 s',
    },
  };
}
