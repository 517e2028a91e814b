import fc from 'fast-check';
import { describe, expect, expectTypeOf, it, test } from 'vitest';
import type { ApprovalSeen, PendingApproval } from '../../src/actions/approve.ts';
import type { PastRun } from '../../src/actions/history.ts';
import type { SnapshotRow } from '../../src/actions/snapshots.ts';
import type { StatsResult } from '../../src/actions/stats.ts';
import { spell as spellReport } from '../../src/actions/report/words.ts';
import { ACCESS_ROLES, OUTCOMES, PHASES } from '../../src/model/index.ts';
import { mayDo } from '../../src/service/access/may.ts';
import type { Drill } from '../../src/service/drills.ts';
import type { DeliveryView } from '../../src/service/notify/index.ts';
import type { RunView } from '../../src/service/run-view.ts';
import type { ScheduleView } from '../../src/service/schedules/records.ts';
import type { Comparison } from '../../src/service/stacks/compare.ts';
import type { LiveStack } from '../../src/service/stacks/live.ts';
import type { StackDetail } from '../../src/service/stacks/view.ts';
import {
  byUrgency,
  chartInWords,
  choicesOf,
  expectedOf,
  figureOf,
  lossesOf,
  mayAct,
  namesOf,
  safeLink,
} from '../../src/web/derive.ts';
import { EDGE, kindOf, placed, WIDTH } from '../../src/web/places.ts';
import { parseRoute, to } from '../../src/web/routes.ts';
import { PHASES as PAGE_PHASES } from '../../src/web/run-parts.ts';
import type * as page from '../../src/web/types.ts';
import { ago, clock, keyInWords, spell, toneOf } from '../../src/web/words.ts';
import { HISTORY, PLAN, SNAPSHOTS } from './support/story.ts';

test('what the page reads is what the service answers: the compiler compares the two', () => {
  expectTypeOf<RunView>().toExtend<page.RunView>();
  expectTypeOf<StackDetail>().toExtend<page.StackDetail>();
  expectTypeOf<SnapshotRow>().toExtend<page.SnapshotRow>();
  expectTypeOf<PastRun>().toExtend<page.PastRun>();
  expectTypeOf<StatsResult>().toExtend<page.Stats>();
  expectTypeOf<PendingApproval>().toExtend<page.PendingApproval>();
  expectTypeOf<ApprovalSeen>().toExtend<page.Review>();
  expectTypeOf<Comparison>().toExtend<page.Compared>();
  expectTypeOf<LiveStack>().toExtend<page.LiveStack>();
  expectTypeOf<ScheduleView>().toExtend<page.ScheduleView>();
  expectTypeOf<Drill>().toExtend<page.Drill>();
  expectTypeOf<DeliveryView>().toExtend<page.Delivery>();
  expect(PAGE_PHASES).toEqual(PHASES);
});

describe('a word', () => {
  it('for each outcome has a look of its own kind, and one that nobody knows is unknown and not good', () => {
    const looks = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, toneOf(outcome)]));
    expect(Object.values(looks)).not.toContain('unknown');
    expect(OUTCOMES.filter((outcome) => looks[outcome] === 'good')).toEqual(['succeeded']);
    for (const word of ['unknown', 'glorious', undefined]) expect(toneOf(word)).toBe('unknown');
  });

  it('for a time is the one that reports use', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e8 }), (ms) => {
        expect(spell(ms)).toBe(spellReport(ms));
      }),
    );
  });

  it.each([
    [7_000, '0:07'],
    [760_000, '12:40'],
    [3_723_999, '1:02:03'],
    [-5, '0:00'],
  ])('of a clock at %i ms is %s', (ms, said) => expect(clock(ms)).toBe(said));

  it.each([
    [10_000, 'just now'],
    [240_000, '4 min ago'],
    [3 * 3_600_000, '3 h ago'],
    [-240_000, 'in 4 min'],
    [72 * 3_600_000, '3 days ago'],
  ])('for %i ms ago is "%s"', (ms, said) => expect(ago(new Date(1e12 - ms).toISOString(), 1e12)).toBe(said));

  it('for what is no time says so', () => expect(ago('soon', 0)).toBe('at an unknown time'));

  it('for an object leaves the group out', () => {
    expect(keyInWords('apps/Deployment/shop/gateway')).toBe('Deployment shop/gateway');
    expect(keyInWords('core/Namespace/-/shop')).toBe('Namespace shop');
  });
});

describe('an address of the page', () => {
  const name = fc.string({ minLength: 1, maxLength: 30 }).filter((text) => text.isWellFormed());
  it('leads back to what it was made from, whatever it is called', () => {
    fc.assert(
      fc.property(name, name, (one, other) => {
        expect(parseRoute(to.stack(one))).toEqual({ screen: 'stack', stack: one });
        expect(parseRoute(to.run(one))).toEqual({ screen: 'run', run: one });
        expect(parseRoute(to.plan(one))).toEqual({ screen: 'plan', hash: one });
        expect(parseRoute(to.proposal(one))).toEqual({ screen: 'proposal', id: one });
        expect(parseRoute(to.newPlan(one, other))).toEqual({ screen: 'new-plan', stack: one, target: other });
      }),
    );
  });

  it.each([
    ['', 'stacks'],
    ['#/', 'stacks'],
    ['#/runs', 'unknown'],
    ['#/stacks/a/b/c', 'unknown'],
    ['#/stacks/%E0%A4%A', 'stack'],
  ])('%j is the screen %s', (hash, screen) => expect(parseRoute(hash).screen).toBe(screen));
});

