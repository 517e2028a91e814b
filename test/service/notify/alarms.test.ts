import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, type JournalFact, type RunState } from '../../../src/journal/index.ts';
import type { ApprovalNeed, Plan } from '../../../src/model/index.ts';
import { alarmsOf } from '../../../src/service/notify/alarms.ts';
import { OPTIONS } from '../../plan/manifests.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-01-01T00:00:00.000Z');
const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['lead'], when: 'before', count: 1, expiresMs: 60 * MINUTE };
/** P10: the runbook's levels by elapsed minutes. */
const POLICY = {
  stuckAfterMs: 10 * MINUTE,
  escalation: [
    { afterMs: 0, notify: ['operations'], contact: 'Operations Engineer' },
    { afterMs: 15 * MINUTE, notify: ['senior'], contact: 'Senior Engineer' },
    { afterMs: 30 * MINUTE, notify: ['management'], contact: 'Engineering Manager' },
    { afterMs: 60 * MINUTE, notify: ['management', 'vp'], contact: 'VP Engineering' },
  ],
};

function planOf(approval?: ApprovalNeed, deadlineMs?: number): Plan {
  return aPlan({
    steps: [aStep('a', 'applied')],
    ...(approval === undefined ? {} : { approval }),
    ...(deadlineMs === undefined ? {} : { deadlineMs, options: { ...OPTIONS, severity: 'SEV-2' } }),
  });
}

function stateOf(facts: readonly JournalFact[], approval?: ApprovalNeed, deadlineMs?: number): RunState {
  const plan = planOf(approval, deadlineMs);
  return fold(journalOf([{ kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } }, ...facts]));
}

const BEGIN: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };
const approvedBy = (user: string, plan = planOf(NEED)): JournalFact => ({
  kind: 'approval',
  decision: 'approved',
  plan: plan.hash,
  by: { user, host: 'desk' },
  role: 'lead',
});

/** Minutes after the run was asked for, who is told, and of what. */
function shown(state: RunState, minutes: number): readonly (readonly [number, string, string])[] {
  return alarmsOf(state, POLICY, START + minutes * MINUTE).map(({ dueAt, telling }) => [
    Math.round((dueAt - START) / MINUTE),
    telling.to?.join('+') ?? 'all who want it',
    telling.notice,
  ]);
}

describe('who is told next', () => {
  test('levels by minutes since the run was asked for, while it is not done', () => {
    expect(shown(stateOf([BEGIN]), 1)).toEqual([
      [0, 'operations', 'escalation'],
      [10, 'all who want it', 'run.stuck'],
      [15, 'senior', 'escalation'],
      [30, 'management', 'escalation'],
      [60, 'management+vp', 'escalation'],
    ]);
  });

  test('says who it is, how long it takes and what is the matter', () => {
    const alarm = alarmsOf(stateOf([BEGIN]), POLICY, START).find(({ dueAt }) => dueAt === START + 15 * MINUTE);
    expect(alarm?.telling).toMatchObject({
      id: 'r1:working+900s:escalation',
      at: '2026-01-01T00:15:00.000Z',
      effect: 'alarms',
      values: { contact: 'Senior Engineer', level: '2', elapsed: '15 min', because: 'It is not done (planned).' },
    });
  });

  test.each(['succeeded', 'failed', 'returned', 'cancelled', 'unvalidated', 'nothing-to-do'] as const)(
    'nobody once the run has ended as %s',
    (outcome) => {
      expect(shown(stateOf([BEGIN, { kind: 'run-ended', outcome }]), 1)).toEqual([]);
    },
  );

  test('goes on for a mixed run, which a person has to go on with, until it is given up', () => {
    const mixed: JournalFact[] = [BEGIN, { kind: 'run-ended', outcome: 'mixed' }];
    expect(shown(stateOf(mixed), 1).map(([minute]) => minute)).toEqual([0, 15, 30, 60]);
    const givenUp: JournalFact = { kind: 'abandoned', by: { user: 'ada', host: 'laptop' }, reason: 'enough' };
    expect(shown(stateOf([...mixed, givenUp]), 1)).toEqual([]);
  });

  test('a run that waits is no silent one; its levels end with the approval, and begin anew for the work', () => {
    const waiting = alarmsOf(stateOf([], NEED), POLICY, START + MINUTE);
    expect(waiting.map(({ telling }) => telling.id)).toEqual([
      'r1:waiting+0s:escalation',
      'r1:waiting+900s:escalation',
      'r1:waiting+1800s:escalation',
      'r1:waiting+3600s:escalation',
    ]);
    const granted = alarmsOf(stateOf([approvedBy('lea')], NEED), POLICY, START + MINUTE);
    expect(
      granted
        .filter(({ telling }) => telling.notice === 'escalation')
        .map(({ telling, dueAt }) => [telling.id, dueAt - START]),
    ).toEqual([
      ['r1:working+0s:escalation', 1_000],
      ['r1:working+900s:escalation', 15 * MINUTE + 1_000],
      ['r1:working+1800s:escalation', 30 * MINUTE + 1_000],
      ['r1:working+3600s:escalation', 60 * MINUTE + 1_000],
    ]);
  });

  test('an approval that is due afterwards keeps nobody waiting: the clock is that of the work', () => {
    const after = alarmsOf(stateOf([BEGIN], { ...NEED, when: 'after' }), POLICY, START);
    expect(after[0]?.telling.id).toBe('r1:working+0s:escalation');
  });

  test('nobody for a run that was denied, or not approved in time; but it is stuck when nobody ends it', () => {
    expect(shown(stateOf([], NEED), 61)).toEqual([[70, 'all who want it', 'run.stuck']]);
  });
});

