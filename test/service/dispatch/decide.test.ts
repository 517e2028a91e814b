import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, type JournalFact, type RunState } from '../../../src/journal/index.ts';
import type { ApprovalNeed } from '../../../src/model/index.ts';
import { CLAIM_MS, type Claim } from '../../../src/service/dispatch/claim.ts';
import { type Act, decideClaim, QUEUE_MS, settled } from '../../../src/service/dispatch/decide.ts';
import { crowdedBy, type Sight } from '../../../src/service/dispatch/sight.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { journalOf } from '../../support/journal.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (ms: number): string => new Date(T0 + ms).toISOString();
const NEED: ApprovalNeed = { severity: 'SEV-2', roles: ['cto'], when: 'before', count: 1, expiresMs: 3_600_000 };
const BEGUN: JournalFact = { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 };
const MARK = { machine: 'm1', pid: 7, started: 70, since: 1, done: 0 };

function stateOf(more: readonly JournalFact[] = [], need?: ApprovalNeed, run = 'r1', undoes?: string): RunState {
  const plan = aPlan({ steps: [aStep('a', 'frozen')], ...(need === undefined ? {} : { approval: need }) });
  const abandons = undoes === undefined ? {} : { abandons: { run: undoes, reason: 'undone' } };
  return fold(journalOf([{ kind: 'run-created', plan, by: { user: 'ada', host: 'desk' }, ...abandons }, ...more], run));
}

const approvedBy = (user: string, decision: 'approved' | 'denied' = 'approved'): JournalFact => ({
  kind: 'approval',
  decision,
  plan: aPlan({ steps: [aStep('a', 'frozen')], approval: NEED }).hash,
  by: { user, host: 'desk' },
  role: 'cto',
});

const mine = (ms = 0): Claim['owner'] => ({ service: 'me', host: 'm1', until: at(ms + CLAIM_MS) });
const theirs = (ms = 0): Claim['owner'] => ({ service: 'them', host: 'm2', until: at(ms + CLAIM_MS) });

function claimOf({ owner, ...part }: Partial<Claim> = {}, by: Claim['owner'] = mine()): Claim {
  const whose = owner ?? by;
  return {
    stack: 'medical-kg',
    by: 'anna',
    askedAt: at(0),
    failures: 0,
    ...(whose === undefined ? {} : { owner: whose }),
    ...part,
  };
}

const NOBODYS: Claim = { stack: 'medical-kg', by: 'anna', askedAt: at(0), failures: 0 };

function sightOf(part: Partial<Sight> = {}): Sight {
  return { run: 'r1', claim: claimOf(), state: stateOf(), process: 'none', ...part };
}

const decided = (sight: Sight, ms = 1_000, crowded?: string): Act =>
  decideClaim(sight, { self: 'me', now: T0 + ms, crowded });

const cancel = { by: 'bo', reason: 'not now', at: at(0) };

