import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, type JournalFact, type RunState } from '../../src/journal/index.ts';
import { type ApprovalNeed, digestOf } from '../../src/model/index.ts';
import { decide, exitCodeOf, mayDecide, standingOf } from '../../src/rollback/index.ts';
import { journalOf } from '../support/journal.ts';
import { aPlan, aStep } from './builders.ts';

const NEED: ApprovalNeed = {
  severity: 'SEV-2',
  roles: ['platform-lead', 'cto'],
  when: 'before',
  count: 1,
  expiresMs: 3_600_000,
};
const AFTER: ApprovalNeed = { ...NEED, when: 'after' };
const TWO: ApprovalNeed = { ...NEED, count: 2 };
const planOf = (need: ApprovalNeed | undefined) =>
  aPlan({ steps: [aStep('a', 'locked')], ...(need === undefined ? {} : { approval: need }) });

type Said = readonly [user: string, role: string, decision?: 'approved' | 'denied'];

function stateOf(
  need: ApprovalNeed | undefined,
  said: readonly Said[] = [],
  more: readonly JournalFact[] = [],
): RunState {
  const plan = planOf(need);
  return fold(
    journalOf([
      { kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } },
      ...said.map(
        ([user, role, decision = 'approved']): JournalFact => ({
          kind: 'approval',
          decision,
          plan: plan.hash,
          by: { user, host: 'elsewhere' },
          role,
        }),
      ),
      ...more,
    ]),
  );
}

const BEGUN: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };
const ended = (outcome: 'succeeded' | 'failed' | 'mixed'): JournalFact => ({ kind: 'run-ended', outcome });
/** Milliseconds after the run was created. */
const at = (state: RunState, ms: number): number => Date.parse(state.startedAt) + ms;

describe('how a run stands with those who agree to it', () => {
  test.each<[string, ApprovalNeed | undefined, readonly Said[], readonly JournalFact[], number, string]>([
    ['nobody is asked', undefined, [], [], 0, 'not-needed'],
    ['nobody said anything', NEED, [], [], 60_000, 'waiting'],
    ['its time is over', NEED, [], [], 3_600_000, 'expired'],
    ['one agreed', NEED, [['bo', 'cto']], [], 60_000, 'granted'],
    ['one denied', NEED, [['bo', 'cto', 'denied']], [], 60_000, 'denied'],
    [
      'one denied after another agreed',
      TWO,
      [
        ['bo', 'cto'],
        ['cy', 'cto', 'denied'],
      ],
      [],
      60_000,
      'denied',
    ],
    ['one of two agreed', TWO, [['bo', 'cto']], [], 60_000, 'waiting'],
    [
      'the same person agreed twice',
      TWO,
      [
        ['bo', 'cto'],
        ['bo', 'platform-lead'],
      ],
      [],
      60_000,
      'waiting',
    ],
    [
      'two agreed',
      TWO,
      [
        ['bo', 'cto'],
        ['cy', 'cto'],
      ],
      [],
      60_000,
      'granted',
    ],
    ['the requester agreed', NEED, [['ada', 'cto']], [], 60_000, 'waiting'],
    ['somebody of another role agreed', NEED, [['bo', 'intern']], [], 60_000, 'waiting'],
    ['it was agreed to and never begun', NEED, [['bo', 'cto']], [], 3_600_000, 'expired'],
    ['it was begun in time', NEED, [['bo', 'cto']], [BEGUN], 9_999_999, 'granted'],
    ['it is due afterwards', AFTER, [], [ended('succeeded')], 60_000, 'due'],
    ['it was agreed to afterwards', AFTER, [], [ended('succeeded')], 60_000, 'due'],
    ['nothing was changed that one could agree to', AFTER, [], [ended('failed')], 60_000, 'not-needed'],
  ])('%s', (_name, need, said, more, ms, kind) => {
    const state = stateOf(need, said, more);
    expect(standingOf(state, at(state, ms)).kind).toBe(kind);
  });

  test('an approval of another plan does not count', () => {
    const by = { user: 'bo', host: 'elsewhere' };
    const other: JournalFact = { kind: 'approval', decision: 'approved', plan: digestOf('other'), by, role: 'cto' };
    const state = stateOf(NEED, [], [other]);
    expect(standingOf(state, at(state, 1)).kind).toBe('waiting');
  });

  test('what is due afterwards gets overdue, and is still taken', () => {
    const state = stateOf(AFTER, [], [ended('succeeded')]);
    const late = at(state, 9_999_999);
    expect(standingOf(state, late)).toMatchObject({ kind: 'due', overdue: true });
    expect(mayDecide(state, late, { user: 'bo', roles: ['cto'] })).toMatchObject({ kind: 'may', role: 'cto' });
    const approval: JournalFact = {
      kind: 'approval',
      decision: 'approved',
      plan: state.plan.hash,
      by: { user: 'bo', host: 'elsewhere' },
      role: 'cto',
    };
    expect(standingOf(stateOf(AFTER, [], [ended('succeeded'), approval]), late).kind).toBe('granted');
  });
});

