import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyOf } from '../../../src/model/index.ts';
import type { EngineProgress } from '../../../src/ports/index.ts';
import { deployment, expectArrived } from '../../provider/kubernetes/harness.ts';
import { testNamespace } from '../../support/cluster.ts';
import { type Machine, machine, update } from './fixture.ts';

let space: Awaited<ReturnType<typeof testNamespace>>;
let ns: string;
const machines: Machine[] = [];
const fresh = async (...settings: Parameters<typeof machine>): Promise<Machine> => {
  const made = await machine(...settings);
  machines.push(made);
  return made;
};

beforeAll(async () => {
  space = await testNamespace('interrupted');
  ns = space.name;
});
afterAll(async () => {
  await Promise.all([space.remove(), ...machines.map((made) => made.remove())]);
});

describe('an interrupted update', () => {
  it('that is told to stop, stops waiting, and the next one goes on', async () => {
    const here = await fresh();
    const stuck = deployment(ns, 'stop', { replicas: 1 });
    const stop = new AbortController();
    const onProgress = ({ state }: EngineProgress): void => {
      if (state === 'waiting') stop.abort(new TypeError('enough'));
    };
    await expect(
      here.engine.up(update([stuck], { readyTimeoutMs: 60_000, signal: stop.signal, onProgress })),
    ).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await here.engine.up(update([deployment(ns, 'stop')]))).failed).toEqual([]);
  });

  it('whose engine was killed may leave a lock and a pending operation, which the next one clears', async () => {
    const here = await fresh();
    const slow = deployment(ns, 'killed', { replicas: 1 });
    let killed = false;
    const onProgress = ({ state }: EngineProgress): void => {
      if (state !== 'waiting' || killed) return;
      killed = true;
      void readdir(here.lockDir).then(async ([name = '']) => {
        const { pid } = JSON.parse(await readFile(join(here.lockDir, name), 'utf8')) as { pid: number };
        process.kill(pid, 'SIGKILL');
      });
    };
    await expect(here.engine.up(update([slow], { readyTimeoutMs: 60_000, onProgress }))).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
    });
    expect(await readdir(here.lockDir)).not.toEqual([]);
    // Plain `pulumi up`, which keeps its state step by step, leaves this beside the lock.
    const state = JSON.parse(await readFile(here.checkpoint, 'utf8')) as { checkpoint: { latest: object } };
    const type = 'kubernetes:apps/v1:Deployment';
    const resource = { urn: `urn:pulumi:test::backstay::${type}::${keyOf(slow)}`, custom: true, type, inputs: slow };
    Object.assign(state.checkpoint.latest, { pending_operations: [{ type: 'creating', resource }] });
    await writeFile(here.checkpoint, JSON.stringify(state));
    const result = await here.engine.up(update([deployment(ns, 'killed')]));
    expect(result.failed).toEqual([]);
    expect(await readdir(here.lockDir)).toEqual([]);
    expect(await readFile(here.checkpoint, 'utf8')).not.toContain('pending_operations');
    await expectArrived(deployment(ns, 'killed'));
  });

  it('is not taken for one when its lock belongs to another machine, which cannot be asked', async () => {
    const here = await fresh();
    await here.engine.up(update([]));
    const holder = { pid: 1, hostname: 'elsewhere.example', username: 'someone', timestamp: '2026-01-01T00:00:00Z' };
    await writeFile(join(here.lockDir, 'held.json'), JSON.stringify(holder));
    await expect(here.engine.up(update([]))).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/someone@elsewhere\.example .*cannot be looked at from here/) as string,
      next: expect.stringContaining('pulumi cancel --stack test') as string,
    });
  });
});