describe('snapshots on a line', () => {
  it('lie in the order of time, within the line, and never on each other while there is room', () => {
    const rows = fc.array(fc.integer({ min: 0, max: 1e9 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(rows, (minutes) => {
        const points = placed(
          minutes.map((minute) => ({ ...SNAPSHOTS[0]!, capturedAt: new Date(minute * 1_000).toISOString() })),
        );
        const xs = points.map(({ x }) => x);
        expect(points.map(({ row }) => row.capturedAt)).toEqual(points.map(({ row }) => row.capturedAt).toSorted());
        expect(Math.min(...xs)).toBeGreaterThanOrEqual(EDGE - 1e-6);
        expect(Math.max(...xs)).toBeLessThanOrEqual(WIDTH - EDGE + 1e-6);
        expect(xs.slice(1).every((x, i) => x - (xs[i] ?? 0) >= 26 - 1e-6)).toBe(true);
      }),
    );
  });

  it('are good only where it is known', () => {
    expect(SNAPSHOTS.map(kindOf)).toEqual(['held', 'good', 'unknown', 'good', 'good', 'fail']);
  });
});

describe('what is said of a plan', () => {
  it('names each loss once, and the time that earlier runs took', () => {
    expect(lossesOf({ ...PLAN, steps: [...PLAN.steps, ...PLAN.steps] })).toHaveLength(1);
    expect(
      lossesOf({ steps: [], scenarios: [{ store: 'a', scenario: 'C', because: '', loses: '3 rows', others: [] }] }),
    ).toEqual(['3 rows']);
    const [step] = PLAN.steps;
    const [short, long] = ['written since 3', 'public.a: 3 rows; written since 3'].map((dataLoss) => ({
      ...step!,
      dataLoss,
    }));
    expect(lossesOf({ steps: [short!, long!] })).toEqual([long!.dataLoss]);
    expect(expectedOf(PLAN.steps)).toEqual({ ms: 40_300, runs: 6 });
    expect(expectedOf([])).toBeUndefined();
  });

  it('offers the targets that are there, each once, the last known good first', () => {
    const values = choicesOf([
      ...SNAPSHOTS,
      { ...SNAPSHOTS[3]!, labels: ['gone'], removed: { because: 'retention' } },
    ]).map(([value]) => value);
    expect(values).toEqual(['known-good', 'v2.8.0', 'v2.7.4', 'v2.7.3', 'v2.7.0', '444444444444', '999999999999']);
  });

  it('names runs by their day, or by the time where all are of one', () => {
    const at = (...times: readonly string[]) => namesOf(times.map((startedAt) => ({ startedAt })));
    expect(at('2026-11-20T10:00:00Z', '2026-11-21T11:30:00Z')).toEqual(['11-20', '11-21']);
    expect(at('2026-11-21T10:00:00Z', '2026-11-21T11:30:00Z')).toEqual(['10:00', '11:30']);
  });

  it('says of the history what was measured, and what was not', () => {
    expect(chartInWords(HISTORY)).toBe(
      'Duration of 6 runs, the longest 2 min 8 s; the longest downtime 12.3 s; not measured in 1',
    );
  });
});

test('a link of an alert is followed only where it leads to a page', () => {
  expect(safeLink('https://runbooks.example/x')).toBe('https://runbooks.example/x');
  for (const bad of ['javascript:alert(1)', 'data:text/html,x', '/relative', undefined])
    expect(safeLink(bad)).toBeUndefined();
});

test('a measurement without a figure has none', () => {
  const result = { name: 'a', kind: 'http', verdict: 'pass', reason: '', at: '', durationMs: 1 } as const;
  expect(figureOf({ ...result, measured: { p95Ms: 12, averageMs: 7 } })).toEqual({ name: '95th percentile', ms: 12 });
  expect(figureOf({ ...result, measured: { p95Ms: 'many' } })).toBeUndefined();
  expect(figureOf(undefined)).toBeUndefined();
});

test('somebody is offered what the service would let them do', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '-', '.', '*'), maxLength: 6 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', '.'), minLength: 1, maxLength: 6 });
  const grant = fc.record({ role: fc.constantFrom(...ACCESS_ROLES), stacks: fc.array(word, { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 3 }), name, (grants, stack) => {
      const principal = { id: 'token:a', name: 'a', by: 'token', grants } as const;
      expect(mayAct({ principal }, stack)).toBe(mayDo(principal, 'act', stack));
    }),
  );
  expect(mayAct(undefined, 'a')).toBe(true);
});

test('stacks that want somebody stand first', () => {
  const stack = (name: string, more: object) => ({ name, namespaces: [], checks: 1, ...more });
  const all = [
    stack('c', { state: 'idle' }),
    stack('b', { state: 'waiting' }),
    stack('a', { problem: 'x' }),
    stack('d', { state: 'running' }),
  ];
  expect(all.toSorted(byUrgency).map(({ name }) => name)).toEqual(['a', 'b', 'd', 'c']);
});