describe('what a run does about it', () => {
  test('waits, and exits 6', () => {
    const state = stateOf(TWO, [['bo', 'cto']]);
    const command = decide(state, { now: at(state, 1) });
    expect(command).toMatchObject({ kind: 'wait', reason: expect.stringContaining('2 people, 1 agreed so far') });
    expect(exitCodeOf({ outcome: 'waiting' })).toBe(6);
    expect(exitCodeOf({ outcome: 'waiting', signal: 'SIGTERM' })).toBe(143);
  });

  test.each<[string, readonly Said[], number, string]>([
    ['denied', [['bo', 'cto', 'denied']], 1, 'APPROVAL_DENIED'],
    ['not approved in time', [], 3_600_000, 'APPROVAL_EXPIRED'],
  ])('ends without a change when it is %s', (_name, said, ms, code) => {
    const state = stateOf(NEED, said);
    const command = decide(state, { now: at(state, ms) });
    expect(command).toMatchObject({ kind: 'end', outcome: 'failed', code });
    expect(exitCodeOf({ outcome: 'failed', code })).toBe(6);
  });

  test.each<[string, ApprovalNeed, readonly Said[]]>([
    ['once it is approved', NEED, [['bo', 'cto']]],
    ['at once where the approval comes afterwards', AFTER, []],
  ])('begins %s', (_name, need, said) => {
    const state = stateOf(need, said);
    expect(decide(state, { now: at(state, 1) })).toEqual({ kind: 'enter', phase: 'locked' });
  });
});

