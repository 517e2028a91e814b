import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { downtimeOf, fold, type JournalFact, type ProbeFinding } from '../../src/journal/index.ts';
import type { ProbeVerdict } from '../../src/model/index.ts';
import { aPlan } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const START = Date.UTC(2026, 0, 1);
const at = (ms: number): string => new Date(START + ms).toISOString();
const by = { user: 'ada', host: 'laptop' };

const finding = (ms: number, verdict: ProbeVerdict, name = 'route'): ProbeFinding => ({
  name,
  verdict,
  reason: verdict,
  at: at(ms),
});
const measured = (probes: readonly ProbeFinding[], endMs: number) =>
  downtimeOf({ probes, startedAt: at(0), workedAt: at(endMs), ended: { outcome: 'succeeded', at: at(endMs) } });

describe('downtime', () => {
  it.each<[string, readonly ProbeFinding[], [up: number, down: number, unknown: number]]>([
    ['up all along', [finding(0, 'up')], [10_000, 0, 0]],
    ['nothing before the first answer was due', [finding(400, 'up')], [9_600, 0, 400]],
    ['down in the middle', [finding(0, 'up'), finding(2_000, 'down'), finding(5_000, 'up')], [7_000, 3_000, 0]],
    ['down until the end', [finding(0, 'up'), finding(9_000, 'down')], [9_000, 1_000, 0]],
    ['unknown is not up', [finding(0, 'up'), finding(4_000, 'unknown')], [4_000, 0, 6_000]],
    ['an answer due before the run counts from its beginning', [finding(-50, 'down')], [0, 10_000, 0]],
    ['one that was due after the end adds nothing', [finding(0, 'up'), finding(11_000, 'down')], [10_000, 0, 0]],
  ])('%s', (_name, probes, [upMs, downMs, unknownMs]) => {
    expect(measured(probes, 10_000)).toMatchObject([{ probe: 'route', measuredMs: 10_000, upMs, downMs, unknownMs }]);
  });

  it('is kept for each probe by itself', () => {
    const probes = [finding(0, 'up', 'a'), finding(0, 'down', 'b'), finding(1_000, 'up', 'b')];
    expect(measured(probes, 4_000).map(({ probe, downMs }) => [probe, downMs])).toEqual([
      ['a', 0],
      ['b', 1_000],
    ]);
  });

  it('adds up, whatever the probes say', () => {
    const step = fc.record({
      wait: fc.integer({ min: -500, max: 5_000 }),
      verdict: fc.constantFrom<ProbeVerdict>('up', 'down', 'unknown'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1 }), fc.integer({ min: 0, max: 60_000 }), (steps, endMs) => {
        let time = 0;
        const probes = steps.map(({ wait, verdict }) => finding((time += wait), verdict));
        const [found] = measured(probes, endMs);
        if (found === undefined) throw new TypeError('nothing was measured');
        expect(found.upMs + found.downMs + found.unknownMs).toBe(endMs);
        expect(Math.min(found.upMs, found.downMs, found.unknownMs)).toBeGreaterThanOrEqual(0);
        const { spans } = found;
        for (const [i, span] of spans.entries()) {
          expect(span.from).toBe(i === 0 ? START : spans[i - 1]?.to);
          expect(span.verdict).not.toBe(spans[i - 1]?.verdict);
        }
        // Milliseconds asked one by one say the same, by the last verdict that was due by then.
        const verdictAt = (ms: number): string => {
          let last = 'unknown';
          let latest = 0;
          for (const { at: due, verdict } of probes) {
            latest = Math.max(latest, Date.parse(due) - START);
            if (latest <= ms) last = verdict;
          }
          return last;
        };
        for (const ms of [0, 1, Math.floor(endMs / 2), endMs - 1].filter((one) => one >= 0 && one < endMs)) {
          const span = spans.find(({ from, to }) => from <= START + ms && START + ms < to);
          expect(span?.verdict).toBe(verdictAt(ms));
        }
      }),
    );
  });

  it('does not know how it was between the last sign of a dead process and the one that goes on', () => {
    const told = (sequence: number, ms: number, verdict: ProbeVerdict): JournalFact => ({
      kind: 'event',
      event: {
        type: 'probe.changed',
        name: 'route',
        verdict,
        reason: verdict,
        at: at(ms),
        run: 'r1',
        stack: 'medical-kg',
        sequence,
        time: at(ms),
      },
    });
    // One entry a second: killed after the one of second 2; second 3 takes the lease over, second 4 goes on.
    const state = fold(
      journalOf([
        { kind: 'run-created', plan: aPlan(), by },
        told(1, 0, 'up'),
        { kind: 'phase-entered', phase: 'locked' },
        { kind: 'lease-taken', token: 2 },
        { kind: 'resumed', by },
        told(2, 4_500, 'up'),
        { kind: 'run-ended', outcome: 'succeeded' },
        { kind: 'noted', by, topic: 'impact', text: 'none' },
      ]),
    );
    expect(downtimeOf(state)).toMatchObject([{ measuredMs: 6_000, upMs: 3_500, downMs: 0, unknownMs: 2_500 }]);
  });
});
