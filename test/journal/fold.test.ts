import { describe, expect, test } from 'vitest';
import { fold, JOURNAL_FORMAT, type JournalEntry, type JournalFact } from '../../src/journal/index.ts';
import { aPlan, aStep } from '../rollback/builders.ts';

const PLAN = aPlan({ steps: [aStep('a', 'frozen'), aStep('b', 'applied')] });
const BY = { user: 'ada', host: 'laptop' };

function journal(...facts: readonly JournalFact[]): JournalEntry[] {
  return facts.map((fact, i) => ({
    format: JOURNAL_FORMAT,
    run: 'r1',
    stack: 'medical-kg',
    sequence: i + 1,
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString(),
    ...fact,
  }));
}

const CREATED: JournalFact = { kind: 'run-created', plan: PLAN, by: BY };
const begin = (step: string, operation: string, attempt = 1): JournalFact => ({
  kind: 'step-begin',
  step,
  operation,
  attempt,
});
const end = (step: string, operation: string, outcome: 'done' | 'failed' = 'done'): JournalFact => ({
  kind: 'step-end',
  step,
  operation,
  outcome,
});

describe('folding a journal', () => {
  test('says where the run is, what each step did and how often it was tried', () => {
    const state = fold(
      journal(
        CREATED,
        { kind: 'phase-entered', phase: 'frozen' },
        begin('a', 'o1'),
        end('a', 'o1', 'failed'),
        begin('a', 'o2', 2),
      ),
    );
    expect(state).toMatchObject({
      run: 'r1',
      phase: 'frozen',
      direction: 'forward',
      sequence: 5,
      startedAt: '2026-01-01T00:00:00.000Z',
    });
    expect(state.steps.get('a')).toMatchObject({ status: 'begun', attempts: 2, operation: 'o2' });
    expect(state.steps.get('b')).toMatchObject({ status: 'pending', attempts: 0 });
    expect(state.ended).toBeUndefined();
  });

  test('gives failed steps of a halted run another try when it is resumed', () => {
    const state = fold(
      journal(
        CREATED,
        begin('a', 'o1'),
        end('a', 'o1', 'failed'),
        { kind: 'direction', direction: 'halt', reason: 'a failed', cause: 'failed' },
        { kind: 'run-ended', outcome: 'mixed' },
        { kind: 'resumed', by: BY },
      ),
    );
    expect(state).toMatchObject({ direction: 'forward', resumed: [{ by: BY }] });
    expect(state.steps.get('a')).toMatchObject({ status: 'pending', attempts: 1 });
    expect(state.ended).toBeUndefined();
    expect(state.turn).toBeUndefined();
  });

  test('keeps a run that went back going back when it is resumed, also when it lost its lease in between', () => {
    const state = fold(
      journal(
        CREATED,
        { kind: 'direction', direction: 'back', reason: 'b failed', cause: 'failed' },
        { kind: 'direction', direction: 'halt', reason: 'taken', cause: 'lease-lost' },
        { kind: 'run-ended', outcome: 'mixed' },
        { kind: 'resumed', by: BY },
      ),
    );
    expect(state).toMatchObject({ direction: 'back', turn: { reason: 'b failed' } });
  });

  test.each<[string, JournalEntry[], RegExp]>([
    ['no entries at all', [], /no entries/],
    ['a missing beginning', journal(CREATED, CREATED).slice(1), /missing before it/],
    ['another first entry', journal({ kind: 'resumed', by: BY }), /resumed where run-created/],
    ['a gap', journal(CREATED, begin('a', 'o1'), end('a', 'o1')).toSpliced(1, 1), /something is missing/],
    ['a second creation', journal(CREATED, CREATED), /a second time/],
    ['a step that the plan lacks', journal(CREATED, begin('z', 'o1')), /which the plan does not have/],
    ['an end without its beginning', journal(CREATED, end('a', 'o1')), /not open/],
    ['an end of another operation', journal(CREATED, begin('a', 'o1'), end('a', 'o2')), /not open/],
    [
      'a step begun again after its end',
      journal(CREATED, begin('a', 'o1'), end('a', 'o1'), begin('a', 'o2')),
      /after its end/,
    ],
    [
      'anything after the end',
      journal(CREATED, { kind: 'run-ended', outcome: 'failed' }, begin('a', 'o1')),
      /after the end/,
    ],
    [
      'a resume of a run that is over',
      journal(CREATED, { kind: 'run-ended', outcome: 'failed' }, { kind: 'resumed', by: BY }),
      /ended failed/,
    ],
    [
      'an entry of another run',
      journal(CREATED, begin('a', 'o1')).map((entry, i) => (i === 1 ? { ...entry, run: 'r2' } : entry)),
      /stands in the journal of run r1/,
    ],
    [
      'a newer format',
      journal(CREATED, begin('a', 'o1')).map((entry, i) =>
        i === 1 ? ({ ...entry, format: 2 } as unknown as JournalEntry) : entry,
      ),
      /format 2/,
    ],
    [
      'a plan with two steps of one name',
      journal({ ...CREATED, plan: aPlan({ steps: [aStep('a', 'frozen'), aStep('a', 'applied')] }) }),
      /two steps/,
    ],
  ])('refuses %s', (_what, entries, message) => {
    let thrown: unknown;
    try {
      fold(entries);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'JOURNAL_BROKEN', message: expect.stringMatching(message) });
  });
});
