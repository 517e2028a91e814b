import { describe, expect, test } from 'vitest';
import { fold, type JournalFact, type RunState, type StepState } from '../../src/journal/index.ts';
import { PHASES, type Phase, type Step } from '../../src/model/index.ts';
import { decide, PHASE_TABLE } from '../../src/rollback/index.ts';
import { aHook, aPlan, aStep, OPTIONS } from './builders.ts';
import { journalOf } from '../support/journal.ts';

type StepWord = 'done' | 'failed' | 'untouched' | 'begun' | 'warned';

/** A run whose steps stand as the words say; steps without a word are pending. */
function stateOf(steps: readonly Step[], words: readonly StepWord[], phase: Phase, options = OPTIONS): RunState {
  const facts: JournalFact[] = [
    { kind: 'run-created', plan: aPlan({ steps, options }), by: { user: 'ada', host: 'laptop' } },
  ];
  facts.push({ kind: 'phase-entered', phase });
  for (const [i, word] of words.entries()) {
    const { id } = steps[i] as Step;
    facts.push({ kind: 'step-begin', step: id, operation: id, attempt: 1 });
    if (word === 'begun') continue;
    const failed = word === 'failed' || word === 'untouched';
    facts.push({
      kind: 'step-end',
      step: id,
      operation: id,
      outcome: failed ? 'failed' : word,
      ...(failed ? { message: 'no luck', code: 'HOOK_FAILED' } : {}),
      ...(word === 'untouched' ? { touched: false } : {}),
    });
  }
  return fold(journalOf(facts));
}

