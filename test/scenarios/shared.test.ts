import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { type JournalServer, journalServer } from '../support/journal-server.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';

/** Two machines with the same keys and one database, which share nothing else: no folder, no Pulumi state. */
describe('a stack that two machines look after', () => {
  let server: JournalServer;
  let here: Shop;
  let there: Machine;
  const config = (color: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'paint', namespace: here.namespace },
    data: { color },
  });
  const color = async (): Promise<unknown> => (await here.get('ConfigMap', 'paint'))['data'];

  beforeAll(async () => {
    server = await journalServer();
    const env = { BACKSTAY_DATABASE_URL: await server.database(), BACKSTAY_SNAPSHOTS: 'journal' };
    here = await shop('shared', '', { env });
    const { configDir, projectDir } = here.machine;
    there = await machine({
      env: {
        ...env,
        KUBECONFIG: here.machine.env['KUBECONFIG'] ?? '',
        BACKSTAY_CONFIG_DIR: configDir,
        BACKSTAY_HOST: 'second',
        BACKSTAY_USER: 'other',
      },
    });
    await there.stack(here.name, await readFile(join(projectDir, 'stacks', `Pulumi.${here.name}.yaml`), 'utf8'));
    await here.import('v1', [config('blue')]);
    await here.import('v2', [config('red')]);
    await here.rollback(['--to', 'v2']);
  }, 240_000);
  afterAll(async () => {
    await there.remove();
    await here.remove();
    await server.stop();
  });

  test('is taken back by one to what the other stored, and the first takes that back', async () => {
    expect(await color()).toEqual({ color: 'red' });
    const rolled = await there.json<RunAnswer>(['rollback', here.name, '--to', 'v1', '--yes']);
    expect(rolled).toMatchObject({ outcome: 'succeeded' });
    expect(await color()).toEqual({ color: 'blue' });

    const undone = await here.machine.json<RunAnswer>(['undo', rolled.run, '--yes', '--reason', 'it was well']);
    expect(undone).toMatchObject({ outcome: 'succeeded' });
    expect(await color()).toEqual({ color: 'red' });

    for (const one of [here.machine, there]) {
      const { items } = await one.json<{ readonly items: readonly { readonly run: string }[] }>(['history', here.name]);
      expect(items.map(({ run }) => run)).toEqual(expect.arrayContaining([rolled.run, undone.run]));
      await one.ok(['verify', here.name]);
    }
    const listed = await here.machine.ok(['list', here.name, '--output', 'json']);
    expect((await there.ok(['list', here.name, '--output', 'json'])).stdout).toBe(listed.stdout);
    expect(listed.stdout).toContain('"second"');
  }, 240_000);
});
