import type { KeySource } from '../../../model/index.ts';
import type { Channel, Message, Sending, Sent } from '../channel.ts';
import { type ChannelDeps, failureOf } from './answer.ts';

/** A channel whose key is read anew for each message. What fails underneath is an answer as well. */
export function keyed(
  { name, key }: { readonly name: string; readonly key: KeySource },
  { keys }: Pick<ChannelDeps, 'keys'>,
  send: (message: Message, sending: Sending, secret: string) => Promise<Sent>,
): Channel {
  return {
    send: async (message, sending) => {
      try {
        return await send(message, sending, await keys.read(key));
      } catch (error) {
        return failureOf(error, name, sending.signal);
      }
    },
  };
}