describe('what a run does next', () => {
  test('does not take a skip for "nothing was done" when an attempt before it was cut off', () => {
    const steps = [aStep('a', 'restored'), aStep('b', 'restored')];
    const plan = aPlan({ steps });
    const by = { user: 'ada', host: 'laptop' };
    const facts: JournalFact[] = [
      { kind: 'run-created', plan, by },
      { kind: 'phase-entered', phase: 'restored' },
      { kind: 'step-begin', step: 'a', operation: 'a1', attempt: 1 },
      { kind: 'resumed', by },
      { kind: 'step-begin', step: 'a', operation: 'a2', attempt: 2 },
      { kind: 'step-end', step: 'a', operation: 'a2', outcome: 'skipped' },
      { kind: 'step-begin', step: 'b', operation: 'b1', attempt: 1 },
      { kind: 'step-end', step: 'b', operation: 'b1', outcome: 'failed', touched: false, message: 'no' },
    ];
    expect(decide(fold(journalOf(facts)))).toMatchObject({ kind: 'turn', direction: 'halt' });
  });

  test.each(PHASES.filter((phase) => PHASE_TABLE[phase].onFailure === 'back'))(
    'goes back when a step of phase %s fails',
    (phase) => {
      expect(decide(stateOf([aStep('a', phase)], ['failed'], phase))).toMatchObject({
        kind: 'turn',
        direction: 'back',
        cause: 'failed',
      });
    },
  );

  test.each(PHASES.filter((phase) => PHASE_TABLE[phase].onFailure === 'halt'))(
    'halts for a person when a step of phase %s fails and may have changed something',
    (phase) => {
      expect(decide(stateOf([aStep('a', phase)], ['failed'], phase))).toMatchObject({
        kind: 'turn',
        direction: 'halt',
      });
    },
  );

  test.each(PHASES.filter((phase) => PHASE_TABLE[phase].onFailure === 'halt'))(
    'goes back from phase %s when the failure is proven to have changed nothing',
    (phase) => {
      const command = decide(stateOf([aStep('a', phase)], ['untouched'], phase));
      expect(command).toMatchObject({ kind: 'turn', direction: 'back', code: 'HOOK_FAILED', reason: 'do a: no luck' });
    },
  );

  test('halts at an innocent failure when an earlier step changed something', () => {
    const steps = [aStep('a', 'applied'), aStep('b', 'applied')];
    expect(decide(stateOf(steps, ['done', 'untouched'], 'applied'))).toMatchObject({ kind: 'turn', direction: 'halt' });
  });

  test.each(PHASES.filter((phase) => PHASE_TABLE[phase].onFailure === 'on'))(
    'goes on with what is left when a step of phase %s fails, and ends mixed',
    (phase) => {
      const steps = [aStep('a', phase), aStep('b', phase)];
      expect(decide(stateOf(steps, ['failed'], phase))).toMatchObject({ kind: 'step', step: { id: 'b' } });
      expect(decide(stateOf(steps, ['failed', 'done'], 'completed'))).toMatchObject({ kind: 'end', outcome: 'mixed' });
    },
  );

  test('takes steps back in reverse order, whether they ended or were cut off, and not those that never began', () => {
    const reversible = (id: string): Step =>
      aStep(id, 'frozen', { reverse: { kind: 'hook', hook: aHook(`undo ${id}`, 'frozen') } });
    const state = stateOf([reversible('a'), reversible('b'), reversible('c')], ['done', 'begun'], 'frozen');
    const back: RunState = { ...state, direction: 'back', turn: { direction: 'back', reason: 'x', cause: 'failed' } };
    expect(decide(back)).toMatchObject({ kind: 'step', step: { id: 'b' }, reverse: true, attempt: 1 });
    const half = {
      ...back,
      reverses: new Map([['b', { step: reversible('b'), status: 'done' as const, attempts: 1 }]]),
    };
    expect(decide(half)).toMatchObject({ kind: 'step', step: { id: 'a' }, reverse: true });
  });

  test('says mixed, not failed, when something could not be taken back', () => {
    const step = aStep('a', 'frozen', { reverse: { kind: 'hook', hook: aHook('undo a', 'frozen') } });
    const state = stateOf([step], ['done'], 'frozen');
    const back: RunState = {
      ...state,
      direction: 'back',
      turn: { direction: 'back', reason: 'x', cause: 'failed' },
      reverses: new Map([['a', { step, status: 'failed', attempts: 1, message: 'gone' }]]),
    };
    expect(decide(back)).toMatchObject({
      kind: 'end',
      outcome: 'mixed',
      reason: expect.stringContaining('could not be taken back: do a (gone)'),
    });
  });

  test.each<[Phase, 'back' | 'halt']>([
    ['frozen', 'back'],
    ['applied', 'halt'],
    ['resumed', 'halt'],
  ])('stopped in phase %s by a signal, turns %s', (phase, direction) => {
    const steps = [aStep('a', phase), aStep('b', phase)];
    const command = decide(stateOf(steps, ['done'], phase), { stop: 'SIGTERM' });
    expect(command).toMatchObject({ kind: 'turn', direction, cause: 'cancelled', signal: 'SIGTERM' });
  });

  test('lets a stop that comes after the last step change nothing any more', () => {
    const state = stateOf([aStep('a', 'completed')], ['done'], 'completed');
    expect(decide(state, { stop: 'SIGINT' })).toEqual({ kind: 'end', outcome: 'succeeded' });
  });

  test('halts at once when the lease is lost, whichever way it was going', () => {
    const state = stateOf([aStep('a', 'frozen')], ['done'], 'frozen');
    for (const direction of ['forward', 'back'] as const) {
      const command = decide({ ...state, direction }, { leaseLost: 'taken' });
      expect(command).toMatchObject({ kind: 'turn', direction: 'halt', cause: 'lease-lost', code: 'LEASE_LOST' });
    }
  });

  test('ends unvalidated, never succeeded, when validation was skipped by request', () => {
    const options = { ...OPTIONS, skipValidation: true };
    expect(decide(stateOf([], [], 'completed', options))).toEqual({ kind: 'end', outcome: 'unvalidated' });
  });

  test('counts a hook that only warned as done', () => {
    expect(decide(stateOf([aStep('a', 'completed')], ['warned'], 'completed'))).toEqual({
      kind: 'end',
      outcome: 'succeeded',
    });
  });

  describe('when the target does not pass and the plan says that the run returns', () => {
    const steps = [
      aStep('apply', 'applied', { action: { kind: 'apply' }, reverse: { kind: 'return-before' } }),
      aStep('open', 'resumed', { reverse: { kind: 'hook', hook: aHook('close', 'resumed') } }),
      aStep('check', 'validated', { action: { kind: 'checks', when: 'after', names: [] } }),
    ];
    const returning = (words: readonly StepWord[], part: Partial<RunState> = {}): RunState => {
      const state = stateOf(steps, words, 'validated');
      return { ...state, plan: { ...state.plan, onInvalid: 'return' }, ...part };
    };
    const turn = { direction: 'back', reason: 'check: no luck', cause: 'invalid', code: 'HOOK_FAILED' } as const;
    const taken = (id: number, status: 'done' | 'failed'): readonly [string, StepState] => {
      const step = steps[id] as Step;
      return [step.id, { step, status, attempts: 1, message: 'it moved' }];
    };

    test('goes back, saying that it was the validation', () => {
      const command = decide(returning(['done', 'done', 'failed']));
      expect(command).toMatchObject({ kind: 'turn', direction: 'back', cause: 'invalid', reason: 'do check: no luck' });
    });

    test.each<[string, RunState]>([
      ['the plan does not say so', stateOf(steps, ['done', 'done', 'failed'], 'validated')],
      ['nothing is there to return from', { ...returning(['done', 'done', 'failed']), steps: withoutReverse() }],
      ['a person broke the checks off', { ...returning(['done', 'done', 'failed']), steps: brokenOff() }],
      ['another phase failed', returning(['failed'])],
    ])('halts where %s', (_why, state) => {
      expect(decide(state)).toMatchObject({ kind: 'turn', direction: 'halt', cause: 'failed' });
    });

    test('closes first what was opened, then returns, and ends returned', () => {
      const back = { direction: 'back', turn, wentBack: turn } as const;
      const state = returning(['done', 'done', 'failed'], back);
      expect(decide(state)).toMatchObject({ kind: 'step', step: { id: 'open' }, reverse: true });
      const closed = { ...state, reverses: new Map([taken(1, 'done')]) };
      expect(decide(closed)).toMatchObject({ kind: 'step', step: { id: 'apply' }, reverse: true });
      const returned = { ...state, reverses: new Map([taken(1, 'done'), taken(0, 'done')]) };
      expect(decide(returned)).toEqual({ kind: 'end', outcome: 'returned', reason: turn.reason, code: 'HOOK_FAILED' });
    });

    test('takes nothing more back where the return failed: half way, the stack stays closed', () => {
      const paused = aStep('pause', 'frozen', { reverse: { kind: 'hook', hook: aHook('unpause', 'frozen') } });
      const state = stateOf([paused, ...steps], ['done', 'done', 'done', 'failed'], 'validated');
      const half = {
        ...state,
        direction: 'back' as const,
        turn,
        wentBack: turn,
        reverses: new Map([taken(1, 'done'), taken(0, 'failed')]),
      };
      expect(decide(half)).toMatchObject({
        kind: 'end',
        outcome: 'mixed',
        reason: expect.stringContaining('could not be taken back: do apply (it moved)'),
      });
    });

    function withoutReverse(): RunState['steps'] {
      const state = stateOf(steps, ['done', 'done', 'failed'], 'validated');
      const [apply] = steps as [Step, ...Step[]];
      const { reverse: _, ...bare } = apply;
      return new Map([...state.steps].map(([id, s]) => [id, id === 'apply' ? { ...s, step: bare } : s]));
    }

    function brokenOff(): RunState['steps'] {
      const state = stateOf(steps, ['done', 'done', 'failed'], 'validated');
      return new Map([...state.steps].map(([id, s]) => [id, id === 'check' ? { ...s, code: 'CANCELLED' } : s]));
    }
  });
});
