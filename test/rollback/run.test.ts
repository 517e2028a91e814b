import { describe, expect, test } from 'vitest';
import { BackstayError } from '../../src/errors/index.ts';
import { resumeRun, runPlan } from '../../src/rollback/index.ts';
import { aHook, aPlan, aStep } from './builders.ts';
import { aWorld, actionOf } from './world.ts';

const LEASE = aStep('lease', 'locked', { action: actionOf('lease') });
const pause = aStep('pause', 'frozen', { reverse: { kind: 'hook', hook: aHook('unpause', 'frozen') } });
const PLAN = aPlan({ steps: [LEASE, pause, aStep('apply', 'applied'), aStep('tell', 'completed')] });

describe('carrying a plan out', () => {
  test('tells its story as one stream of events, numbered without a gap', async () => {
    const world = aWorld();
    const result = await runPlan({ plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors });
    expect(result).toMatchObject({ outcome: 'succeeded', run: 'r1' });
    expect(world.events.map(({ sequence }) => sequence)).toEqual(world.events.map((_, i) => i + 1));
    expect(world.events.map(({ type }) => type)).toEqual([
      'run.started',
      'phase.entered',
      'step.started',
      'step.ended',
      'phase.left',
      'phase.entered',
      'step.started',
      'step.ended',
      'phase.left',
      'phase.entered',
      'step.started',
      'step.ended',
      'phase.left',
      'phase.entered',
      'step.started',
      'step.ended',
      'phase.left',
      'run.ended',
    ]);
    expect(world.events.every(({ run, stack }) => run === 'r1' && stack === 'medical-kg')).toBe(true);
  });

  test('refuses a plan that was altered after it was hashed, before anything is journaled', async () => {
    const world = aWorld();
    const altered = { ...PLAN, steps: [...PLAN.steps, aStep('more', 'applied')] };
    await expect(
      runPlan({ plan: altered, run: 'r1', deps: world.deps, executors: world.executors }),
    ).rejects.toMatchObject({
      code: 'PLAN_REFUSED',
    });
    expect(world.journal.entries).toEqual([]);
  });

  test('stops before its next effect when the lease is not ours any more, even if nobody said so', async () => {
    const world = aWorld();
    const lock = {
      acquire: async () => ({
        token: 1,
        lost: new AbortController().signal,
        assertHeld: async () => {
          if (world.effects.length > 0) throw new BackstayError('LEASE_LOST', 'bob has it');
        },
        assertFresh: async () => {},
        enter: () => {},
        release: async () => {},
      }),
    };
    const result = await runPlan({ plan: PLAN, run: 'r1', deps: { ...world.deps, lock }, executors: world.executors });
    expect(world.effects).toEqual([{ step: 'pause', reverse: false }]);
    expect(result).toMatchObject({ outcome: 'mixed', code: 'LEASE_LOST' });
  });

  test('goes on back after a lease that was lost on the way back, and never forward again', async () => {
    const first = aWorld({
      script: (step, _attempt, reverse) => (reverse ? 'lose-lease' : step.id === 'apply' ? 'fail-untouched' : 'done'),
    });
    const lost = await runPlan({ plan: PLAN, run: 'r1', deps: first.deps, executors: first.executors });
    expect(lost).toMatchObject({ outcome: 'mixed', code: 'LEASE_LOST' });
    const second = aWorld({ journal: first.journal.entries, effects: [...first.effects] });
    const resumed = await resumeRun({ run: 'r1', deps: second.deps, executors: second.executors });
    expect(second.effects).toEqual([
      { step: 'pause', reverse: false },
      { step: 'pause', reverse: true },
    ]);
    expect(resumed).toMatchObject({ outcome: 'failed', code: 'PLAN_STALE' });
  });

  test('a held lease ends the run with nothing done, saying who holds it', async () => {
    const world = aWorld();
    await world.lock.acquire('medical-kg', { run: 'other', journal: 'there', user: 'bob', host: 'desk' });
    const result = await runPlan({ plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors });
    expect(result).toMatchObject({
      outcome: 'failed',
      code: 'LEASE_HELD',
      reason: expect.stringContaining('held by other'),
    });
    expect(world.effects).toEqual([]);
    expect(world.lock.holder()).toBe('other');
  });

  test('a defect in a step is an outcome that names it, not a crash', async () => {
    const world = aWorld({
      script: (step) => {
        if (step.id === 'apply') throw new TypeError('undefined is not a function');
        return 'done';
      },
    });
    const result = await runPlan({ plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors });
    expect(result).toMatchObject({
      outcome: 'mixed',
      code: 'INTERNAL',
      reason: expect.stringContaining('undefined is not a function'),
    });
  });

  test('a second signal breaks off the step at work, and the run is left to be resumed', async () => {
    const [stop, abort] = [new AbortController(), new AbortController()];
    const world = aWorld({
      afterEffect: ({ step }) => {
        if (step !== 'apply') return;
        stop.abort(new Error('SIGINT'));
        abort.abort(new BackstayError('CANCELLED', 'stopped by a second SIGINT'));
        abort.signal.throwIfAborted();
      },
    });
    const options = { plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors };
    const result = await runPlan({ ...options, signal: stop.signal, abort: abort.signal });
    expect(result).toMatchObject({ outcome: 'mixed', code: 'CANCELLED' });
    expect(world.effects.map(({ step }) => step)).toEqual(['pause', 'apply']);
  });

  test('stops when the journal cannot be written, because nothing may be done that is not written down', async () => {
    const world = aWorld();
    let left = 6;
    const journal = {
      ...world.journal,
      append: async (entry: Parameters<typeof world.journal.append>[0]) => {
        left -= 1;
        if (left < 0) throw new BackstayError('JOURNAL_BROKEN', 'the disk is full');
        await world.journal.append(entry);
      },
    };
    const run = runPlan({ plan: PLAN, run: 'r1', deps: { ...world.deps, journal }, executors: world.executors });
    await expect(run).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    expect(world.effects).toEqual([]);
    expect(world.lock.holder()).toBeUndefined();
  });
});

