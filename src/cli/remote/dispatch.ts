import { openClient, openTools } from '../../compose.ts';
import { BackstayError } from '../../errors/index.ts';
import type { CommandSpec, Invocation } from '../commands.ts';

/** Has a service do what the command does. @throws REMOTE_UNSUPPORTED for what only this machine can do */
export async function runRemotely(spec: CommandSpec, server: string, invocation: Invocation): Promise<number> {
  const { terminal, globals } = invocation;
  if (spec.remote === undefined || spec.remote === 'here')
    throw new BackstayError('REMOTE_UNSUPPORTED', `\`backstay ${spec.name}\` is not done by a service (${server}).`);
  const ours = (['kubeconfig', 'context'] as const).filter((name) => globals[name] !== undefined);
  if (ours.length > 0)
    throw new BackstayError('USAGE', `--${ours.join(', --')} is for this machine; ${server} has settings of its own.`);
  const [client, tools, run] = await Promise.all([openClient(server, terminal), openTools(), spec.remote()]);
  return await run(invocation, { client, ...tools });
}

/** Flags that say how this machine does something. @throws REMOTE_UNSUPPORTED naming those that were given */
export function refuseLocal({ options }: Invocation, ...names: readonly string[]): void {
  const given = names.filter((name) => options[name] !== undefined && options[name] !== false);
  if (given.length === 0) return;
  const flags = given.map((name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new BackstayError('REMOTE_UNSUPPORTED', `${flags.join(', ')} cannot be said to a service.`);
}