describe('a run that is stuck', () => {
  test('each silence is told once: the id is that of the last entry', () => {
    const [first] = alarmsOf(stateOf([BEGIN]), { ...POLICY, escalation: [] }, START);
    const [second] = alarmsOf(
      stateOf([BEGIN, { kind: 'phase-entered', phase: 'applied' }]),
      { ...POLICY, escalation: [] },
      START,
    );
    expect([first?.telling.id, second?.telling.id]).toEqual(['r1:00000002:run.stuck', 'r1:00000003:run.stuck']);
    expect(first?.telling.values).toMatchObject({
      because: 'Nothing was journaled for 10 min.',
      next: 'backstay resume r1',
    });
  });

  test('no alarm depends on when one looks: any two machines find the same ones', () => {
    const moments = fc.integer({ min: 0, max: 59 * MINUTE });
    fc.assert(
      fc.property(moments, moments, fc.boolean(), (a, b, waits) => {
        const state = waits ? stateOf([], NEED) : stateOf([BEGIN]);
        expect(alarmsOf(state, POLICY, START + a)).toEqual(alarmsOf(state, POLICY, START + b));
      }),
    );
  });
});

describe('a deadline', () => {
  const DEADLINE = 15 * MINUTE;
  /** Minutes after the asking, and what is said of it. */
  const late = (state: RunState, minutes: number): readonly (readonly [number, unknown, unknown])[] =>
    alarmsOf(state, { stuckAfterMs: 10 * MINUTE, escalation: [] }, START + minutes * MINUTE)
      .filter(({ telling }) => telling.notice === 'run.late')
      .map(({ dueAt, telling: { values } }) => [(dueAt - START) / MINUTE, values.because, values.next]);
  const approved = approvedBy('lea', planOf(NEED, DEADLINE));
  const denied = { ...approved, decision: 'denied' } as JournalFact;
  const runsOut = { ...NEED, expiresMs: DEADLINE };

  test.each<[string, RunState, number, ReturnType<typeof late>]>([
    ['none is told of a run that has none', stateOf([BEGIN]), 20, []],
    [
      'counts from when it was asked for, also while it waits',
      stateOf([], NEED, DEADLINE),
      1,
      [[15, 'It waits for its approval.', 'backstay approve r1']],
    ],
    [
      'is that of the asking and not of the approval',
      stateOf([approved, BEGIN], NEED, DEADLINE),
      20,
      [[15, 'It is not done (planned).', undefined]],
    ],
    [
      'is not kept by a run that ended mixed',
      stateOf([BEGIN, { kind: 'run-ended', outcome: 'mixed' }], undefined, DEADLINE),
      20,
      [[15, 'It ended mixed, and a person has to go on.', undefined]],
    ],
    [
      'is over with the run',
      stateOf([BEGIN, { kind: 'run-ended', outcome: 'succeeded' }], undefined, DEADLINE),
      20,
      [],
    ],
    ['is over with a denial', stateOf([denied], NEED, DEADLINE), 20, []],
    [
      'passes in the very moment in which the approval runs out',
      stateOf([], runsOut, DEADLINE),
      15,
      [[15, 'It was not approved in time.', undefined]],
    ],
    ['is none any more once the approval has run out', stateOf([], runsOut, DEADLINE + 1), 15, []],
  ])('%s', (_what, state, minutes, expected) => {
    expect(late(state, minutes)).toEqual(expected);
  });

  test('is told once, with the same id whenever one looks, and says by when it should have been done', () => {
    fc.assert(
      fc.property(fc.nat({ max: 59 * MINUTE }), fc.boolean(), (at, waits) => {
        const state = waits ? stateOf([], NEED, DEADLINE) : stateOf([BEGIN], undefined, DEADLINE);
        const found = alarmsOf(state, POLICY, START + at).filter(({ telling }) => telling.notice === 'run.late');
        expect(found.map(({ telling }) => telling)).toMatchObject([
          {
            id: 'r1:deadline:run.late',
            at: '2026-01-01T00:15:00.000Z',
            effect: 'alarms',
            values: { severity: 'SEV-2', deadline: '2026-01-01T00:15:00.000Z', elapsed: '15 min' },
          },
        ]);
      }),
    );
  });
});
