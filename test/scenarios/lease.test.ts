import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AuditLog } from '../../scripts/chaos/effects.ts';
import { createSqliteJournal } from '../../src/adapters/sqlite/index.ts';
import type { JournalEntry } from '../../src/journal/index.ts';
import type { Running, RunOptions } from '../support/backstay.ts';
import { testSandbox } from '../support/cluster.ts';
import type { Doorman } from '../support/doorman.ts';
import { type HeldStack, heldStack } from '../support/held-stack.ts';
import type { RunAnswer, Shop } from '../support/shop.ts';

interface PastRun {
  readonly run: string;
  readonly outcome: string;
  readonly resumable: boolean;
}

/** Real processes on one stack: at once, suspended, killed. What reached the cluster is read from the API server's audit log. */
describe('one run a stack', { timeout: 120_000 }, () => {
  let stack: HeldStack;
  let here: Shop;
  let door: Doorman;
  let audit: AuditLog;
  let bad: string;
  let good: string;
  /** Another person's machine: a journal, a Pulumi state and a name of its own, and the same project. */
  let elsewhere: Required<Pick<RunOptions, 'env'>>;

  const apply = async (v: string): Promise<void> => await stack.apply(v);
  const rollback = (...more: readonly string[]): string[] => [
    'rollback',
    here.name,
    '--to',
    'good',
    '--yes',
    '--output',
    'json',
    ...more,
  ];
  const answerOf = (stdout: string): RunAnswer & { code?: string } =>
    JSON.parse(stdout) as RunAnswer & { code?: string };
  const idNow = async (): Promise<string> => await stack.idNow();
  const newest = async (how?: RunOptions): Promise<PastRun> => {
    const { items } = await here.machine.json<{ items: PastRun[] }>(['history', here.name], how);
    return items[0]!;
  };
  const journalOf = async (run: string): Promise<readonly JournalEntry[]> => {
    const journal = await createSqliteJournal({ file: join(here.machine.stateDir, 'journal.sqlite') });
    try {
      return await journal.read(run);
    } finally {
      await journal.close();
    }
  };
  const started: Running[] = [];
  const start = (args: readonly string[], how?: RunOptions): Running => {
    const running = here.machine.start(args, how);
    started.push(running);
    return running;
  };
  /** Starts a run and waits until it stands at the door, in the middle of a step. */
  const heldAt = async (path: string, how?: RunOptions): Promise<Running & { readonly open: () => void }> => {
    const { arrived, open } = door.hold(path);
    const run = start(rollback(), how);
    await Promise.race([arrived, run.ended.then(({ stderr }) => Promise.reject(new TypeError(stderr)))]);
    return { ...run, open };
  };
  const kill = async (run: Running): Promise<void> => {
    run.child.kill('SIGKILL');
    await run.ended;
  };

  beforeAll(async () => {
    stack = await heldStack('lease', ['pause', 'resume'], '  backstay:cluster: { leaseDuration: 2s }\n');
    ({ here, door, good, bad } = stack);
    audit = new AuditLog(join((await testSandbox()).dir, 'logs', 'audit.jsonl'));
    elsewhere = { env: { BACKSTAY_STATE_DIR: join(here.machine.dir, 'elsewhere'), BACKSTAY_HOST: 'other-desk' } };
  });
  afterAll(async () => await stack.remove());
  // Also one that sleeps, where a test failed before it was woken.
  afterEach(async () => {
    await Promise.all(started.splice(0).map(kill));
  });
  beforeEach(async () => {
    await apply('bad');
    door.forget();
  });

  it('lets one of two machines work; the other exits 5 and is told by whom, where, in which phase and since when', async () => {
    const first = await heldAt('/resume');
    const { run } = await newest();
    await apply('bad');
    const since = await audit.end();
    const { code, stdout } = await here.machine.run(rollback(), elsewhere);
    expect(code).toBe(5);
    expect(answerOf(stdout)).toMatchObject({ outcome: 'failed', code: 'LEASE_HELD' });
    expect(answerOf(stdout).reason).toMatch(
      new RegExp(
        `Run ${run} of tester on \\S+ holds stack ${here.name}, since \\d+ s, in phase resumed, journal ${here.machine.stateDir}/journal\\.sqlite\\.`,
      ),
    );
    expect([...(await audit.writes(here.namespace, since))]).toEqual([]);
    expect(door.calls).toEqual(['/pause', '/resume']);
    first.open();
    expect((await first.ended).code).toBe(0);
  });

  it('stops a machine that slept through its lease before its next effect, whoever went on meanwhile', async () => {
    const sleeper = await heldAt('/pause');
    const { run } = await newest();
    sleeper.child.kill('SIGSTOP');

    const refused = await here.machine.run(rollback(), elsewhere);
    expect(refused.code).toBe(7);
    expect(answerOf(refused.stdout)).toMatchObject({ outcome: 'failed', code: 'STACK_UNFINISHED' });
    const { reason = '' } = answerOf(refused.stdout);
    for (const part of [run, 'in phase frozen', 'journal.sqlite', `backstay resume ${run}`, `--abandon ${run}`])
      expect(reason).toContain(part);
    expect(await idNow()).toBe(bad);

    const abandoning = ['--abandon', run, '--reason', 'its machine is gone'];
    const taken = await here.machine.run(rollback(...abandoning), elsewhere);
    expect(answerOf(taken.stdout)).toMatchObject({ outcome: 'succeeded' });
    expect(await idNow()).toBe(good);

    // Whatever the sleeper wrote now would be seen: live is moved away from what both wanted.
    await apply('bad');
    const since = await audit.end();
    const calls = door.calls.length;
    sleeper.child.kill('SIGCONT');
    sleeper.open();
    expect((await sleeper.ended).code).toBe(4);
    expect([...(await audit.writes(here.namespace, since))]).toEqual([]);
    expect(door.calls.slice(calls)).toEqual([]);
    const entries = await journalOf(run);
    expect(entries).toContainEqual(
      expect.objectContaining({ kind: 'direction', direction: 'halt', cause: 'lease-lost' }),
    );
    expect(entries).toContainEqual(expect.objectContaining({ kind: 'run-ended', code: 'LEASE_LOST' }));

    // Its own machine learns that it was given up, and does not go on with it over what the other one reached.
    const late = await here.machine.run(['resume', run, '--yes', '--output', 'json']);
    expect(late.code).toBe(1);
    expect(answerOf(late.stdout)).toMatchObject({ outcome: 'abandoned' });
    expect([...(await audit.writes(here.namespace, since))]).toEqual([]);
    expect(await newest()).toMatchObject({ run, outcome: 'abandoned', resumable: false });
  });

  it('lets another process go on with the very run of one that sleeps, and stops the sleeper when it wakes', async () => {
    const sleeper = await heldAt('/pause');
    const { run } = await newest();
    sleeper.child.kill('SIGSTOP');
    const resumed = await here.machine.json<RunAnswer>(['resume', run, '--yes']);
    expect(resumed).toMatchObject({ run, outcome: 'succeeded' });
    const before = await journalOf(run);
    expect(before.filter(({ kind }) => kind === 'lease-taken')).toMatchObject([
      { token: expect.any(Number) },
      { from: { run }, reason: 'not renewed for 2 s' },
    ]);
    await apply('bad');
    const since = await audit.end();
    sleeper.child.kill('SIGCONT');
    sleeper.open();
    const { code, stdout } = await sleeper.ended;
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'Error', code: 'LEASE_LOST' });
    expect([...(await audit.writes(here.namespace, since))]).toEqual([]);
    // It wrote nothing over what the other one journaled.
    expect(await journalOf(run)).toEqual(before);
    expect(await newest()).toMatchObject({ run, outcome: 'succeeded' });
  });

  it('keeps one that fell asleep between its last look and its write from changing what another one wrote', async () => {
    const since = await audit.end();
    const sleeper = start(rollback(), {
      env: { BACKSTAY_FAILPOINT: 'provider.apply.before@ConfigMap/b=pause' },
    });
    await stopped(sleeper);
    const { run } = await newest();
    const abandoning = ['--abandon', run, '--reason', 'it sleeps'];
    const taken = await here.machine.run(rollback(...abandoning), elsewhere);
    expect(answerOf(taken.stdout)).toMatchObject({ outcome: 'succeeded' });
    const written = [...(await audit.writes(here.namespace, since))];
    await apply('bad');
    sleeper.child.kill('SIGCONT');
    expect((await sleeper.ended).code).toBe(4);
    expect([...(await audit.writes(here.namespace, since))]).toEqual(written);
    expect(await idNow()).toBe(bad);
  });

  it('lets one of two resumes go on', async () => {
    const first = await heldAt('/resume');
    const { run } = await newest();
    await kill(first);
    const { arrived, open } = door.hold('/resume');
    const racers = [1, 2].map(() => start(['resume', run, '--yes', '--output', 'json']));
    await arrived;
    const loser = await Promise.race(racers.map(async ({ ended }) => await ended));
    expect(loser.code).toBe(5);
    expect(JSON.parse(loser.stdout)).toMatchObject({ kind: 'Error', code: 'LEASE_HELD' });
    open();
    const codes = (await Promise.all(racers.map(async ({ ended }) => await ended))).map(({ code }) => code);
    expect(codes.toSorted((a, b) => a - b)).toEqual([0, 5]);
    expect(door.calls).toEqual(['/pause', '/resume', '/resume']);
    expect(await idNow()).toBe(good);
  });

  it('refuses a new run while a killed one is unfinished, before anything is planned, until it is given up by name', async () => {
    const first = await heldAt('/resume');
    const { run } = await newest();
    await kill(first);
    const since = await audit.end();
    const refused = await here.machine.refused(['rollback', here.name, '--to', 'good', '--yes']);
    expect(refused).toMatchObject({
      exit: 7,
      code: 'STACK_UNFINISHED',
      details: { run, phase: 'resumed', ours: true },
    });
    expect(refused.next).toBe(
      `Run \`backstay resume ${run}\`; or give that run up for good with \`--abandon ${run} --reason TEXT\`.`,
    );
    expect(await newest()).toMatchObject({ run });

    const asked = ['rollback', here.name, '--to', 'good', '--yes', '--abandon'];
    expect(await here.machine.refused([...asked, run])).toMatchObject({ exit: 64, code: 'USAGE' });
    const other = await here.machine.refused([...asked, 'r-other', '--reason', 'why not']);
    expect(other).toMatchObject({ exit: 7, code: 'STACK_UNFINISHED' });
    expect(other.message).toContain('--abandon names r-other, which is not it');
    expect([...(await audit.writes(here.namespace, since))]).toEqual([]);

    await apply('bad');
    const done = await here.machine.json<RunAnswer>([...asked, run, '--reason', 'start afresh']);
    expect(done).toMatchObject({ outcome: 'succeeded' });
    expect(await idNow()).toBe(good);
    expect((await journalOf(run)).at(-1)).toMatchObject({
      kind: 'abandoned',
      by: { user: 'tester' },
      reason: 'start afresh',
      inFavourOf: done.run,
    });
    expect(await journalOf(done.run)).toContainEqual(
      expect.objectContaining({ kind: 'lease-taken', abandoned: expect.objectContaining({ run, phase: 'resumed' }) }),
    );
    const late = await here.machine.run(['resume', run, '--yes', '--output', 'json']);
    expect(late.code).toBe(1);
    expect(answerOf(late.stdout)).toMatchObject({ outcome: 'abandoned' });
    // Nothing is left to give up, and nothing stands in the way.
    await apply('bad');
    expect(await here.machine.refused([...asked, 'r-other', '--reason', 'x'])).toMatchObject({ exit: 64 });
    await here.rollback(['--to', 'good']);
  });
});

/** Resolves when the process was stopped by a signal (state T); Linux tells it in /proc. */
async function stopped({ child }: Running): Promise<void> {
  await expect
    .poll(async () => (await readFile(`/proc/${child.pid}/stat`, 'utf8')).replace(/^.*\) /, '').charAt(0), {
      timeout: 20_000,
      interval: 50,
    })
    .toBe('T');
}
