import { describe, expect, it, test } from 'vitest';
import { NOTICES } from '../../src/model/index.ts';
import type { Drill } from '../../src/service/drills.ts';
import type { Delivery as Owed } from '../../src/service/notify/delivery.ts';
import type { Delivery, ScheduleView } from '../../src/web/types.ts';
import {
  deedInWords,
  deliveriesAgainMs,
  deliveryInWords,
  drillInWords,
  drillsAgainMs,
  noticeInWords,
  proofsOf,
  schedulesAgainMs,
  standingOf,
  toldInShort,
} from '../../src/web/upkeep.ts';
import { everyInWords, toneOf } from '../../src/web/words.ts';
import { DELIVERIES, DRILLS, PROVEN, SCHEDULES, STORES } from './support/story-stack.ts';

const NOW = Date.parse('2026-11-21T03:00:00Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();
const schedule = (more: Partial<ScheduleView>): ScheduleView => ({
  name: 'nightly',
  do: 'capture',
  everyMs: 86_400_000,
  isFiring: false,
  ...more,
});

describe('a schedule', () => {
  it.each([
    [{}, 'unseen', 60_000],
    [{ nextAt: at(3_600) }, 'ahead', 60_000],
    [{ nextAt: at(20) }, 'ahead', 25_000],
    [{ nextAt: at(-1) }, 'overdue', 5_000],
    [{ nextAt: at(3_600), isFiring: true }, 'at work', 5_000],
  ] as const)('with %j is %s, and is read again after %i ms', (more, standing, ms) => {
    expect(standingOf(schedule(more), NOW)).toBe(standing);
    expect(schedulesAgainMs([schedule({ nextAt: at(3_600) }), schedule(more)], NOW)).toBe(ms);
  });

  it('that is not there is not asked for', () => expect(schedulesAgainMs([], NOW)).toBeUndefined());

  it.each([
    [86_400_000, 'every day'],
    [30 * 86_400_000, 'every 30 days'],
    [60_000, 'every 1 min'],
    [6 * 3_600_000, 'every 6 h'],
  ])('of %i ms is done %s', (ms, said) => expect(everyInWords(ms)).toBe(said));

  it('says what it does, also one that this page does not know', () => {
    expect(SCHEDULES.map(({ do: deed }) => deedInWords(deed))).toEqual([
      'captures the stack',
      'proves the newest backup',
      'removes what is past its retention',
    ]);
    expect(deedInWords('dust')).toBe('dust');
  });
});

describe('drills', () => {
  it('say of each store when it was last proven, and how it went since', () => {
    const [orders, sessions] = proofsOf(STORES, DRILLS);
    expect([orders?.last?.state, orders?.proven?.startedAt]).toEqual(['failed', DRILLS[1]?.startedAt]);
    // Nobody tried: that is neither good nor bad.
    expect(sessions).toEqual({ store: 'sessions', kind: 'redis' });
  });

  it.each([
    ['running', undefined, undefined],
    ['proven', PROVEN, 'restored beside: 81204 rows in 31 tables'],
    ['failed', DRILLS[0]?.result, 'The backup orders-20261108 does not have the digest of its manifest.'],
    ['failed', { kind: 'Backup', proofs: 'none' }, undefined],
    ['lost', undefined, 'its process ended without a word'],
  ] as const)('that are %s with %j say %s', (state, result, said) =>
    expect(drillInWords({ state, result })).toBe(said),
  );

  it('are read again soon while one is at work', () => {
    expect(drillsAgainMs(DRILLS)).toBe(60_000);
    expect(drillsAgainMs([{ ...DRILLS[0]!, state: 'running' }, ...DRILLS])).toBe(5_000);
  });
});

describe('deliveries', () => {
  it('are counted by what became of them', () => {
    expect(toldInShort(DELIVERIES)).toBe('2 told, 1 not told, 1 owed');
    expect(toldInShort([{ state: 'given-up' }, { state: 'sending' }, { state: 'withdrawn' }])).toBe(
      '1 not told, 1 owed, 1 withdrawn',
    );
    expect(toldInShort([])).toBe('');
  });

  it('say why, and how often it was tried', () => {
    expect(DELIVERIES.map(deliveryInWords)).toEqual(['', '', 'audit answers 410', 'tickets answers 503 · 3 attempts']);
    expect(NOTICES.map(noticeInWords).filter((words) => words.includes('.'))).toEqual([]);
  });

  const due = (seconds: number): Delivery => ({ ...DELIVERIES[3]!, dueAt: at(seconds) });
  it.each([
    ['none, of a run that is over', [], false, undefined],
    ['none, of a run at work', [], true, 10_000],
    ['one that is due at once', [due(-3), due(40)], false, 5_000],
    ['one that is due in 40 s', [due(40), due(50)], true, 40_000],
    ['one that is due in an hour', [due(3_600)], false, 60_000],
    ['what was told', DELIVERIES.slice(0, 3), false, undefined],
  ] as const)('are read again: %s', (_, items, isLive, ms) => expect(deliveriesAgainMs(items, isLive, NOW)).toBe(ms));
});

test('every state has a look, and what is not known is not good', () => {
  const drills: Readonly<Record<Drill['state'], string>> = {
    running: 'busy',
    proven: 'good',
    failed: 'bad',
    lost: 'bad',
  };
  const owed: Readonly<Record<Owed['state'], string>> = {
    due: 'warn',
    sending: 'busy',
    delivered: 'good',
    refused: 'bad',
    'given-up': 'bad',
    withdrawn: 'quiet',
  };
  for (const [state, tone] of Object.entries({ ...drills, ...owed }))
    expect([state, toneOf(state)]).toEqual([state, tone]);
  expect([toneOf('disturbed'), toneOf('unmeasured'), toneOf('quiet')]).toEqual(['bad', 'unknown', 'good']);
});
