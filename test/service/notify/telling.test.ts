import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advance, type JournalFact, type RunState } from '../../../src/journal/index.ts';
import { type ApprovalNeed, digestOf, type Proposal } from '../../../src/model/index.ts';
import { type Telling, tellingOfProposal, tellingsOf } from '../../../src/service/notify/telling.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';

const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['lead', 'cto'], when: 'before', count: 2, expiresMs: 900_000 };
const BY = { user: 'ada', host: 'laptop' };
const STEPS = [aStep('a', 'applied'), aStep('b', 'validated')];

function toldOf(facts: readonly JournalFact[], approval?: ApprovalNeed): readonly Telling[] {
  const plan = aPlan({ steps: STEPS, ...(approval === undefined ? {} : { approval }) });
  const tellings: Telling[] = [];
  let state: RunState | undefined;
  for (const entry of journalOf([{ kind: 'run-created', plan, by: BY }, ...facts])) {
    const after = advance(state, entry);
    tellings.push(...tellingsOf(state, after, entry));
    state = after;
  }
  return tellings;
}

const begin = (step: string, attempt = 1): JournalFact => ({
  kind: 'step-begin',
  operation: `${step}${attempt}`,
  step,
  attempt,
});
const done = (step: string): JournalFact => ({ kind: 'step-end', operation: `${step}1`, step, outcome: 'done' });
const approved = (approval: ApprovalNeed): JournalFact => ({
  kind: 'approval',
  decision: 'approved',
  plan: aPlan({ steps: STEPS, approval }).hash,
  by: { user: 'lea', host: 'desk' },
  role: 'lead',
});
const ended = (outcome: Extract<JournalFact, { kind: 'run-ended' }>['outcome']): JournalFact => ({
  kind: 'run-ended',
  outcome,
});

describe('what the entries of a run are to people', () => {
  test('a run that nobody has to approve: that it begins, once, and how it ends', () => {
    const told = toldOf([begin('a'), done('a'), begin('b'), done('b'), ended('succeeded')]);
    expect(told.map(({ id, effect, at }) => [id, effect, at])).toEqual([
      ['r1:00000002:run.started', 'opens', '2026-01-01T00:00:01.000Z'],
      ['r1:00000006:run.ended', 'closes', '2026-01-01T00:00:05.000Z'],
    ]);
  });

  test('a run that waits: that it needs an approval, who gave it, and only then that it begins', () => {
    const told = toldOf([approved(NEED), begin('a'), ended('failed')], NEED);
    expect(told.map(({ notice, effect }) => [notice, effect])).toEqual([
      ['approval.needed', 'opens'],
      ['approval.given', 'acknowledges'],
      ['run.started', 'opens'],
      ['run.ended', 'alarms'],
    ]);
    expect(told[0]?.values).toMatchObject({
      severity: 'SEV-2',
      roles: 'lead or cto',
      count: '2 people',
      until: '2026-01-01T00:15:00.000Z',
      by: 'ada@laptop',
      next: 'backstay approve r1',
    });
    expect(told[1]?.values).toMatchObject({ decision: 'approved', by: 'lea, lead' });
  });

  test('a run with a deadline says with each notice by when it is to be done', () => {
    const plan = aPlan({ steps: STEPS, approval: NEED, deadlineMs: 600_000 });
    const [entry] = journalOf([{ kind: 'run-created', plan, by: BY }]);
    if (entry === undefined) throw new TypeError('no entry');
    expect(tellingsOf(undefined, advance(undefined, entry), entry)).toMatchObject([
      {
        notice: 'approval.needed',
        values: { until: '2026-01-01T00:15:00.000Z', deadline: '2026-01-01T00:10:00.000Z' },
      },
    ]);
    for (const { values } of toldOf([begin('a')], NEED)) expect(values).not.toHaveProperty('deadline');
  });

  test.each([
    ['succeeded', 'closes'],
    ['unvalidated', 'closes'],
    ['nothing-to-do', 'closes'],
    ['cancelled', 'closes'],
    ['failed', 'alarms'],
    ['returned', 'alarms'],
    ['mixed', 'alarms'],
  ] as const)('an end as %s %s what was opened', (outcome, effect) => {
    expect(toldOf([begin('a'), ended(outcome)]).at(-1)).toMatchObject({ effect, values: { outcome } });
  });

  test('a run that was denied is over; one that nobody approved in time is for somebody to look at', () => {
    const end = (code: string): JournalFact => ({ kind: 'run-ended', outcome: 'failed', code, reason: 'so it is' });
    expect(toldOf([end('APPROVAL_DENIED')], NEED).at(-1)?.effect).toBe('closes');
    expect(toldOf([end('APPROVAL_EXPIRED')], NEED).at(-1)?.effect).toBe('alarms');
  });

  test('a mixed run names the command that goes on; given up afterwards it is over', () => {
    const told = toldOf([begin('a'), ended('mixed'), { kind: 'abandoned', by: BY, reason: 'enough' }]);
    expect(told.slice(1).map(({ effect, values }) => [effect, values.outcome, values.next])).toEqual([
      ['alarms', 'mixed', 'backstay resume r1'],
      ['closes', 'abandoned', undefined],
    ]);
  });

  test('ids are those of the entries: nobody gets another one for the same event, however the text grows', () => {
    const told = toldOf([begin('a'), { kind: 'run-ended', outcome: 'failed', reason: 'x'.repeat(9_000) }]);
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
    expect(told.at(-1)?.values.because?.length).toBeLessThan(2_010);
  });

  test('are a function of the journal: told again from any place on, they are the same', () => {
    const facts = [
      approved(NEED),
      begin('a'),
      done('a'),
      begin('b'),
      ended('mixed'),
      { kind: 'resumed', by: BY } as const,
      begin('b', 2),
      ended('succeeded'),
    ];
    const whole = toldOf(facts, NEED);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: facts.length }), (cut) => {
        expect(whole.slice(0, toldOf(facts.slice(0, cut), NEED).length)).toEqual(toldOf(facts.slice(0, cut), NEED));
      }),
    );
  });
});

