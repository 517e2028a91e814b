import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalWorkspace } from '@pulumi/pulumi/automation/index.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandAt } from '../../src/adapters/pulumi/command.ts';
import { registerCredentials } from '../../src/program/credentials.ts';
import { type RunningProvider, startProvider } from '../../src/provider/index.ts';
import { findTool } from '../../src/toolchain/index.ts';
import { allText, resourcesIn } from '../adapters/pulumi/fixture.ts';
import { testCluster } from '../support/cluster.ts';

let dir: string;
let provider: RunningProvider;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-credentials-'));
  await Promise.all([mkdir(join(dir, 'backend')), mkdir(join(dir, 'work'))]);
  provider = await startProvider({ cluster: (await testCluster()).cluster, readyTimeoutMs: 0 });
});
afterAll(async () => {
  await Promise.all([provider.close(), rm(dir, { recursive: true, force: true })]);
});

/** One `up` of a program that owns these credentials; what the program itself saw of them. */
async function up(...names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const seen = new Map<string, string>();
  const { command } = await commandAt((await findTool('pulumi')).path);
  const program = async (): Promise<void> => {
    for (const [name, value] of await registerCredentials(names)) value.apply((text) => seen.set(name, text));
  };
  const workspace = await LocalWorkspace.create({
    workDir: join(dir, 'work'),
    program,
    pulumiCommand: command,
    pulumiHome: join(dir, 'home'),
    projectSettings: { name: 'backstay', runtime: 'nodejs', backend: { url: `file://${join(dir, 'backend')}` } },
    envVars: {
      PULUMI_CONFIG_PASSPHRASE: 'passphrase',
      PULUMI_SKIP_UPDATE_CHECK: 'true',
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
      PULUMI_DEBUG_PROVIDERS: provider.debugProviders,
    },
  });
  await workspace.createStack('credentials').catch((error: unknown) => {
    if (!String(error).includes('already exists')) throw error;
  });
  await (await import('@pulumi/pulumi/automation/index.js')).Stack.select('credentials', workspace).then((stack) =>
    stack.up(),
  );
  return seen;
}

describe('credentials that a program owns', () => {
  it('are made once, stay, and stand in no file in clear', async () => {
    const first = await up('postgres', 'webhook');
    expect(first.get('postgres')).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(first.get('webhook')).not.toBe(first.get('postgres'));
    const again = await up('postgres', 'webhook');
    expect(again).toEqual(first);
    const written = await allText(dir);
    for (const value of first.values()) expect(written).not.toContain(value);
    const checkpoint = join(dir, 'backend', '.pulumi', 'stacks', 'backstay', 'credentials.json');
    const password = (await resourcesIn(checkpoint)).find(({ urn }) => urn.endsWith('::postgres'));
    expect(password).toMatchObject({ id: 'none', type: 'random:index/randomPassword:RandomPassword' });
    expect(password?.outputs?.['result']).toHaveProperty('ciphertext');
    expect(password?.outputs?.['bcryptHash']).toHaveProperty('ciphertext');
  });
});
