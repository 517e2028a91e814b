import type { CommandRun } from '../commands.ts';
import { withStack } from '../with-stack.ts';

/** Asks neither the cluster nor a service: channel and keys as a service on this machine would have them. */
export const test: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const [name = '', channel = ''] = args;
  const { testChannel } = await import('../../service/notify/index.ts');
  return await withStack(invocation, name, async ({ stack, keys, clock, ...composition }) => {
    const tested = await testChannel({ stack, channel }, { http: await composition.http(), keys, clock });
    terminal.result('TestedChannel', { ...tested }, () => {
      const where = tested.reference === undefined ? '' : ` (${tested.reference}, which stays there)`;
      return `${terminal.out.good('told')}  ${tested.channel}, ${tested.receiver}${where}`;
    });
    return 0;
  });
};