describe('what a service does about a claimed run', () => {
  test.each<[string, Partial<Sight>, number, string]>([
    ['begins what is ready', {}, 1_000, 'start'],
    [
      'takes what nobody has',
      { claim: { ...claimOf(), owner: theirs(-CLAIM_MS) as NonNullable<Claim['owner']> } },
      1_000,
      'claim',
    ],
    ['leaves what another one has', { claim: claimOf({}, theirs()) }, 1_000, 'leave'],
    ['takes it when the other one says nothing more', { claim: claimOf({}, theirs()) }, CLAIM_MS, 'claim'],
    [
      'takes it at once when it sees that the other one is gone',
      { claim: claimOf({}, theirs()), isOwnerGone: true },
      1_000,
      'claim',
    ],
    ['renews in good time what it begins', {}, CLAIM_MS / 3, 'claim'],
    ['drops what is over', { state: stateOf([{ kind: 'run-ended', outcome: 'succeeded' }]) }, 1_000, 'forget'],
    [
      'drops what ended mixed: a person goes on',
      { state: stateOf([BEGUN, { kind: 'run-ended', outcome: 'mixed' }]) },
      1_000,
      'forget',
    ],
    [
      'goes on with what had ended mixed when it was asked for',
      { state: stateOf([BEGUN, { kind: 'run-ended', outcome: 'mixed' }]), claim: claimOf({ endedAt: at(2_000) }) },
      3_000,
      'start',
    ],
    ['waits for the first entry', { state: undefined }, 59_999, 'leave'],
    ['drops a claim whose run was never written', { state: undefined }, 60_000, 'forget'],
    ['waits for an approval', { state: stateOf([], NEED) }, 1_000, 'leave'],
    ['begins what is approved', { state: stateOf([approvedBy('bo')], NEED) }, 2_000, 'start'],
    ['ends what is denied', { state: stateOf([approvedBy('bo', 'denied')], NEED) }, 2_000, 'end-unapproved'],
    [
      'ends what was not approved in time',
      { state: stateOf([], NEED), claim: claimOf({}, mine(NEED.expiresMs)) },
      NEED.expiresMs,
      'end-unapproved',
    ],
    ['ends what was cancelled before it began', { cancel }, 1_000, 'end'],
    ['ends what could not begin for too long', { claim: claimOf({}, mine(QUEUE_MS)) }, QUEUE_MS, 'end'],
    ['tries later what just failed', { claim: claimOf({ notBefore: at(5_000) }) }, 1_000, 'leave'],
    ['tries again then', { claim: claimOf({ notBefore: at(3_000) }) }, 3_000, 'start'],
    ['ends what is stuck before it began', { claim: claimOf({ stuck: true }) }, 1_000, 'end'],
    [
      'leaves what is stuck half way to a person',
      { claim: claimOf({ stuck: true }), state: stateOf([BEGUN]) },
      1_000,
      'leave',
    ],
    ['leaves a process at work', { claim: claimOf({ process: MARK }), process: 'at work' }, 1_000, 'leave'],
    ['reads what a process said that is gone', { claim: claimOf({ process: MARK }), process: 'gone' }, 1_000, 'settle'],
    [
      'waits while one on another machine writes',
      { claim: claimOf({ process: MARK }), process: 'elsewhere', state: stateOf([BEGUN]) },
      1_000,
      'leave',
    ],
    [
      'takes over when it has been silent for as long as a lease lasts',
      { claim: claimOf({ process: MARK }, mine(30_000)), process: 'elsewhere', state: stateOf([BEGUN]) },
      31_000,
      'settle',
    ],
    ['goes on with what was cut off', { state: stateOf([BEGUN]) }, 1_000, 'start'],
    [
      'stops a process that listens',
      { claim: claimOf({ process: MARK }), process: 'at work', state: stateOf([BEGUN]), cancel },
      1_000,
      'stop',
    ],
    [
      'waits for a process that does not listen yet',
      { claim: claimOf({ process: MARK }), process: 'at work', cancel },
      1_000,
      'leave',
    ],
    [
      'tells a process once',
      { claim: claimOf({ process: { ...MARK, told: true } }), process: 'at work', state: stateOf([BEGUN]), cancel },
      1_000,
      'leave',
    ],
  ])('%s', (_name, part, ms, kind) => {
    expect(decided(sightOf(part), ms).kind).toBe(kind);
  });

  test('waits while there is no room, and at the longest until nobody waits for it any more', () => {
    expect(decided(sightOf(), 1_000, '2 runs are at work')).toEqual({
      kind: 'leave',
      because: '2 runs are at work',
      until: T0 + QUEUE_MS,
    });
  });

  test('keeps its claim while there is a process to watch, and only then', () => {
    const watching = sightOf({ claim: claimOf({ process: MARK }), process: 'at work' });
    expect(decided(watching)).toMatchObject({ kind: 'leave', until: T0 + CLAIM_MS / 3 });
    expect(decided(watching, CLAIM_MS).kind).toBe('claim');
    const waiting = sightOf({ claim: NOBODYS, state: stateOf([], NEED) });
    expect(decided(waiting, CLAIM_MS)).toMatchObject({ kind: 'leave', until: T0 + NEED.expiresMs });
  });

  test('says who cancelled it, and why', () => {
    expect(decided(sightOf({ cancel }))).toMatchObject({ outcome: 'cancelled', reason: 'cancelled by bo: not now' });
  });

  test('says what kept it from beginning', () => {
    const problem = { code: 'KEY_MISSING', message: 'set SIGN', isFinal: true } as const;
    expect(decided(sightOf({ claim: claimOf({ stuck: true, problem }) }))).toEqual({
      kind: 'end',
      outcome: 'failed',
      code: 'KEY_MISSING',
      reason: 'could not begin: set SIGN',
    });
  });
});