describe('what a proposal is to people', () => {
  const alert = (name: string): Proposal['alerts'][number] => ({
    source: 'alertmanager',
    name,
    stack: 'shop',
    status: 'firing',
    groupKey: 'g',
    fingerprint: name,
    startsAt: '2026-01-01T00:00:00Z',
    labels: {},
  });
  const proposal: Proposal = {
    id: 'p1',
    stack: 'shop',
    createdAt: '2026-01-01T00:00:00.000Z',
    alerts: [alert('HighErrorRate'), alert('ServiceDown'), alert('ServiceDown')],
    mode: 'propose',
    target: 'known-good',
    state: 'planning',
  };

  const decidedAt = '2026-01-01T00:01:00.000Z';

  test('nothing while its plan is made', () => {
    expect(tellingOfProposal(proposal, [])).toBeUndefined();
  });

  test('open: because of which alerts, each named once, and why it is not done at once', () => {
    const plan = digestOf('plan');
    expect(
      tellingOfProposal({ ...proposal, state: 'open', plan, because: 'the stack asks a person' }, []),
    ).toMatchObject({
      id: 'p1:0001:proposal.opened',
      subject: 'p1',
      effect: 'opens',
      values: {
        alerts: 'HighErrorRate, ServiceDown',
        to: 'known-good',
        plan: plan.slice(7, 19),
        because: 'the stack asks a person',
      },
    });
  });

  test('open without a plan: why none could be made', () => {
    const problem = { code: 'TARGET_MISSING', message: 'There is no known good snapshot.', next: 'Capture one.' };
    expect(tellingOfProposal({ ...proposal, state: 'open', problem }, [])?.values).toMatchObject({
      because: 'There is no known good snapshot.',
      next: 'Capture one.',
    });
  });

  test.each(['started', 'dismissed', 'settled', 'expired'] as const)('%s: closed, by whom and why', (state) => {
    const told = [{ notice: 'proposal.opened', at: proposal.createdAt }] as const;
    expect(tellingOfProposal({ ...proposal, state, by: 'lea', because: 'seen', decidedAt }, told)).toMatchObject({
      id: 'p1:0002:proposal.closed',
      at: decidedAt,
      effect: 'closes',
      values: { outcome: state, by: 'lea', because: 'seen' },
    });
  });

  test('what is known already is not told again; what is opened anew is, behind what was told before', () => {
    const opened = { notice: 'proposal.opened', at: proposal.createdAt } as const;
    const closed = { notice: 'proposal.closed', at: decidedAt } as const;
    const open: Proposal = { ...proposal, state: 'open' };
    expect(tellingOfProposal(open, [opened])).toBeUndefined();
    expect(tellingOfProposal({ ...proposal, state: 'dismissed' }, [opened, closed])).toBeUndefined();
    expect(tellingOfProposal(open, [opened, closed])).toMatchObject({
      id: 'p1:0003:proposal.opened',
      at: '2026-01-01T00:01:00.001Z',
    });
  });
});
