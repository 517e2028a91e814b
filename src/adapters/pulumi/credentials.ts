import { join } from 'node:path';
import type { Credentials } from '../../ports/index.ts';
import { engineFailed, openStack, type PulumiEngineOptions, settled } from './engine.ts';
import { makeWorkspace } from './workspace.ts';

const PASSWORD = 'random:index/randomPassword:RandomPassword';

/**
 * Credentials as RandomPasswords in a Pulumi stack of their own, `STACK-credentials`, with the stack's backend and encryption:
 * unlike the state of the objects, this one holds what nothing else has.
 */
export function createPulumiCredentials(options: Omit<PulumiEngineOptions, 'cluster'>): Credentials {
  const stack = { ...options.stack, name: `${options.stack.name}-credentials` };
  return { of: async (names) => await made(names, { ...options, stack }) };
}

async function made(
  names: readonly string[],
  options: Omit<PulumiEngineOptions, 'cluster'>,
): Promise<Readonly<Record<string, string>>> {
  const { stack, projectName, stateDir } = options;
  const seen = new Map<string, string>();
  const program = async (): Promise<void> => {
    const { registerCredentials } = await import('../../program/credentials.ts');
    for (const [name, value] of await registerCredentials(names)) value.apply((text) => seen.set(name, text));
  };
  const { startRandomProvider } = await import('../../provider/index.ts');
  const [provider, workspace] = await Promise.all([
    startRandomProvider(),
    makeWorkspace(stack, projectName, join(stateDir, 'engine')),
  ]);
  try {
    const { pulumi, cli } = await openStack(options, workspace, provider, program);
    // Only what is targeted changes: what the state has beside it stays, whoever else adds to it meanwhile.
    const target = names.map((name) => `urn:pulumi:${stack.name}::${projectName}::${PASSWORD}::${name}`);
    const error = await settled('up', pulumi, { color: 'never', target }, cli, workspace);
    const missing = names.filter((name) => !seen.has(name));
    if (error !== undefined || missing.length > 0)
      throw engineFailed(stack.name, [], error ?? new Error(`no value came for ${missing.join(', ')}`));
    return Object.fromEntries(seen);
  } finally {
    await Promise.all([provider.close(), workspace.remove()]);
  }
}