describe('a process that ended', () => {
  const process = MARK;
  const held = { code: 'LEASE_HELD', message: 'held' };
  test.each<[string, Partial<Claim>, Parameters<typeof settled>[1], Partial<Claim>]>([
    [
      'at its first failure',
      {},
      { problem: undefined, done: 0, seen: true, now: T0 },
      { failures: 1, notBefore: at(2_000) },
    ],
    [
      'at its third',
      { failures: 2 },
      { problem: undefined, done: 0, seen: true, now: T0 },
      { failures: 3, notBefore: at(15_000) },
    ],
    [
      'that came further',
      { failures: 5 },
      { problem: undefined, done: 1, seen: true, now: T0 },
      { failures: 1, notBefore: at(2_000) },
    ],
    [
      'at its last',
      { failures: 6 },
      { problem: undefined, done: 0, seen: true, now: T0 },
      { failures: 7, stuck: true },
    ],
    [
      'because another has the stack',
      { failures: 6 },
      { problem: held, done: 0, seen: true, now: T0 },
      { failures: 6, notBefore: at(30_000) },
    ],
    [
      'for a reason that stays',
      {},
      { problem: { code: 'USAGE', message: 'no', isFinal: true }, done: 0, seen: true, now: T0 },
      { failures: 1, stuck: true },
    ],
    ['where nobody saw it', { failures: 3 }, { problem: undefined, done: 0, seen: false, now: T0 }, { failures: 0 }],
  ])('%s', (_name, part, ending, expected) => {
    const { process: left, ...claim } = settled(claimOf({ ...part, process, notBefore: at(-1) }), ending);
    expect(left).toBeUndefined();
    expect(claim).toMatchObject(expected);
    expect('stuck' in claim).toBe('stuck' in expected);
    expect('notBefore' in claim).toBe('notBefore' in expected);
  });
});

describe('room', () => {
  const other = (part: Partial<Sight>): Sight => sightOf({ run: 'r0', state: stateOf([], undefined, 'r0'), ...part });
  const around = { self: 'me', now: T0 + 1_000, limits: { runs: 2 } };
  const elsewhere = (run: string): Sight =>
    other({ run, claim: claimOf({ stack: `of-${run}`, process: MARK }), process: 'at work' });

  test.each<[string, readonly Sight[], boolean]>([
    ['alone', [], true],
    ['after one that came first', [other({})], false],
    ['before one that came later', [other({ run: 'r2', state: stateOf([], undefined, 'r2') })], true],
    ['beside one that waits for people', [other({ state: stateOf([], NEED, 'r0') })], true],
    [
      'beside one that is over',
      [other({ state: stateOf([{ kind: 'run-ended', outcome: 'failed' }], undefined, 'r0') })],
      true,
    ],
    [
      'after one that has begun, though it came later',
      [other({ run: 'r2', state: stateOf([BEGUN], undefined, 'r2') })],
      false,
    ],
    [
      'after one that is stuck half way',
      [other({ state: stateOf([BEGUN], undefined, 'r0'), claim: claimOf({ stuck: true }) })],
      false,
    ],
    ['beside one of another stack', [other({ claim: claimOf({ stack: 'shop' }) })], true],
    ['beside one that is at work', [elsewhere('r8')], true],
    ['beside as many as there may be', [elsewhere('r8'), elsewhere('r9')], false],
  ])('%s', (_name, others, hasRoom) => {
    const sight = sightOf();
    expect(crowdedBy(sight, [sight, ...others], around) === undefined).toBe(hasRoom);
  });

  test('the undo of a run that is stuck goes before it', () => {
    const stuck = other({ state: stateOf([BEGUN], undefined, 'r0'), claim: claimOf({ stuck: true }) });
    expect(crowdedBy(sightOf({ state: stateOf([], undefined, 'r1', 'r0') }), [stuck], around)).toBeUndefined();
  });
});

