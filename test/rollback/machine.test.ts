import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, type JournalEntry, type RunState } from '../../src/journal/index.ts';
import { PHASES, type Plan } from '../../src/model/index.ts';
import {
  addFact,
  decide,
  type Executor,
  type Executors,
  resumeRun,
  type RunResult,
  runPlan,
} from '../../src/rollback/index.ts';
import type { RunDeps } from '../../src/rollback/index.ts';
import { aHook, aPlan, aStep } from './builders.ts';
import { memoryJournal } from './memory-journal.ts';
import { memoryLock } from './memory-lock.ts';
import { aWorld, actionOf } from './world.ts';

/** What happens to one act: `crash` is a SIGKILL once its effect is there, `steal` a lease that goes while the process sleeps. */
type Fate = 'done' | 'fail' | 'crash' | 'crash-before' | 'steal' | 'stop';

/** Somebody types a command on one of two machines. */
interface Typed {
  readonly machine: 0 | 1;
  readonly what: 'start' | 'start-approved' | 'resume' | 'abandon' | 'approve' | 'deny';
  /** Of the acts that the command comes to, in order; `done` from then on. */
  readonly fates: readonly Fate[];
}

const typed: fc.Arbitrary<Typed> = fc.record({
  machine: fc.constantFrom(0, 1),
  what: fc.constantFrom('start', 'start-approved', 'resume', 'resume', 'abandon', 'abandon', 'approve', 'deny'),
  fates: fc.array(fc.constantFrom<Fate>('done', 'done', 'done', 'fail', 'crash', 'crash-before', 'steal', 'stop'), {
    maxLength: 6,
  }),
});

const plans: fc.Arbitrary<Plan> = fc
  .record({
    phases: fc.array(fc.constantFrom('frozen', 'frozen', 'applied', 'validated', ...PHASES.slice(2)), {
      minLength: 3,
      maxLength: 6,
    }),
    returns: fc.boolean(),
  })
  .map(({ phases, returns }) =>
    aPlan({
      ...(returns ? { onInvalid: 'return' as const } : {}),
      steps: [
        aStep('lease', 'locked', { action: actionOf('lease') }),
        ...phases
          .toSorted((a, b) => PHASES.indexOf(a) - PHASES.indexOf(b))
          .map((phase, i) => aStep(`s${i}`, phase, reverseFor(phase, i))),
      ],
    }),
  );

function reverseFor(phase: string, i: number): object {
  if (phase === 'applied') return { reverse: { kind: 'return-before' } };
  return i % 3 < 2 ? { reverse: { kind: 'hook', hook: aHook(`undo s${i}`, 'frozen') } } : {};
}

const NEED = { severity: 'SEV-2', roles: ['lead'], count: 1, when: 'before', expiresMs: 3_600_000 } as const;
class Killed extends RangeError {}

/** One stack, two machines with a journal each, and the acts that reached the stack: each is there or it is not. */
class Model {
  readonly lock = memoryLock();
  readonly journals = [memoryJournal(), memoryJournal()] as const;
  /** `RUN STEP` of the acts that stand. */
  readonly standing = new Set<string>();
  readonly acts: { readonly run: string; readonly step: string; readonly reverse: boolean }[] = [];
  readonly runs: { readonly run: string; readonly machine: 0 | 1 }[] = [];

  stateOf({ run, machine }: { readonly run: string; readonly machine: 0 | 1 }): RunState {
    return fold(this.entriesOf(run, machine));
  }

  entriesOf(run: string, machine: 0 | 1): readonly JournalEntry[] {
    return this.journals[machine].entries.filter((entry) => entry.run === run);
  }

  /** Ends with what the command says, or undefined when the process was killed. */
  async type(plan: Plan, { machine, what, fates }: Typed): Promise<RunResult | { readonly code: string } | undefined> {
    const mine = this.runs.findLast((known) => known.machine === machine);
    const run = `r${this.runs.length}`;
    const process = this.#process(machine, fates);
    const options = { deps: process.deps, signal: process.signal, executors: process.executors };
    try {
      switch (what) {
        case 'approve':
        case 'deny':
          if (mine !== undefined) await this.#decide(mine, what === 'approve' ? 'approved' : 'denied');
          return undefined;
        case 'resume':
          return mine === undefined ? undefined : await resumeRun({ ...options, run: mine.run });
        default: {
          const { hash: _hash, ...content } = plan;
          const needed = what === 'start-approved' ? { approval: NEED } : {};
          const left = this.lock.unfinished();
          const abandon = what === 'abandon' && left !== undefined ? { abandon: { run: left, reason: 'why not' } } : {};
          this.runs.push({ run, machine });
          return await runPlan({ ...options, ...abandon, run, plan: aPlan({ ...content, ...needed }) });
        }
      }
    } catch (error) {
      if (error instanceof Killed) return undefined;
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return { code };
    }
  }

