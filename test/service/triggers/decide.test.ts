import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Alert } from '../../../src/model/index.ts';
import {
  decide,
  type Decision,
  type PastRun,
  PROPOSAL_EXPIRES_MS,
  refusalOf,
  type SeenAlert,
  type Situation,
} from '../../../src/service/triggers/decide.ts';
import { alertKey } from '../../../src/service/triggers/records.ts';
import { alertOf, at, MINUTE, POLICY, T0 } from './alerts.ts';

function seen(receivedMs: number, part: Partial<Alert> = {}, resolvedMs?: number): SeenAlert {
  const alert = alertOf(part);
  return {
    key: alertKey(alert),
    alert,
    receivedAt: T0 + receivedMs,
    ...(resolvedMs === undefined ? {} : { resolvedAt: T0 + resolvedMs }),
  };
}

function after(ms: number, part: Partial<Situation> = {}): Decision {
  return decide({ now: T0 + ms, policy: POLICY, pending: [], runs: [], ...part });
}

function run(part: Partial<PastRun> = {}): PastRun {
  return { run: 'r1', startedAt: T0 - 10 * MINUTE, endedAt: T0 - 9 * MINUTE, isMixed: false, isAnswer: true, ...part };
}

const kinds = ({ moves }: Decision): readonly string[] => moves.map(({ kind }) => kind);
const open = (alerts: readonly SeenAlert[], createdMs = 0): NonNullable<Situation['open']> => ({
  proposal: { id: 'p-1', createdAt: at(createdMs) },
  alerts,
});

describe('an alert that comes', () => {
  test.each([
    ['now', 0, undefined],
    ['as late as may be', 15 * MINUTE, undefined],
    ['later', 15 * MINUTE + 1, 'it began 15 min ago, which is more than 15 min'],
    ['before its time, by another clock', -5 * MINUTE, undefined],
  ])('%s', (_name, age, because) => {
    expect(refusalOf(alertOf(), POLICY, T0 + age)).toBe(because);
  });
});

describe('alerts about which nothing was decided', () => {
  test.each<[string, number, Partial<Situation>, readonly string[], number | undefined]>([
    ['none', 0, {}, [], undefined],
    ['one that has not settled', 29_999, { pending: [seen(0)] }, [], 30_000],
    ['one that has', 30_000, { pending: [seen(0)] }, ['propose'], undefined],
    [
      'a second one begins the settling again',
      30_000,
      { pending: [seen(0), seen(20_000, { fingerprint: 'f2' })] },
      [],
      50_000,
    ],
    [
      'a storm that does not end is proposed all the same',
      300_000,
      { pending: [seen(0), seen(299_000, { fingerprint: 'f2' })] },
      ['propose'],
      undefined,
    ],
    ['one that was over before it settled', 10_000, { pending: [seen(0, {}, 5_000)] }, ['settle'], undefined],
    [
      'one that is over and one that goes on',
      30_000,
      { pending: [seen(0, {}, 5_000), seen(0, { fingerprint: 'f2' })] },
      ['settle', 'propose'],
      undefined,
    ],
    ['one that nobody dealt with in time', 16 * MINUTE, { pending: [seen(0)] }, ['ignore'], undefined],
    [
      'one that joins what is open',
      1_000,
      { pending: [seen(0)], open: open([seen(0)]) },
      ['join'],
      PROPOSAL_EXPIRES_MS,
    ],
  ])('%s', (_name, now, part, expected, again) => {
    const decision = after(now, part);
    expect(kinds(decision)).toEqual(expected);
    expect(decision.again).toBe(again === undefined ? undefined : T0 + again);
  });

  test.each<[string, readonly PastRun[], string | undefined]>([
    ['no run', [], undefined],
    ['a run that works', [run({ endedAt: undefined } as never)], 'run r1 is not over'],
    ['a run that ended half way', [run({ isMixed: true })], 'ended half way, and a person has to go on'],
    [
      'one that ended half way and a later one that made it good',
      [
        run({ isMixed: true, isAnswer: false }),
        run({ run: 'r2', startedAt: T0 - 40 * MINUTE, endedAt: T0 - 39 * MINUTE }),
        run({ run: 'r3', startedAt: T0 - 5 * MINUTE, endedAt: T0 - 4 * MINUTE, isAnswer: false }),
      ],
      undefined,
    ],
    ['a rollback a moment ago', [run()], 'run r1 ended at 2026-03-01T09:51:00.000Z: alerts start nothing for 30 min'],
    ['a rollback long ago', [run({ endedAt: T0 - 31 * MINUTE })], undefined],
    ['a release a moment ago', [run({ isAnswer: false })], undefined],
    [
      'a rollback that is quiet behind a release',
      [run({ run: 'r0' }), run({ run: 'r9', startedAt: T0 - MINUTE, endedAt: T0 - 1, isAnswer: false })],
      'run r0 ended at',
    ],
  ])('after %s', (_name, runs, because) => {
    const decision = after(30_000, {
      pending: [seen(0)],
      runs: runs.map(({ endedAt, ...rest }) => (endedAt === undefined ? rest : { ...rest, endedAt })),
    });
    if (because === undefined) expect(kinds(decision)).toEqual(['propose']);
    else
      expect(decision.moves).toEqual([
        expect.objectContaining({ kind: 'ignore', because: expect.stringContaining(because) }),
      ]);
  });
});