describe('resuming a run', () => {
  test('is refused for a run that the journal does not know', async () => {
    const world = aWorld();
    await expect(resumeRun({ run: 'r9', deps: world.deps })).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  });

  test('leaves a run that is over as it ended, and takes no lease', async () => {
    const world = aWorld();
    await runPlan({ plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors });
    const before = world.journal.entries.length;
    expect(await resumeRun({ run: 'r1', deps: world.deps, executors: world.executors })).toMatchObject({
      outcome: 'succeeded',
    });
    expect(world.journal.entries).toHaveLength(before);
  });

  test('writes nothing while another process holds the lease: the run may be at work there', async () => {
    const world = aWorld();
    await runPlan({ plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors });
    const cut = aWorld({ journal: world.journal.entries.slice(0, 8) });
    await cut.lock.acquire('medical-kg', { run: 'r1', journal: 'there', user: 'bob', host: 'desk' });
    await expect(resumeRun({ run: 'r1', deps: cut.deps, executors: cut.executors })).rejects.toMatchObject({
      code: 'LEASE_HELD',
    });
    expect(cut.journal.entries).toHaveLength(8);
  });

  test('goes on numbering events where the cut journal ended', async () => {
    const world = aWorld();
    await runPlan({ plan: PLAN, run: 'r1', deps: world.deps, executors: world.executors });
    const kept = world.journal.entries.slice(0, 12);
    const told = kept.filter(({ kind }) => kind === 'event').length;
    const cut = aWorld({ journal: kept });
    await resumeRun({ run: 'r1', deps: cut.deps, executors: cut.executors });
    expect(cut.events.map(({ sequence }) => sequence)).toEqual(cut.events.map((_, i) => told + i + 1));
  });
});
