import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Doorman } from '../support/doorman.ts';
import { type HeldStack, heldStack } from '../support/held-stack.ts';
import type { RunAnswer, Shop } from '../support/shop.ts';

/** Runs that are stopped, killed or met by another one; hooks hold them exactly where the test wants them. */
describe('a run that does not get to its end', () => {
  let stack: HeldStack;
  let here: Shop;
  let door: Doorman;
  let good: string;
  let bad: string;

  const apply = async (v: string): Promise<void> => await stack.apply(v);
  const rollback = (): string[] => ['rollback', here.name, '--to', 'good', '--yes', '--output', 'json'];
  const answerOf = (stdout: string): RunAnswer & { exitCode: number } =>
    JSON.parse(stdout) as RunAnswer & { exitCode: number };
  const idNow = async (): Promise<string> => await stack.idNow();

  beforeAll(async () => {
    stack = await heldStack('stopped', ['pause', 'resume']);
    ({ here, door, good, bad } = stack);
  });
  afterAll(async () => await stack.remove());
  beforeEach(async () => {
    await apply('bad');
    door.forget();
  });

  it('takes back what it did when it is stopped before anything was changed', async () => {
    const { arrived, open } = door.hold('/pause');
    const run = here.machine.start(rollback());
    await arrived;
    run.child.kill('SIGINT');
    await run.said('SIGINT: stopping after the step under way');
    open();
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    expect(answerOf(stdout)).toMatchObject({ outcome: 'cancelled' });
    expect(door.calls).toEqual(['/pause', '/unpause']);
    expect(await idNow()).toBe(bad);
  });

  it('exits as the signal says that stopped it', async () => {
    const { arrived, open } = door.hold('/pause');
    const run = here.machine.start(rollback());
    await arrived;
    run.child.kill('SIGTERM');
    await run.said('SIGTERM: stopping');
    open();
    const { code } = await run.ended;
    expect(code).toBe(143);
    expect(await idNow()).toBe(bad);
  });

  it('is named mixed when it is stopped after the objects changed, and goes on by the command that it names', async () => {
    const { arrived, open } = door.hold('/resume');
    const run = here.machine.start(rollback());
    await arrived;
    run.child.kill('SIGINT');
    await run.said('SIGINT: stopping after the step under way');
    open();
    const { code, stdout } = await run.ended;
    const answer = answerOf(stdout);
    expect(code).toBe(4);
    expect(answer).toMatchObject({ outcome: 'mixed', next: `backstay resume ${answer.run}` });
    const resumed = await here.machine.json<RunAnswer>(['resume', answer.run, '--yes']);
    expect(resumed).toMatchObject({ run: answer.run, outcome: 'succeeded' });
    // What was done before the stop is not done again.
    expect(door.calls).toEqual(['/pause', '/resume']);
    expect(await idNow()).toBe(good);
    const over = await here.machine.json<RunAnswer>(['resume', answer.run, '--yes']);
    expect(over.outcome).toBe('succeeded');
    expect(door.calls).toHaveLength(2);
  });

  it.each(['/pause', '/resume'])('goes on after its process was killed at %s', async (path) => {
    const { arrived } = door.hold(path);
    const run = here.machine.start(rollback());
    await arrived;
    run.child.kill('SIGKILL');
    expect((await run.ended).code).toBe(137);
    const { items } = await here.machine.json<{ items: { run: string; outcome: string; resumable: boolean }[] }>([
      'history',
      here.name,
    ]);
    expect(items[0]).toMatchObject({ outcome: 'unfinished', resumable: true });
    const resumed = await here.machine.json<RunAnswer>(['resume', items[0]?.run ?? '', '--yes']);
    expect(resumed.outcome).toBe('succeeded');
    expect(door.calls.filter((call) => call === path)).toHaveLength(2);
    expect(await idNow()).toBe(good);
  });

  it('keeps a second run away from the stack, and says who is at work', async () => {
    const { arrived, open } = door.hold('/resume');
    const first = here.machine.start(rollback());
    await arrived;
    await apply('bad');
    const { code, stdout, stderr } = await here.machine.run(rollback());
    expect(code).toBe(5);
    expect(answerOf(stdout)).toMatchObject({ outcome: 'failed', code: 'LEASE_HELD' });
    expect(stderr).toContain('tester');
    expect(door.calls).toEqual(['/pause', '/resume']);
    open();
    expect((await first.ended).code).toBe(0);
  });

  it('refuses to go on where somebody moved the stack between plan and act', async () => {
    const { arrived, open } = door.hold('/pause');
    const run = here.machine.start(rollback());
    await arrived;
    await apply('moved by somebody else');
    const moved = await idNow();
    open();
    const { code, stdout } = await run.ended;
    expect(code).toBe(7);
    expect(answerOf(stdout)).toMatchObject({ outcome: 'failed', code: 'PLAN_STALE' });
    expect(answerOf(stdout).reason).toContain('configmap/a');
    expect(door.calls).toEqual(['/pause', '/unpause']);
    expect(await idNow()).toBe(moved);
  });
});