describe('whatever is seen', () => {
  const facts = fc.constantFrom<readonly JournalFact[]>(
    [],
    [BEGUN],
    [approvedBy('bo')],
    [approvedBy('bo', 'denied')],
    [BEGUN, { kind: 'run-ended', outcome: 'mixed' }],
    [{ kind: 'run-ended', outcome: 'failed' }],
  );
  const sights: fc.Arbitrary<Sight> = fc
    .record({
      facts,
      need: fc.constantFrom(undefined, NEED),
      owner: fc.constantFrom(undefined, 'me', 'them'),
      untilMs: fc.integer({ min: -60_000, max: 60_000 }),
      process: fc.constantFrom<Sight['process']>('none', 'at work', 'gone', 'elsewhere'),
      failures: fc.integer({ min: 0, max: 7 }),
      notBeforeMs: fc.option(fc.integer({ min: -60_000, max: 60_000 }), { nil: undefined }),
      stuck: fc.boolean(),
      isCancelled: fc.boolean(),
    })
    .map(({ facts: more, need, owner, untilMs, process, failures, notBeforeMs, stuck, isCancelled }) => ({
      run: 'r1',
      state: stateOf(more, need),
      process,
      claim: {
        stack: 'medical-kg',
        by: 'anna',
        askedAt: at(0),
        failures,
        ...(owner === undefined ? {} : { owner: { service: owner, host: owner, until: at(untilMs) } }),
        ...(process === 'none' ? {} : { process: MARK }),
        ...(notBeforeMs === undefined ? {} : { notBefore: at(notBeforeMs) }),
        ...(stuck ? { stuck: true as const } : {}),
      },
      ...(isCancelled ? { cancel } : {}),
    }));

  test('it never starts what is at work, over, stuck, undecided, another’s, or not allowed yet', () => {
    fc.assert(
      fc.property(sights, fc.integer({ min: 0, max: 2 * QUEUE_MS }), (sight, ms) => {
        if (decided(sight, ms).kind !== 'start') return;
        const { claim, state, process } = sight;
        expect(process).toBe('none');
        expect(claim.owner?.service).toBe('me');
        expect(Date.parse(claim.owner?.until ?? '')).toBeGreaterThan(T0 + ms);
        expect(claim.stuck).toBeUndefined();
        expect(state?.ended?.outcome).not.toBe('failed');
        if (claim.notBefore !== undefined) expect(Date.parse(claim.notBefore)).toBeLessThanOrEqual(T0 + ms);
        const begun = [...(state?.steps.values() ?? [])].some(({ attempts }) => attempts > 0);
        if (begun) return;
        expect(sight.cancel).toBeUndefined();
        if (state?.plan.approval !== undefined) expect(state.approvals.length).toBeGreaterThan(0);
      }),
    );
  });

  test('what it leaves it looks at again in time: for a change it is told of, or at a moment to come', () => {
    fc.assert(
      fc.property(sights, fc.integer({ min: 0, max: 2 * QUEUE_MS }), (sight, ms) => {
        const act = decided(sight, ms);
        if (act.kind !== 'leave') return;
        if (act.until === undefined) expect(sight.claim.stuck).toBe(true);
        else expect(act.until).toBeGreaterThan(T0 + ms);
      }),
    );
  });
});