  async #decide(
    mine: { readonly run: string; readonly machine: 0 | 1 },
    decision: 'approved' | 'denied',
  ): Promise<void> {
    const { deps } = this.#process(mine.machine, []);
    const by = { user: 'bo', host: 'desk' };
    await addFact(
      mine.run,
      ({ plan, ended, approvals }) =>
        ended !== undefined || approvals.length > 0
          ? undefined
          : { kind: 'approval', decision, plan: plan.hash, by, role: 'lead' },
      deps,
    );
  }

  #process(machine: 0 | 1, fates: readonly Fate[]) {
    const stop = new AbortController();
    const coming = [...fates];
    const journal = this.journals[machine];
    let isDead = false;
    const die = (): never => {
      isDead = true;
      this.lock.kill();
      throw new Killed('SIGKILL');
    };
    const deps: RunDeps = {
      ...aWorld().deps,
      lock: this.lock,
      journalName: `journal ${machine}`,
      journal: {
        ...journal,
        append: async (entry) => {
          if (isDead) throw new Killed('SIGKILL');
          await journal.append(entry);
        },
      },
    };
    const executor: Executor = async (action, context) => {
      const { run, step, deps: own } = context;
      if (action.kind === 'lease') {
        await own.lock.acquire('medical-kg', { run, journal: own.journalName, ...own.by });
        return { outcome: 'done', touched: false };
      }
      const reverse = action !== step.action;
      const fate = coming.shift() ?? 'done';
      if (fate === 'stop') stop.abort(new Error('SIGTERM'));
      if (fate === 'steal') this.lock.steal();
      if (fate === 'crash-before') die();
      if (fate === 'fail') return { outcome: 'failed', code: 'HOOK_FAILED', message: 'no luck' };
      await context.effect(async () => {
        const key = `${run} ${step.id}`;
        // Observe, act only if needed.
        if (this.standing.has(key) !== reverse) return;
        if (reverse) this.standing.delete(key);
        else this.standing.add(key);
        this.acts.push({ run, step: step.id, reverse });
      });
      if (fate === 'crash') die();
      return { outcome: 'done' };
    };
    return { deps, signal: stop.signal, executors: new Proxy({}, { get: () => executor }) as Executors };
  }
}

/** After every command, whatever it was. */
function assertSound(model: Model): void {
  for (const known of model.runs) {
    const entries = model.entriesOf(known.run, known.machine);
    const state = model.stateOf(known);
    const acts = model.acts.filter(({ run }) => run === known.run);
    for (const { step, reverse } of acts) {
      const begun = entries.some((e) => e.kind === 'step-begin' && e.step === step && (e.reverse === true) === reverse);
      expect(begun, `an intent for ${known.run} ${step}`).toBe(true);
    }
    const keys = acts.map(({ step, reverse }) => `${step} ${reverse}`);
    expect(new Set(keys).size, 'every act once').toBe(keys.length);
    const turned = acts.findIndex(({ reverse }) => reverse);
    if (turned >= 0) expect(acts.slice(turned).every(({ reverse }) => reverse)).toBe(true);
    // Last first; one that could not be taken back does not keep the others up, and is tried again by a resume.
    const order = entries.flatMap((e) =>
      e.kind === 'step-begin' && e.reverse === true && e.attempt === 1
        ? [state.plan.steps.findIndex(({ id }) => id === e.step)]
        : [],
    );
    expect(order).toEqual(order.toSorted((x, y) => y - x));
    for (const i of order) expect(state.steps.get(state.plan.steps[i]?.id ?? '')?.attempts).toBeGreaterThan(0);
    if (state.ended?.outcome === 'succeeded')
      expect(acts.map(({ step }) => step).toSorted()).toEqual(
        state.plan.steps.map(({ id }) => id).filter((id) => id !== 'lease'),
      );
    expect(decide(state)).toEqual(decide(state));
    if (state.ended !== undefined) expect(decide(state)).toEqual({ kind: 'ended' });
  }
}

/** Whoever comes next is told of a run with something left to do, and of no other. */
function assertMarked({ lock }: Model, { run, outcome, code }: RunResult): void {
  // What was lost says nothing any more, and what was never taken neither.
  if (code === 'LEASE_LOST' || code === 'LEASE_HELD' || code === 'STACK_UNFINISHED' || outcome === 'waiting') return;
  if (outcome === 'mixed') expect(lock.unfinished()).toBe(run);
  else expect(lock.unfinished()).not.toBe(run);
}

/** A run that acted never acts again once another one did: live is not what its journal says any more. */
function assertInTurn({ acts }: Model): void {
  const turns = acts.map(({ run }) => run).filter((run, i, all) => run !== all[i - 1]);
  expect(turns).toEqual([...new Set(turns)]);
}

/** The run whose acts may stand half way: nobody else may act before it is resumed or given up. */
function halfWay(model: Model): string | undefined {
  return model.runs
    .filter((known) => {
      const { ended } = model.stateOf(known);
      const hasActed = model.acts.some(({ run }) => run === known.run);
      return hasActed && (ended === undefined || ended.outcome === 'mixed');
    })
    .at(-1)?.run;
}