describe('an open proposal', () => {
  test.each<[string, number, readonly SeenAlert[], readonly PastRun[], string | undefined, number | undefined]>([
    ['stays while an alert fires', 60_000, [seen(0)], [], undefined, PROPOSAL_EXPIRES_MS],
    [
      'stays while one of two fires',
      60_000,
      [seen(0, {}, 1_000), seen(0, { fingerprint: 'f2' })],
      [],
      undefined,
      PROPOSAL_EXPIRES_MS,
    ],
    ['waits whether it is over for good', 60_000, [seen(0, {}, 59_000)], [], undefined, 89_000],
    ['is settled when it is', 89_000, [seen(0, {}, 59_000)], [], 'settled', 89_000],
    [
      'expires with a run of the stack',
      60_000,
      [seen(0)],
      [run({ run: 'other', startedAt: T0 + 1_000, endedAt: T0 + 2_000 })],
      'expired',
      60_000,
    ],
    ['does not with an earlier one', 60_000, [seen(0)], [run()], undefined, PROPOSAL_EXPIRES_MS],
    ['expires after a day', PROPOSAL_EXPIRES_MS, [seen(0)], [], 'expired', PROPOSAL_EXPIRES_MS],
  ])('%s', (_name, now, alerts, runs, state, again) => {
    const decision = after(now, { open: open(alerts), runs });
    expect(decision.moves).toEqual(
      state === undefined ? [] : [expect.objectContaining({ kind: 'close', proposal: 'p-1', state })],
    );
    expect(decision.again).toBe(again === undefined ? undefined : T0 + again);
  });

  test('outlives the run that it names itself', () => {
    const own = run({ run: 'mine', startedAt: T0 + 1_000, endedAt: T0 + 2_000 });
    const { moves } = after(60_000, {
      open: { proposal: { id: 'p-1', createdAt: at(0), run: 'mine' }, alerts: [seen(0)] },
      runs: [own],
    });
    expect(moves).toEqual([]);
  });
});

describe('whatever comes', () => {
  const alerts = fc.uniqueArray(
    fc.record({
      fingerprint: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      received: fc.integer({ min: 0, max: 20 * MINUTE }),
      resolved: fc.option(fc.integer({ min: 0, max: 20 * MINUTE }), { nil: undefined }),
    }),
    { selector: ({ fingerprint }) => fingerprint, maxLength: 6 },
  );
  const runs = fc.array(
    fc.record({
      run: fc.constantFrom('r1', 'r2', 'r3'),
      startedAt: fc.integer({ min: T0 - 60 * MINUTE, max: T0 + 20 * MINUTE }),
      lasted: fc.option(fc.integer({ min: 0, max: 10 * MINUTE }), { nil: undefined }),
      isMixed: fc.boolean(),
      isAnswer: fc.boolean(),
    }),
    { maxLength: 3 },
  );
  const situation = fc
    .record({ alerts, runs, now: fc.integer({ min: 0, max: 40 * MINUTE }), isOpen: fc.boolean() })
    .map(
      ({ alerts: all, runs: past, now, isOpen }): Situation => ({
        now: T0 + now,
        policy: POLICY,
        pending: all
          .filter(({ received }) => received <= now)
          .map(({ fingerprint, received, resolved }) => seen(received, { fingerprint }, resolved)),
        runs: past.map(({ lasted, ...rest }) =>
          lasted === undefined ? rest : { ...rest, endedAt: rest.startedAt + lasted },
        ),
        ...(isOpen ? { open: open([seen(0)]) } : {}),
      }),
    );

  test('the order in which alerts and runs are listed decides nothing', () => {
    fc.assert(
      fc.property(situation, fc.integer(), (given, seed) => {
        const shuffled = <T>(list: readonly T[]): readonly T[] =>
          list.toSorted((a, b) => digit(JSON.stringify(a), seed) - digit(JSON.stringify(b), seed));
        // Two runs that one cannot be told from the other are no case of this.
        fc.pre(new Set(given.runs.map(({ run: id, startedAt }) => `${id} ${startedAt}`)).size === given.runs.length);
        const same = decide({ ...given, pending: shuffled(given.pending), runs: shuffled(given.runs) });
        expect(same).toEqual(decide(given));
      }),
    );
  });

  test('every alert is moved once at most, and there is one proposal at most', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { moves } = decide(given);
        const moved = moves.flatMap((move) => ('alerts' in move ? move.alerts.map(({ key }) => key) : []));
        expect(new Set(moved).size).toBe(moved.length);
        expect(moves.filter(({ kind }) => kind === 'propose').length).toBeLessThanOrEqual(
          given.open === undefined ? 1 : 0,
        );
      }),
    );
  });

  test('nothing is proposed while a run works, or for what is over', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const asked = decide(given).moves.filter((move) => move.kind === 'propose' || move.kind === 'join');
        const works = given.runs.some(({ endedAt }) => endedAt === undefined);
        if (works) expect(asked).toEqual([]);
        for (const move of asked) for (const { resolvedAt } of move.alerts) expect(resolvedAt).toBeUndefined();
      }),
    );
  });

  test('what waits is decided at the time that is named, and the time has not passed', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const { moves, again } = decide(given);
        if (moves.length > 0 || again === undefined) return;
        expect(again).toBeGreaterThan(given.now);
        expect(decide({ ...given, now: again }).moves).not.toEqual([]);
      }),
    );
  });
});

function digit(text: string, seed: number): number {
  let sum = seed | 0;
  for (const char of text) sum = (Math.imul(sum, 31) + char.charCodeAt(0)) | 0;
  return sum;
}
