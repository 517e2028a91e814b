import { describe, expect, test } from 'vitest';
import { fold, type JournalEntry, type RunState } from '../../src/journal/index.ts';
import { addFact, createRun, endUnbegun, isUntouched, resumeRun } from '../../src/rollback/index.ts';
import { aPlan, aStep } from './builders.ts';
import { actionOf, aWorld, type World } from './world.ts';

const STEPS = [aStep('lease', 'locked', { action: actionOf('lease') }), aStep('a', 'frozen')];
const PLAN = aPlan({ steps: STEPS });
const CAREFUL = aPlan({
  steps: STEPS,
  approval: { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 },
});

const stateIn = ({ journal }: World): RunState => fold(journal.entries);
const saidIn = ({ events }: World): readonly string[] =>
  events.flatMap((event) => (event.type === 'run.message' ? [event.message] : []));

/** The process dies when it has begun its second step. */
async function appendUntilStep({ journal }: World, entry: JournalEntry): Promise<void> {
  if (entry.kind === 'step-begin' && entry.step === 'a') throw new Error('killed');
  await journal.append(entry);
}

describe('a run that is created apart from being carried', () => {
  test('does nothing, and holds nothing', async () => {
    const world = aWorld();
    const state = await createRun({ run: 'r1', plan: PLAN, trigger: 'alert' }, world.deps);
    expect(isUntouched(state)).toBe(true);
    expect(state).toMatchObject({ trigger: 'alert', by: { user: 'ada' } });
    expect([world.effects, world.lock.holder()]).toEqual([[], undefined]);
    expect(world.events.map(({ type }) => type)).toEqual(['run.started']);
  });

  test('is started by whoever takes it up first, and resumed by whoever is next', async () => {
    const world = aWorld();
    await createRun({ run: 'r1', plan: PLAN }, world.deps);
    const killed = { ...world.journal, append: async (entry: JournalEntry) => await appendUntilStep(world, entry) };
    const first = resumeRun({ run: 'r1', deps: { ...world.deps, journal: killed }, executors: world.executors });
    await expect(first).rejects.toThrow('killed');
    expect(saidIn(world)).toEqual(['started by ada on laptop']);
    expect(stateIn(world).resumed).toEqual([]);
    world.lock.kill();
    const done = await resumeRun({ run: 'r1', deps: world.deps, executors: world.executors });
    expect(done.outcome).toBe('succeeded');
    expect(saidIn(world)).toEqual(['started by ada on laptop', 'resumed by ada on laptop']);
    expect(stateIn(world).resumed).toHaveLength(1);
  });

  test('is refused when its plan was altered', async () => {
    const world = aWorld();
    await expect(createRun({ run: 'r1', plan: { ...PLAN, stack: 'other' } }, world.deps)).rejects.toMatchObject({
      code: 'PLAN_REFUSED',
    });
    expect(world.journal.entries).toEqual([]);
  });

  test('tells whose approval it needs, waits for it, and is started by who goes on then', async () => {
    const world = aWorld();
    await createRun({ run: 'r1', plan: CAREFUL }, world.deps);
    expect(world.events.map(({ type }) => type)).toEqual(['run.started', 'approval.needed']);
    const waiting = await resumeRun({ run: 'r1', deps: world.deps, executors: world.executors });
    expect(waiting.outcome).toBe('waiting');
    await addFact(
      'r1',
      ({ plan }) => ({
        kind: 'approval',
        decision: 'approved',
        plan: plan.hash,
        by: { user: 'bo', host: 'x' },
        role: 'cto',
      }),
      world.deps,
    );
    const done = await resumeRun({ run: 'r1', deps: world.deps, executors: world.executors });
    expect(done.outcome).toBe('succeeded');
    expect(saidIn(world)).toEqual(['started by ada on laptop']);
    expect(stateIn(world).resumed).toHaveLength(1);
  });
});

describe('ending what has not begun', () => {
  test('ends it for good: nobody begins it afterwards', async () => {
    const world = aWorld();
    await createRun({ run: 'r1', plan: PLAN }, world.deps);
    const ended = await endUnbegun('r1', { outcome: 'cancelled', reason: 'cancelled by bo: not now' }, world.deps);
    expect(ended.ended).toMatchObject({ outcome: 'cancelled', reason: 'cancelled by bo: not now' });
    const after = await resumeRun({ run: 'r1', deps: world.deps, executors: world.executors });
    expect([after.outcome, world.effects]).toEqual(['cancelled', []]);
  });

  test('leaves what has begun alone', async () => {
    const world = aWorld();
    await createRun({ run: 'r1', plan: PLAN }, world.deps);
    await resumeRun({ run: 'r1', deps: world.deps, executors: world.executors });
    const state = await endUnbegun('r1', { outcome: 'cancelled', reason: 'too late' }, world.deps);
    expect(state.ended?.outcome).toBe('succeeded');
  });

  test('against a process that takes it up in this moment, one of both wins and the journal stays sound', async () => {
    const world = aWorld();
    await createRun({ run: 'r1', plan: PLAN }, world.deps);
    const [ended, carried] = await Promise.allSettled([
      endUnbegun('r1', { outcome: 'cancelled', reason: 'now' }, world.deps),
      resumeRun({ run: 'r1', deps: world.deps, executors: world.executors }),
    ]);
    const { ended: end } = stateIn(world);
    expect(ended.status).toBe('fulfilled');
    if (end?.outcome === 'cancelled') expect(world.effects).toEqual([]);
    else expect([end?.outcome, carried.status]).toEqual(['succeeded', 'fulfilled']);
  });
});
