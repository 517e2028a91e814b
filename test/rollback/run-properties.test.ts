import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, type JournalEntry } from '../../src/journal/index.ts';
import { PHASES, type Plan } from '../../src/model/index.ts';
import { PHASE_TABLE, type RunResult, resumeRun, runPlan } from '../../src/rollback/index.ts';
import { aHook, aPlan, aStep, OPTIONS } from './builders.ts';
import { aWorld, actionOf, type Effect, type Script, type World } from './world.ts';

const RUN = 'r1';
const STEP_PHASES = PHASES.filter((phase) => phase !== 'planned' && phase !== 'locked');

/** Plans of up to eight steps after the lease, some reversible, in phase order. */
const plans: fc.Arbitrary<Plan> = fc
  .record({
    steps: fc.array(fc.record({ phase: fc.constantFrom(...STEP_PHASES), reversible: fc.boolean() }), {
      minLength: 1,
      maxLength: 8,
    }),
    skipValidation: fc.boolean(),
  })
  .map(({ steps, skipValidation }) => {
    const ordered = steps.toSorted((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase));
    return aPlan({
      options: { ...OPTIONS, skipValidation },
      steps: [
        aStep('lease', 'locked', { action: actionOf('lease') }),
        ...ordered.map(({ phase, reversible }, i) =>
          aStep(
            `s${i}`,
            phase,
            reversible ? { reverse: { kind: 'hook', hook: aHook(`undo s${i}`, phase) } as const } : {},
          ),
        ),
      ],
    });
  });

const scripts = fc.constantFrom<Script>(
  'done',
  'done',
  'done',
  'skipped',
  'warned',
  'fail',
  'fail-untouched',
  'throw',
  'lose-lease',
);

/** What each act answers, by step, way and attempt: the same question always gets the same answer. */
const behaviours = fc.dictionary(fc.stringMatching(/^s[0-7] (true|false) [12]$/), scripts, { maxKeys: 10 });

interface Case {
  readonly plan: Plan;
  readonly behaviour: Readonly<Record<string, Script>>;
  /** The run is told to stop after this many effects. */
  readonly stopAfter: number | null;
}

const cases: fc.Arbitrary<Case> = fc.record({
  plan: plans,
  behaviour: behaviours,
  stopAfter: fc.option(fc.integer({ min: 0, max: 8 })),
});

interface Played {
  readonly world: World;
  readonly result: RunResult;
}

async function play(
  { plan, behaviour, stopAfter }: Case,
  cut?: { journal: readonly JournalEntry[]; effects: Effect[] },
): Promise<Played> {
  const stop = new AbortController();
  const world: World = aWorld({
    ...(cut === undefined ? {} : { journal: cut.journal, effects: cut.effects }),
    script: (step, attempt, reverse) => behaviour[`${step.id} ${reverse} ${attempt}`] ?? 'done',
    afterEffect: (effect) => {
      assertIntended(world.journal.entries, effect);
      if (cut === undefined && world.effects.length === stopAfter) stop.abort(new Error('SIGTERM'));
    },
  });
  if (stopAfter === 0 && cut === undefined) stop.abort(new Error('SIGINT'));
  const options = { run: RUN, deps: world.deps, signal: stop.signal, executors: world.executors };
  const result = cut === undefined ? await runPlan({ ...options, plan }) : await resumeRun(options);
  return { world, result };
}

/** Rule 3: at the moment of an effect its intent is stored and its end is not. */
function assertIntended(entries: readonly JournalEntry[], effect: Effect): void {
  const own = entries.filter(
    (entry) =>
      (entry.kind === 'step-begin' || entry.kind === 'step-end') &&
      entry.step === effect.step &&
      (entry.reverse === true) === effect.reverse,
  );
  if (own.at(-1)?.kind !== 'step-begin') throw new Error(`effect of ${effect.step} without a stored intent`);
}

