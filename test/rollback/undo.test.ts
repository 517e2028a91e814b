import { describe, expect, test } from 'vitest';
import { fold, type JournalFact, type RunState, type Trigger } from '../../src/journal/index.ts';
import { digestOf, type KubeObject, keyOf, type Outcome, type Plan, refOf } from '../../src/model/index.ts';
import { judgeUndo, needsPerson } from '../../src/rollback/index.ts';
import { journalOf } from '../support/journal.ts';
import { aPlan, aStep, OPTIONS } from './builders.ts';

const BEFORE = digestOf('before');
const ADA = { user: 'ada', host: 'laptop' };
const OBJECT: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'production' } };

interface Past {
  readonly run: string;
  /** Minutes after the first. */
  readonly at?: number;
  readonly outcome?: Outcome | 'unfinished';
  readonly undoes?: string;
  readonly after?: readonly JournalFact[];
  readonly trigger?: Trigger;
  readonly plan?: Partial<Omit<Plan, 'hash'>>;
}

/** A run that captured *before*, applied, and ended as told. */
function past({ run, at = 0, outcome = 'succeeded', undoes, after = [], trigger, plan = {} }: Past): RunState {
  const changed = outcome !== 'failed' && outcome !== 'cancelled';
  const steps = [
    aStep('snapshot-before', 'safeguarded', { action: { kind: 'snapshot-before' } }),
    aStep('apply', 'applied', { action: { kind: 'apply' } }),
  ];
  const changes = [{ key: keyOf(OBJECT), ref: refOf(OBJECT), action: 'update' as const, fields: [], takesOver: [] }];
  const facts: JournalFact[] = [
    {
      kind: 'run-created',
      plan: aPlan({ steps, changes, ...plan }),
      by: ADA,
      ...(undoes === undefined ? {} : { undoes }),
      ...(trigger === undefined ? {} : { trigger }),
    },
    { kind: 'step-begin', step: 'snapshot-before', operation: 'o1', attempt: 1 },
    {
      kind: 'step-end',
      step: 'snapshot-before',
      operation: 'o1',
      outcome: 'done',
      touched: false,
      result: { id: BEFORE },
    },
    ...(changed
      ? ([
          { kind: 'step-begin', step: 'apply', operation: 'o2', attempt: 1 },
          { kind: 'step-end', step: 'apply', operation: 'o2', outcome: 'done' },
        ] as const)
      : []),
    ...(outcome === 'unfinished' ? [] : [{ kind: 'run-ended', outcome } as const]),
    ...after,
  ];
  return { ...fold(journalOf(facts, run)), startedAt: new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString() };
}

const undoneBy = (byRun: string): JournalFact => ({ kind: 'undone', byRun, by: ADA });
const FINALIZED: JournalFact = { kind: 'finalized', by: ADA, because: 'retention', removed: [] };

