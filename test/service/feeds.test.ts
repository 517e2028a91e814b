import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/journal/index.ts';
import { RunFeeds } from '../../src/service/feeds.ts';
import { memoryJournal } from '../rollback/memory-journal.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { journalOf } from '../support/journal.ts';

const ALL = journalOf([
  { kind: 'run-created', plan: aPlan({ steps: [aStep('a', 'frozen')] }), by: { user: 'ada', host: 'desk' } },
  { kind: 'phase-entered', phase: 'frozen' },
  { kind: 'step-begin', operation: 'o', step: 'a', attempt: 1 },
  { kind: 'step-end', operation: 'o', step: 'a', outcome: 'done' },
  { kind: 'run-ended', outcome: 'succeeded' },
]);

function counted(begin: readonly JournalEntry[]) {
  const journal = memoryJournal(begin);
  const open = { now: 0, ever: 0 };
  const feeds = new RunFeeds({
    ...journal,
    follow: async function* (run, after, signal) {
      open.now += 1;
      open.ever += 1;
      try {
        yield* journal.follow(run, after, signal);
      } finally {
        open.now -= 1;
      }
    },
  });
  return { journal, feeds, open };
}

async function numbers(feed: AsyncIterable<JournalEntry>): Promise<number[]> {
  const seen: number[] = [];
  for await (const { sequence } of feed) seen.push(sequence);
  return seen;
}

describe('one reading of a run for all who watch', () => {
  test('gives every reader every entry, those that were and those that come', async () => {
    const { journal, feeds, open } = counted(ALL.slice(0, 2));
    const never = new AbortController().signal;
    const readers = [0, 0, 1, 4].map(async (after) => await numbers(feeds.follow('r1', after, never)));
    for (const entry of ALL.slice(2)) {
      await journal.append(entry);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(readers)).toEqual([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [2, 3, 4, 5], [5]]);
    expect(open).toEqual({ now: 0, ever: 1 });
  });

  test('a reader that came late begins where it says', async () => {
    const { feeds } = counted(ALL);
    const never = new AbortController().signal;
    expect(await numbers(feeds.follow('r1', 3, never))).toEqual([4, 5]);
    expect(await numbers(feeds.follow('r1', 5, never))).toEqual([]);
  });

  test('a slow reader holds up nobody, and misses nothing', async () => {
    const { journal, feeds } = counted(ALL.slice(0, 1));
    const never = new AbortController().signal;
    const slow = feeds.follow('r1', 0, never);
    expect((await slow.next()).value).toMatchObject({ sequence: 1 });
    const quick = numbers(feeds.follow('r1', 0, never));
    for (const entry of ALL.slice(1)) await journal.append(entry);
    expect(await quick).toHaveLength(5);
    expect(await numbers(slow)).toEqual([2, 3, 4, 5]);
  });

  test('stops reading when the last one has gone, and begins again for the next', async () => {
    const { journal, feeds, open } = counted(ALL.slice(0, 2));
    const stop = new AbortController();
    const reader = feeds.follow('r1', 0, stop.signal);
    for (const sequence of [1, 2]) expect((await reader.next()).value).toMatchObject({ sequence });
    const rest = numbers(reader);
    stop.abort();
    expect(await rest).toEqual([]);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(open.now).toBe(0);
    const next = numbers(feeds.follow('r1', 0, new AbortController().signal));
    for (const entry of ALL.slice(2)) await journal.append(entry);
    expect(await next).toHaveLength(5);
    expect(open.ever).toBe(2);
  });

  test('gives at once what is there at once, the same to all, and never too much', async () => {
    const many = journalOf([
      { kind: 'run-created', plan: aPlan(), by: { user: 'ada', host: 'desk' } },
      ...Array.from({ length: 249 }, (_, i) => ({
        kind: 'noted' as const,
        by: { user: 'ada', host: 'desk' },
        topic: 'impact' as const,
        text: `note ${i}`,
      })),
    ]);
    const { feeds } = counted(many);
    const stop = new AbortController();
    const [one, other] = [feeds.rounds('r1', 0, stop.signal), feeds.rounds('r1', 0, stop.signal)];
    const sizes: number[] = [];
    while (sizes.reduce((sum, size) => sum + size, 0) < 250) {
      const [mine, theirs] = await Promise.all([one.next(), other.next()]);
      expect(mine.value).toEqual(theirs.value);
      sizes.push(mine.value?.length ?? 0);
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
    expect(sizes.length).toBeLessThan(25);
    stop.abort();
  });

  test('tells every reader what breaks it', async () => {
    const journal = memoryJournal();
    const feeds = new RunFeeds({
      ...journal,
      follow: async function* () {
        yield* ALL.slice(0, 1);
        throw new Error('the disk is gone');
      },
    });
    const readers = [0, 0].map(async () => await numbers(feeds.follow('r1', 0, new AbortController().signal)));
    for (const reader of readers) await expect(reader).rejects.toThrow('the disk is gone');
  });

  test('knows the stack of a run, and of none that there is not', async () => {
    const { feeds } = counted(ALL);
    expect(await feeds.stackOf('r1')).toBe('medical-kg');
    expect(await feeds.stackOf('r2')).toBeUndefined();
  });
});
