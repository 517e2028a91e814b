import { describe, expect, test } from 'vitest';
import { fold, type JournalEntry, type JournalFact, linkOf } from '../../src/journal/index.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const PLAN = aPlan({ steps: [aStep('a', 'frozen'), aStep('b', 'applied')] });
const BY = { user: 'ada', host: 'laptop' };

const journal = (...facts: readonly JournalFact[]): JournalEntry[] => journalOf(facts);

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
      journal(CREATED, begin('a', 'o1')).map((entry, i) => (i === 1 ? { ...entry, format: 3 } : entry)),
      /format 3/,
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

describe('the chain of entries', () => {
  const entries = journal(CREATED, { kind: 'phase-entered', phase: 'frozen' }, begin('a', 'o1'), end('a', 'o1'));

  test.each([0, 1, 2])('names entry %i + 1 when it was changed after it was written', (i) => {
    const changed = entries.map((entry, at) => (at === i ? { ...entry, time: '2026-01-01T00:00:09.000Z' } : entry));
    expect(() => fold(changed)).toThrow(`entry ${i + 1} was changed`);
  });

  test('lets a run that began without links go on with them', () => {
    const old = entries.slice(0, 2).map(({ previous: _previous, ...entry }) => ({ ...entry, format: 1 }));
    const [last] = old.slice(-1);
    const next = { ...entries[2]!, previous: linkOf(last!) };
    expect(fold([...old, next])).toMatchObject({ sequence: 3 });
    expect(() => fold([...old, entries[2]!])).toThrow('entry 2 was changed');
  });

  test('leaves unread what a newer program added without breaking the format, and nothing else', () => {
    const added = { ...entries[3]!, kind: 'something-new', previous: linkOf(entries[2]!) } as unknown as JournalEntry;
    expect(fold([...entries.slice(0, 3), { ...added, revision: 99 }]).unread).toEqual(['something-new']);
    expect(() => fold([...entries.slice(0, 3), added])).toThrow('unknown kind something-new');
  });
});

describe('what is said after the end', () => {
  const over = [CREATED, { kind: 'run-ended', outcome: 'succeeded' }] as const;

  test('is kept beside the outcome, which stays', () => {
    const state = fold(
      journal(
        ...over,
        { kind: 'noted', by: BY, topic: 'root-cause', text: 'the model ran out of memory' },
        { kind: 'undone', byRun: 'r2', by: BY },
        { kind: 'finalized', by: BY, because: 'retention', removed: ['sha256:1'] },
      ),
    );
    expect(state).toMatchObject({
      ended: { outcome: 'succeeded' },
      notes: [{ topic: 'root-cause' }],
      undone: { byRun: 'r2' },
      finalized: { because: 'retention', removed: ['sha256:1'] },
    });
  });

  test('gives up an unfinished or mixed run, and no other', () => {
    const given = { kind: 'abandoned', by: BY, reason: 'the cluster is gone' } as const;
    expect(fold(journal(CREATED, given)).ended).toMatchObject({ outcome: 'abandoned' });
    expect(fold(journal(CREATED, { kind: 'run-ended', outcome: 'mixed' }, given)).ended?.outcome).toBe('abandoned');
    expect(() => fold(journal(...over, given))).toThrow('gives up a run that ended succeeded');
  });
});