describe('whether a run can be undone', () => {
  const first = past({ run: 'r1' });

  test.each<[string, RunState, readonly RunState[], object]>([
    ['one that succeeded', first, [], { kind: 'undoable', before: BEFORE, abandons: false }],
    ['one that was not validated', past({ run: 'r1', outcome: 'unvalidated' }), [], { kind: 'undoable' }],
    ['one that ended mixed, which is given up', past({ run: 'r1', outcome: 'mixed' }), [], { abandons: true }],
    [
      'one that was given up',
      past({ run: 'r1', outcome: 'mixed', after: [{ kind: 'abandoned', by: ADA, reason: 'x' }] }),
      [],
      { kind: 'undoable', abandons: false },
    ],
    [
      'one after which others changed nothing',
      first,
      [past({ run: 'r2', at: 1, outcome: 'failed' })],
      { kind: 'undoable' },
    ],
    [
      'one after which another returned',
      first,
      [past({ run: 'r2', at: 1, outcome: 'returned' })],
      { kind: 'undoable' },
    ],
    ['one that others came before', past({ run: 'r2', at: 5 }), [first], { kind: 'undoable' }],
    [
      'one after which another was done and undone',
      first,
      [past({ run: 'r2', at: 1, after: [undoneBy('r3')] }), past({ run: 'r3', at: 2, undoes: 'r2' })],
      { kind: 'undoable' },
    ],
    ['the undoing run itself', past({ run: 'r2', at: 1, undoes: 'r1' }), [first], { kind: 'undoable' }],
  ])('yes: %s', (_what, state, others, answer) => {
    expect(judgeUndo(state, others)).toMatchObject(answer);
  });

  test.each<[string, RunState, readonly RunState[], string, string]>([
    ['is at work or cut off', past({ run: 'r1', outcome: 'unfinished' }), [], 'RUN_UNFINISHED', 'backstay resume r1'],
    ['failed', past({ run: 'r1', outcome: 'failed' }), [], 'NOTHING_TO_UNDO', 'Nothing'],
    ['was stopped in time', past({ run: 'r1', outcome: 'cancelled' }), [], 'NOTHING_TO_UNDO', 'Nothing'],
    ['returned by itself', past({ run: 'r1', outcome: 'returned' }), [], 'NOTHING_TO_UNDO', 'Nothing'],
    ['was undone', past({ run: 'r1', after: [undoneBy('r2')] }), [], 'ALREADY_UNDONE', 'backstay undo r2'],
    [
      'was undone, redone and undone again',
      past({ run: 'r1', after: [undoneBy('r2')] }),
      [past({ run: 'r2', at: 1, undoes: 'r1', after: [undoneBy('r3')] }), past({ run: 'r3', at: 2, undoes: 'r2' })],
      'ALREADY_UNDONE',
      'backstay undo r3',
    ],
    ['was finalized', past({ run: 'r1', after: [FINALIZED] }), [], 'RUN_FINALIZED', '--list-versions'],
    ['was overtaken', first, [past({ run: 'r2', at: 1 })], 'RUN_OVERTAKEN', 'backstay undo r2'],
    [
      'was overtaken by one that is half done',
      first,
      [past({ run: 'r2', at: 1, outcome: 'mixed' })],
      'RUN_OVERTAKEN',
      'backstay resume r2',
    ],
    [
      'was overtaken by what undid an earlier one',
      past({ run: 'r2', at: 1 }),
      [past({ run: 'r1', after: [undoneBy('r3')] }), past({ run: 'r3', at: 2, undoes: 'r1' })],
      'RUN_OVERTAKEN',
      'backstay undo r3',
    ],
  ])('no: one that %s', (_what, state, others, code, next) => {
    const answer = judgeUndo(state, others);
    expect(answer).toMatchObject({ kind: 'refused', code });
    expect(answer.kind === 'refused' ? answer.next : '').toContain(next);
  });
});

describe('who may start a run', () => {
  const ROLLBACK: Pick<Plan, 'options'> = { options: { ...OPTIONS, hold: true } };
  const RELEASE: Pick<Plan, 'options'> = { options: { ...OPTIONS, hold: false } };
  const byAlert = past({ run: 'r1', trigger: 'alert' });
  const byPerson = past({ run: 'r1' });
  const ask = (
    trigger: Trigger,
    runs: readonly RunState[],
    part: { plan?: Pick<Plan, 'options' | 'undoes'>; holding?: readonly string[] } = {},
  ): string | undefined =>
    needsPerson({ trigger, plan: part.plan ?? ROLLBACK, runs, holding: new Set(part.holding ?? []) });

  test.each<[string, string | undefined]>([
    ['a person may do anything', ask('person', [byAlert], { plan: { ...ROLLBACK, undoes: 'r1' }, holding: ['r1'] })],
    ['an alert may take back the first time', ask('alert', [])],
    ['an alert may take back a release', ask('alert', [past({ run: 'r1', trigger: 'pipeline', plan: RELEASE })])],
    ['an alert may act after a rollback whose version was released', ask('alert', [byPerson])],
    [
      'a rollback that changed nothing does not count',
      ask('alert', [past({ run: 'r1', trigger: 'alert', outcome: 'failed' })]),
    ],
    ['nor does one that was undone', ask('alert', [past({ run: 'r1', trigger: 'alert', after: [undoneBy('r2')] })])],
    ['a pipeline may release after a rollback', ask('pipeline', [byAlert], { plan: RELEASE, holding: ['r1'] })],
  ])('%s', (_what, why) => {
    expect(why).toBeUndefined();
  });

  test.each<[string, string | undefined, string]>([
    ['undo a run', ask('schedule', [], { plan: { ...ROLLBACK, undoes: 'r9' } }), "person's decision"],
    ['take back an automatic rollback', ask('alert', [byAlert]), 'started by alert'],
    ['take back a rollback that holds a version', ask('alert', [byPerson], { holding: ['r1'] }), 'still holds'],
    [
      'take back what a person has undone',
      ask('alert', [past({ run: 'r1', after: [undoneBy('r2')] }), past({ run: 'r2', at: 1, undoes: 'r1' })]),
      'undid a rollback',
    ],
    [
      'overlook the newest because of older ones',
      ask('pipeline', [past({ run: 'r1', plan: RELEASE }), past({ run: 'r2', at: 1, trigger: 'pipeline' })]),
      'run r2',
    ],
  ])('nothing automatic may %s', (_what, why, because) => {
    expect(why).toContain(because);
  });
});