describe('who may decide', () => {
  test.each<[string, ApprovalNeed | undefined, readonly Said[], readonly JournalFact[], number, string, string]>([
    ['the requester', NEED, [], [], 1, 'ada', 'asked for'],
    ['somebody without the role', NEED, [], [], 1, 'intern', 'holds no role'],
    ['anybody where nothing is needed', undefined, [], [], 1, 'bo', 'needs no approval'],
    ['a second one where one is enough', NEED, [['cy', 'cto']], [], 1, 'bo', 'approved already'],
    ['the same person again', TWO, [['bo', 'cto']], [], 1, 'bo', 'approved run'],
    ['anybody after a denial', NEED, [['cy', 'cto', 'denied']], [], 1, 'bo', 'denied by cy'],
    ['anybody too late', NEED, [], [], 3_600_000, 'bo', 'had to be approved by'],
    ['anybody while what is due afterwards is at work', AFTER, [], [BEGUN], 1, 'bo', 'is not over'],
    ['anybody while it may be resumed', AFTER, [], [ended('mixed')], 1, 'bo', 'is not over'],
    ['anybody when the run was ended otherwise', NEED, [], [ended('failed')], 1, 'bo', 'is over'],
  ])('not %s', (_name, need, said, more, ms, user, because) => {
    const state = stateOf(need, said, more);
    const roles = user === 'intern' ? ['intern'] : ['cto'];
    const may = mayDecide(state, at(state, ms), { user, roles });
    expect(may).toMatchObject({ kind: 'refused', because: expect.stringContaining(because) });
  });

  test('whoever holds a role that the plan names', () => {
    const state = stateOf(NEED);
    const may = mayDecide(state, at(state, 1), { user: 'bo', roles: ['intern', 'cto'] });
    expect(may).toMatchObject({ kind: 'may', role: 'cto' });
  });

  test.each<[string, string, readonly string[]]>([
    ['the requester at the service of their machine', 'local:ada', []],
    ['the requester by another proof of who they are', 'oidc:https://login#7', ['ada']],
  ])('not %s', (_name, user, alsoKnownAs) => {
    const state = stateOf(NEED);
    const may = mayDecide(state, at(state, 1), { user, roles: ['cto'], alsoKnownAs });
    expect(may).toMatchObject({ kind: 'refused', because: expect.stringContaining('asked for') });
  });

  test('not the same person twice by two names', () => {
    const state = stateOf(TWO, [['bo', 'cto']]);
    const may = mayDecide(state, at(state, 1), { user: 'local:bo', roles: ['cto'] });
    expect(may).toMatchObject({ kind: 'refused', because: expect.stringContaining('approved run') });
    expect(
      standingOf(
        stateOf(TWO, [
          ['bo', 'cto'],
          ['local:bo', 'cto'],
        ]),
        at(state, 1),
      ).kind,
    ).toBe('waiting');
  });

  describe('several tokens of one person', () => {
    type Shown = { readonly user: string; readonly person?: string };
    const asked = (by: Shown, given: readonly Shown[]): RunState => {
      const plan = planOf(TWO);
      return fold(
        journalOf([
          { kind: 'run-created', plan, by: { ...by, host: 'laptop' } },
          ...given.map(
            (one): JournalFact => ({
              kind: 'approval',
              decision: 'approved',
              plan: plan.hash,
              by: { ...one, host: 'elsewhere' },
              role: 'cto',
            }),
          ),
        ]),
      );
    };
    const may = (state: RunState, shown: Shown): string => {
      const said = mayDecide(state, at(state, 1), { ...shown, roles: ['cto'] });
      return said.kind === 'may' ? 'may' : said.because;
    };
    const laptop = { user: 'token:bo-laptop', person: 'bo' };
    const ci = { user: 'token:bo-ci', person: 'Bo' };
    const machine = { user: 'bo' };
    const page = { user: 'local:bo', person: 'bo' };
    const login = { user: 'oidc:https://login#7', person: 'bo' };
    const named = { user: 'token:eve', person: 'oidc:https://login#7' };
    const subject = { user: 'oidc:https://login#7' };
    const other = { user: 'token:cy', person: 'cy' };

    test.each([
      ['two tokens', laptop, ci],
      ['a token and the machine', laptop, machine],
      ['the machine and a token', machine, laptop],
      ['a token and the page of that machine', ci, page],
      ['a token and a login', laptop, login],
      ['a token that is for a subject, and the subject', named, subject],
      ['the subject, and a token for it', subject, named],
    ])('are one: %s', (_name, first, second) => {
      expect(may(asked(first, []), second)).toContain('asked for');
      expect(may(asked(other, [first]), second)).toContain('approved run');
      for (const given of [
        [first, second],
        [second, first],
      ])
        expect(standingOf(asked(other, given), Date.parse(asked(other, given).startedAt) + 1)).toMatchObject({
          kind: 'waiting',
          given: [{ by: given[0] }],
        });
    });

    test('are not somebody else’s', () => {
      expect(may(asked(laptop, []), other)).toBe('may');
      expect(may(asked(laptop, [other]), { user: 'token:di', person: 'di' })).toBe('may');
      expect(may(asked(named, []), laptop)).toBe('may');
    });

    test('never make more people than there are', () => {
      const shown = fc
        .tuple(fc.constantFrom('ada', 'bo', 'cy'), fc.constantFrom('', 'token:', 'local:', 'oidc:https://login#'))
        .map(([person, by]): Shown & { readonly is: string } => ({
          is: person,
          ...(by === '' ? { user: person } : { user: `${by}${person}`, person }),
        }));
      fc.assert(
        fc.property(shown, fc.array(shown, { maxLength: 8 }), ({ is, ...by }, all) => {
          const state = asked(
            by,
            all.map(({ is: _is, ...one }) => one),
          );
          const standing = standingOf(state, at(state, 1));
          const others = new Set(all.map((one) => one.is).filter((one) => one !== is));
          expect(standing.kind).toBe(others.size >= 2 ? 'granted' : 'waiting');
          expect('given' in standing ? standing.given.length : 0).toBe(others.size);
        }),
      );
    });
  });

  test('two whose proofs differ are two people', () => {
    const state = stateOf(TWO, [['token:bo', 'cto']]);
    expect(mayDecide(state, at(state, 1), { user: 'bo', roles: ['cto'] }).kind).toBe('may');
  });
});
