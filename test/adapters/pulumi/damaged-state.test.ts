import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configMap, expectArrived } from '../../provider/kubernetes/harness.ts';
import { testNamespace } from '../../support/cluster.ts';
import { type Machine, machine, update } from './fixture.ts';

let space: Awaited<ReturnType<typeof testNamespace>>;
const machines: Machine[] = [];
const fresh = async (): Promise<Machine> => {
  const made = await machine();
  machines.push(made);
  await made.engine.up(update([]));
  return made;
};

beforeAll(async () => {
  space = await testNamespace('damaged');
});
afterAll(async () => {
  await Promise.all([space.remove(), ...machines.map((made) => made.remove())]);
});

/** What a power cut, a full disk or a restored backup can leave behind. */
describe("Pulumi's own files", () => {
  it('with a lock that was cut in half are no reason to stop', async () => {
    const here = await fresh();
    await writeFile(join(here.lockDir, 'cut.json'), '{"pid": 41, "hostna');
    const object = configMap(space.name, 'cut', { v: '1' });
    expect((await here.engine.up(update([object]))).failed).toEqual([]);
    await expectArrived(object);
  });

  it('with a lock whose process number belongs to another program by now are no reason to wait', async () => {
    const here = await fresh();
    // This very test runs under the number, and began after the lock is said to have been made.
    const holder = { pid: process.pid, hostname: hostname(), username: 'x', timestamp: '2026-01-01T00:00:00Z' };
    await writeFile(join(here.lockDir, 'reused.json'), JSON.stringify(holder));
    // One that it waited for, and that is there to the end of its patience, would be refused.
    expect((await here.engine.up(update([]))).failed).toEqual([]);
  });

  it('with a state that was cut in half are made anew from what is live, and the damaged one is kept', async () => {
    const here = await fresh();
    const object = configMap(space.name, 'half', { v: '1' });
    await here.engine.up(update([object]));
    await truncate(here.checkpoint, Math.floor((await readFile(here.checkpoint)).length / 2));
    const changed = configMap(space.name, 'half', { v: '2' });
    expect((await here.engine.up(update([changed]))).failed).toEqual([]);
    await expectArrived(changed);
    expect(await readdir(dirname(here.checkpoint))).toContainEqual(expect.stringMatching(/^test\.json\.damaged-\d+$/));
  });
});