describe('one stack, two machines, and people who type anything', () => {
  test('keeps what a run promises after every command', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.array(typed, { minLength: 1, maxLength: 8 }), async (plan, commands) => {
        const model = new Model();
        for (const command of commands) {
          const over = model.runs.filter((known) => {
            const { ended } = model.stateOf(known);
            return ended !== undefined && ended.outcome !== 'mixed';
          });
          const ends = over.map((known) => model.stateOf(known).ended);
          const [left, before] = [model.lock.unfinished(), model.acts.length];
          const half = halfWay(model);
          const answer = await model.type(plan, command);
          assertSound(model);
          assertInTurn(model);
          if (answer !== undefined && 'outcome' in answer) assertMarked(model, answer);
          // Terminal states are terminal.
          expect(over.map((known) => model.stateOf(known).ended)).toEqual(ends);
          const isNew = command.what.startsWith('start');
          if (isNew && left !== undefined && left === half) {
            expect(model.acts).toHaveLength(before);
            if (answer !== undefined && 'outcome' in answer && answer.outcome !== 'waiting')
              expect(answer).toMatchObject({ outcome: 'failed', code: 'STACK_UNFINISHED' });
          }
          const acting = new Set(model.acts.slice(before).map(({ run }) => run));
          expect(acting.size).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('comes to an end from every beginning of every journal, once nothing fails any more', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.array(typed, { minLength: 1, maxLength: 3 }), fc.nat(), async (plan, commands, at) => {
        const model = new Model();
        for (const command of commands) await model.type(plan, { ...command, machine: 0 });
        const last = model.runs.at(-1);
        if (last === undefined) return;
        const entries = model.entriesOf(last.run, 0);
        const kept = entries.slice(0, 1 + (at % entries.length));
        const journal = memoryJournal(kept);
        const world = aWorld();
        const deps = { ...world.deps, journal };
        const by = { user: 'bo', host: 'desk' };
        if (kept[0]?.kind === 'run-created' && kept[0].plan.approval !== undefined) {
          const said = { kind: 'approval', decision: 'approved', by, role: 'lead' } as const;
          await addFact(
            last.run,
            (state) => (decide(state).kind === 'wait' ? { ...said, plan: state.plan.hash } : undefined),
            deps,
          );
        }
        const { outcome, state } = await resumeRun({ run: last.run, deps, executors: world.executors });
        expect(['mixed', 'waiting']).not.toContain(outcome);
        expect(decide(state)).toEqual({ kind: 'ended' });
      }),
      { numRuns: 400 },
    );
  });
});

describe('a run that was given up on another machine', () => {
  const PLAN = aPlan({
    steps: [aStep('lease', 'locked', { action: actionOf('lease') }), aStep('s0', 'applied'), aStep('s1', 'resumed')],
  });

  test('learns it when somebody resumes it at home, and acts no more', async () => {
    const model = new Model();
    expect(await model.type(PLAN, { machine: 0, what: 'start', fates: ['crash'] })).toBeUndefined();
    expect(await model.type(PLAN, { machine: 1, what: 'start', fates: [] })).toMatchObject({
      outcome: 'failed',
      code: 'STACK_UNFINISHED',
      reason: expect.stringMatching(
        /Run r0 of ada on laptop left .* `backstay resume r0`; .* `--abandon r0 --reason TEXT`/,
      ),
    });
    expect(await model.type(PLAN, { machine: 1, what: 'abandon', fates: [] })).toMatchObject({ outcome: 'succeeded' });
    const acts = [...model.acts];
    expect(await model.type(PLAN, { machine: 0, what: 'resume', fates: [] })).toMatchObject({
      outcome: 'abandoned',
      reason: 'the stack was taken over by run r2 (given up by ada on laptop for run r2)',
    });
    expect(model.acts).toEqual(acts);
    expect(model.stateOf({ run: 'r2', machine: 1 })).toMatchObject({
      abandons: { run: 'r0', reason: 'why not' },
      leases: [{ reason: 'process gone', from: { run: 'r0' }, abandoned: { run: 'r0', phase: 'applied' } }],
    });
  });

  test('is told so at once where its journal is ours, and a run that ended needs no giving up', async () => {
    const model = new Model();
    await model.type(PLAN, { machine: 0, what: 'start', fates: ['crash'] });
    expect(await model.type(PLAN, { machine: 0, what: 'abandon', fates: [] })).toMatchObject({ outcome: 'succeeded' });
    expect(model.stateOf({ run: 'r0', machine: 0 }).ended).toMatchObject({ outcome: 'abandoned' });
    expect(await model.type(PLAN, { machine: 0, what: 'start', fates: [] })).toMatchObject({ outcome: 'succeeded' });
  });

  test('is no obstacle where it only took the lease', async () => {
    const model = new Model();
    await model.type(PLAN, { machine: 0, what: 'start', fates: ['crash-before'] });
    const run = model.runs[0]?.run ?? '';
    const entries = model.journals[0].entries;
    // As if it had been killed as soon as it had the lease.
    entries.splice(entries.findIndex((e) => e.kind === 'step-end' && e.step === 'lease') + 1);
    expect(model.lock.unfinished()).toBe(run);
    expect(await model.type(PLAN, { machine: 0, what: 'start', fates: [] })).toMatchObject({ outcome: 'succeeded' });
  });
});
