import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPulumiCredentials } from '../../../src/adapters/pulumi/index.ts';
import type { Stack } from '../../../src/model/index.ts';
import type { Credentials } from '../../../src/ports/index.ts';
import { findTool } from '../../../src/toolchain/index.ts';
import { allText, PASSPHRASE, resourcesIn } from './fixture.ts';

let dir: string;
let made: (name: string) => Credentials;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-credentials-'));
  const { path } = await findTool('pulumi');
  // No cluster is given: none is needed.
  made = (name) =>
    createPulumiCredentials({
      stack: {
        name,
        file: join(dir, `Pulumi.${name}.yaml`),
        cluster: {},
        engine: {
          provider: 'backstay',
          backend: `file://${join(dir, 'backend')}`,
          secretsProvider: 'passphrase',
          passphrase: { env: 'UNUSED' },
        },
      } as unknown as Stack,
      pulumiPath: path,
      projectName: 'backstay',
      stateDir: join(dir, 'state'),
      passphrase: async () => PASSPHRASE,
      env: { HOME: dir },
    });
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('credentials of a stack', () => {
  it('are made once, stay when others are asked for, and stand in no file in clear', async () => {
    const { postgres } = await made('shop').of(['postgres']);
    expect(postgres).toMatch(/^[A-Za-z0-9]{32}$/);

    const alone = await made('shop').of(['webhook']);
    expect(Object.keys(alone)).toEqual(['webhook']);
    expect(alone['webhook']).not.toBe(postgres);

    const again = await made('shop').of(['postgres', 'webhook']);
    expect(again).toEqual({ postgres, ...alone });

    const checkpoint = join(dir, 'backend', '.pulumi', 'stacks', 'backstay', 'shop-credentials.json');
    const kept = (await resourcesIn(checkpoint)).filter(({ type }) => type.startsWith('random:'));
    expect(new Set(kept.map(({ urn }) => urn.split('::').at(-1)))).toEqual(new Set(['postgres', 'webhook']));
    for (const { outputs } of kept) expect(outputs?.['result']).toHaveProperty('ciphertext');
    const written = await allText(dir);
    for (const value of [...Object.values(again), PASSPHRASE]) expect(written).not.toContain(value);
    expect(await readdir(join(dir, 'state', 'engine'))).toEqual([]);
  });

  it('are others for another stack with the same backend', async () => {
    const [one, two] = [made('left'), made('right')];
    expect((await one.of(['postgres']))['postgres']).not.toBe((await two.of(['postgres']))['postgres']);
  });
});