/** Everything that must hold when a run has ended, whatever happened on its way. */
function assertSound(plan: Plan, { world, result }: Played): void {
  const state = fold(world.journal.entries);
  expect(state.ended?.outcome).toBe(result.outcome);
  expect(['succeeded', 'unvalidated', 'failed', 'mixed', 'cancelled']).toContain(result.outcome);
  expect(world.lock.holder()).toBeUndefined();

  const turnedBack = world.journal.entries.findIndex(
    (entry) => entry.kind === 'direction' && entry.direction === 'back',
  );
  const forwardAfter = world.journal.entries.filter(
    (entry, i) => entry.kind === 'step-begin' && !entry.reverse && i > turnedBack,
  );
  if (turnedBack >= 0) expect(forwardAfter).toEqual([]);

  const ends = new Map<string, number>();
  for (const entry of world.journal.entries) {
    if (entry.kind === 'step-begin') expect(ends.get(`${entry.step} ${entry.reverse === true}`) ?? 0).toBe(0);
    if (entry.kind === 'step-end' && entry.outcome !== 'failed') ends.set(`${entry.step} ${entry.reverse === true}`, 1);
  }

  const statuses = [...state.steps.values()].map(({ status }) => status);
  if (result.outcome === 'succeeded' || result.outcome === 'unvalidated') {
    expect(statuses.every((status) => ['done', 'skipped', 'warned'].includes(status))).toBe(true);
    expect(result.outcome === 'unvalidated').toBe(plan.options.skipValidation);
  }
  if (result.outcome === 'failed' || result.outcome === 'cancelled') {
    const standing = plan.steps.filter(
      (step) => lastWay(world.effects, step.id) === 'forward' && (step.reverse !== undefined || mayStay(step.phase)),
    );
    expect(standing.map(({ id }) => id)).toEqual([]);
  }
  const sequences = world.events.map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.map((_, i) => (sequences[0] ?? 1) + i));
}

/** Effects from here on are never left behind by a run that says that nothing was changed. */
function mayStay(phase: Plan['steps'][number]['phase']): boolean {
  return PHASE_TABLE[phase].onFailure !== 'back';
}

function lastWay(effects: readonly Effect[], step: string): 'forward' | 'back' | undefined {
  const last = effects.findLast((effect) => effect.step === step);
  return last === undefined ? undefined : last.reverse ? 'back' : 'forward';
}

describe('a run, over all orders of success, failure, stop and crash', () => {
  test('ends in an allowed outcome, with every effect intended and nothing left behind that it denies', async () => {
    expect.hasAssertions();
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        assertSound(one.plan, await play(one));
      }),
      { numRuns: 400 },
    );
  });

  test('resumes from any entry at which its journal is cut, without doing a recorded step again', async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.nat(), async (one, at) => {
        const whole = await play(one);
        const { entries } = whole.world.journal;
        const kept = entries.slice(0, 1 + (at % entries.length));
        const before = effectsAt(kept, whole.world.effects);
        const resumed = await play(one, { journal: kept, effects: [...before] });
        assertSound(one.plan, resumed);
        expect(doneTwice(kept, before.length, resumed.world.effects)).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  test('resumed often enough, ends for good when nothing fails any more', async () => {
    expect.hasAssertions();
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const first = await play(one);
        const healed = { ...one, behaviour: {}, stopAfter: null };
        const again = await play(healed, { journal: first.world.journal.entries, effects: [...first.world.effects] });
        expect(again.result.outcome).not.toBe('mixed');
        assertSound(one.plan, again);
      }),
      { numRuns: 200 },
    );
  });
});

/** The effects that had happened when an entry was the last one stored: one for each act begun, its last one perhaps not. */
function effectsAt(kept: readonly JournalEntry[], all: readonly Effect[]): readonly Effect[] {
  const begun = kept.filter((entry) => entry.kind === 'step-begin' && entry.step !== 'lease');
  const remaining = [...all];
  return begun.flatMap((entry) => {
    const wanted = (entry as { step: string; reverse?: true }).reverse === true;
    const i = remaining.findIndex((e) => e.step === (entry as { step: string }).step && e.reverse === wanted);
    return i < 0 ? [] : remaining.splice(i, 1);
  });
}

/** Acts whose end was stored as final before the cut and that were done once more after it. */
function doneTwice(kept: readonly JournalEntry[], before: number, effects: readonly Effect[]): readonly Effect[] {
  const over = kept.filter((entry) => entry.kind === 'step-end' && entry.outcome !== 'failed');
  return effects
    .slice(before)
    .filter((e) =>
      over.some(
        (entry) => 'step' in entry && entry.step === e.step && ('reverse' in entry && entry.reverse) === e.reverse,
      ),
    );
}
