import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectationOf, type JournalFact, type RunFigure, statsOf } from '../../src/journal/index.ts';
import { expectedTotal, type Outcome } from '../../src/model/index.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;

const figure = (daysAgo: number, part: Partial<RunFigure> = {}): RunFigure => ({
  stack: 'medical-kg',
  trigger: 'person',
  scope: 'application',
  startedAt: new Date(NOW - daysAgo * DAY).toISOString(),
  outcome: 'succeeded',
  durationMs: 10_000,
  ...part,
});

describe('figures of past runs', () => {
  it('say nothing of nothing', () => {
    expect(statsOf([], { now: NOW, sinceMs: 90 * DAY, by: 'trigger' })).toMatchObject({
      all: { runs: 0, perWeek: 0, ended: 0, succeeded: 0 },
      groups: [],
    });
  });

  it('count by trigger, the most frequent first, and leave out what is older', () => {
    const runs = [
      figure(200),
      figure(28, { durationMs: 30_000, outcome: 'failed' }),
      figure(14, { trigger: 'alert', durationMs: 20_000, downMs: 4_000, unknownMs: 0 }),
      figure(7, { trigger: 'alert', durationMs: 10_000, downMs: 0, unknownMs: 500 }),
      figure(1, { trigger: 'alert', durationMs: 1_000, outcome: 'mixed' }),
    ];
    const { all, groups } = statsOf(runs, { now: NOW, sinceMs: 90 * DAY, by: 'trigger' });
    expect(all).toEqual({
      runs: 4,
      perWeek: 1,
      perMonth: (4 / 28) * 30,
      ended: 3,
      succeeded: 2,
      successRate: 2 / 3,
      duration: { mean: 20_000, median: 20_000, p95: 30_000 },
      downtime: { measured: 2, totalMs: 4_000, meanMs: 2_000, maxMs: 4_000 },
    });
    expect(groups.map(({ name, runs: count, successRate }) => [name, count, successRate])).toEqual([
      ['alert', 3, 1],
      ['person', 1, 0],
    ]);
  });

  it('do not make one run of yesterday seven a week', () => {
    expect(statsOf([figure(1)], { now: NOW, sinceMs: 90 * DAY, by: 'stack' }).all.perWeek).toBe(1);
  });

  it('hold for any runs', () => {
    const run = fc.record({
      daysAgo: fc.double({ min: 0, max: 120, noNaN: true }),
      trigger: fc.constantFrom('person' as const, 'alert' as const, 'pipeline' as const),
      outcome: fc.constantFrom<Outcome | 'unfinished'>('succeeded', 'failed', 'mixed', 'unfinished', 'returned'),
      durationMs: fc.integer({ min: 0, max: 3_600_000 }),
      downMs: fc.integer({ min: 0, max: 60_000 }),
    });
    fc.assert(
      fc.property(fc.array(run), (list) => {
        const runs = list.map(({ daysAgo, ...part }) => figure(daysAgo, part));
        const { all, groups } = statsOf(runs, { now: NOW, sinceMs: 90 * DAY, by: 'trigger' });
        expect(groups.reduce((sum, group) => sum + group.runs, 0)).toBe(all.runs);
        expect(groups.reduce((sum, group) => sum + group.succeeded, 0)).toBe(all.succeeded);
        expect(groups.reduce((sum, group) => sum + (group.downtime?.totalMs ?? 0), 0)).toBe(all.downtime?.totalMs ?? 0);
        if (all.duration === undefined) return;
        const took = runs.map(({ durationMs }) => durationMs);
        expect(took).toContain(all.duration.p95);
        expect(all.duration.median).toBeLessThanOrEqual(all.duration.p95);
        expect(all.duration.mean).toBeLessThanOrEqual(Math.max(...took));
      }),
    );
  });
});

describe('what a plan expects of its steps', () => {
  const by = { user: 'ada', host: 'laptop' };
  const apply = aStep('apply', 'applied', { action: { kind: 'apply' } });
  const pause = aStep('hook:pause', 'frozen');
  /** The apply takes so many seconds: an entry a second. */
  const past = (seconds: number, outcome: 'done' | 'failed' = 'done') => {
    const idle: JournalFact[] = Array.from({ length: seconds - 1 }, () => ({ kind: 'lease-taken', token: 1 }));
    return journalOf([
      { kind: 'run-created', plan: aPlan({ steps: [pause, apply] }), by },
      { kind: 'step-begin', operation: 'a', step: 'hook:pause', attempt: 1 },
      { kind: 'step-end', operation: 'a', step: 'hook:pause', outcome: 'done' },
      { kind: 'step-begin', operation: 'b', step: 'apply', attempt: 1 },
      ...idle,
      { kind: 'step-end', operation: 'b', step: 'apply', outcome },
    ]);
  };

  it('is the median of the runs in which they were done', () => {
    const expected = expectationOf([past(2), past(4), past(9), past(30, 'failed'), []]);
    expect(expected(apply)).toEqual({ ms: 4_000, runs: 3 });
    expect(expected(pause)).toEqual({ ms: 1_000, runs: 4 });
  });

  it('goes by the kind where the id is new, but never from one hook to another', () => {
    const expected = expectationOf([past(2), past(4)]);
    expect(expected({ ...apply, id: 'apply#2' })).toEqual({ ms: 3_000, runs: 2 });
    expect(expected(aStep('hook:other', 'frozen'))).toBeUndefined();
  });

  it('adds up to a total that says from how many runs it is', () => {
    const expected = expectationOf([past(2), past(4)]);
    const steps = [pause, apply, aStep('hook:other', 'frozen')].map((step) => {
      const known = expected(step);
      return known === undefined ? step : { ...step, expected: known };
    });
    expect(expectedTotal(steps)).toEqual({ ms: 4_000, runs: 2 });
    expect(expectedTotal([pause])).toBeUndefined();
  });
});
