import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold, type JournalEntry } from '../../src/journal/index.ts';
import type { RunEvent } from '../../src/model/index.ts';
import { NOTHING_YET, type ProbeSpan, probeSums, withEvents } from '../../src/web/run-fold.ts';
import { partsOf, shareDone, stateOf } from '../../src/web/run-parts.ts';
import { ASKED, BEGUN, FINISHED, PLAN, RUN, stamped } from './support/story.ts';

const histories = join(import.meta.dirname, '..', 'histories');
const recorded = readdirSync(histories)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({
    name,
    entries: JSON.parse(readFileSync(join(histories, name), 'utf8')) as readonly JournalEntry[],
  }));

const eventsOf = (entries: readonly JournalEntry[]): readonly RunEvent[] =>
  entries.flatMap((entry) => (entry.kind === 'event' ? [entry.event] : []));

describe('what the page makes of the events of real runs', () => {
  it.each(recorded)('is what their journal says: $name', ({ entries }) => {
    const [state, progress] = [fold(entries), withEvents(NOTHING_YET, eventsOf(entries))];
    expect(progress.ended?.outcome).toBe(state.ended?.outcome);
    expect(progress.sequence).toBe(state.eventSequence);
    for (const [id, { status, message }] of state.steps) {
      if (status === 'pending') expect(progress.steps.has(id)).toBe(false);
      else if (!state.reverses.has(id)) expect(progress.steps.get(id)).toMatchObject({ status });
      if (message !== undefined && !state.reverses.has(id)) expect(progress.steps.get(id)?.message).toBe(message);
    }
    const shown = partsOf(state.plan, progress).flatMap(({ rows }) => rows.map(({ id }) => id));
    expect(new Set(shown)).toEqual(new Set([...state.plan.steps.map(({ id }) => id), ...progress.steps.keys()]));
  });

  it('does not depend on how often the stream broke off and began again a little earlier', () => {
    const events = eventsOf(recorded.at(-1)?.entries ?? []);
    const whole = withEvents(NOTHING_YET, events);
    fc.assert(
      fc.property(
        fc.array(fc.record({ upTo: fc.nat(events.length), again: fc.nat(5) }), { maxLength: 8 }),
        (breaks) => {
          let [progress, at] = [NOTHING_YET, 0];
          for (const { upTo, again } of breaks.toSorted((a, b) => a.upTo - b.upTo)) {
            progress = withEvents(progress, events.slice(at, upTo));
            at = Math.max(0, upTo - again);
          }
          expect(withEvents(progress, events.slice(at))).toEqual(whole);
        },
      ),
    );
  });

  it('leaves alone what a newer service tells and this page does not know', () => {
    const event = { run: RUN, stack: 's', sequence: 1, time: '2026-01-01T00:00:00Z', type: 'moon.rose' } as never;
    expect(withEvents(NOTHING_YET, [event])).toMatchObject({ sequence: 1, log: [], steps: new Map() });
  });
});

describe('a run that is watched', () => {
  const asked = stamped(RUN, ASKED);
  const begun = [...asked, ...stamped(RUN, BEGUN(), asked.length)];
  const finished = [...begun, ...stamped(RUN, FINISHED(), begun.length)];
  const at = (events: readonly RunEvent[]) => withEvents(NOTHING_YET, events);

  it('waits, is at work, and ends', () => {
    expect(stateOf(undefined, NOTHING_YET)).toBe('queued');
    expect(stateOf(undefined, at(asked))).toBe('waiting');
    // Somebody agreed, and nobody has told of it in an event yet.
    expect(stateOf({ state: 'queued' } as never, at(asked))).toBe('queued');
    expect(stateOf(undefined, at(begun))).toBe('running');
    expect(stateOf(undefined, at(finished))).toBe('succeeded');
  });

  it('is unfinished where the service saw that nobody carries it, whatever its last event was', () => {
    expect(stateOf({ state: 'unfinished' } as never, at(begun))).toBe('unfinished');
  });

  it('keeps what was measured before apart from what was measured after', () => {
    const { before, after } = at(finished);
    expect(before.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['checkout', 'fail'],
      ['catalogue', 'pass'],
      ['stock-sync', 'unknown'],
    ]);
    expect(after.every(({ verdict }) => verdict === 'pass')).toBe(true);
  });

  it('shows where it is, and how far', () => {
    const parts = partsOf(PLAN, at(begun));
    expect(parts.filter(({ state }) => state === 'now').map(({ phase }) => phase)).toEqual(['applied']);
    expect(parts.find(({ phase }) => phase === 'applied')?.objects).toHaveLength(3);
    expect(parts.find(({ phase }) => phase === 'validated')?.state).toBe('ahead');
    expect(shareDone(PLAN, at(begun))).toEqual({ done: 7, all: 12 });
    expect(shareDone(PLAN, at(finished))).toEqual({ done: 12, all: 12 });
  });

  it('that ended mixed is at work again when somebody goes on with it', () => {
    const ended = [...begun, ...stamped(RUN, [{ type: 'run.ended', outcome: 'mixed', durationMs: 1 }], begun.length)];
    const resumed = stamped(RUN, [{ type: 'run.message', level: 'info', message: 'resumed' }], ended.length);
    expect(stateOf(undefined, at(ended))).toBe('mixed');
    expect(stateOf(undefined, at([...ended, ...resumed]))).toBe('running');
  });
});

describe('the time for which a route was up', () => {
  const span = fc.record({
    verdict: fc.constantFrom('up' as const, 'down' as const, 'unknown' as const),
    reason: fc.constant(''),
    fromAt: fc.integer({ min: -50, max: 150 }),
  });

  it('makes up the whole time with that for which it was down and that of which nobody knows', () => {
    fc.assert(
      fc.property(fc.array(span), (found) => {
        const spans: readonly ProbeSpan[] = found.toSorted((a, b) => a.fromAt - b.fromAt);
        const { upMs, downMs, unknownMs, spans: shown } = probeSums(spans, 0, 100);
        expect(upMs + downMs + unknownMs).toBe(100);
        expect(shown.every(({ fromAt, toAt }, i) => toAt > fromAt && (shown[i + 1]?.fromAt ?? 100) === toAt)).toBe(
          true,
        );
      }),
    );
  });

  it('is unknown before the first answer, never up', () => {
    const sums = probeSums([{ verdict: 'up', reason: '200', fromAt: 40 }], 0, 100);
    expect(sums).toMatchObject({ upMs: 60, downMs: 0, unknownMs: 40 });
  });
});
