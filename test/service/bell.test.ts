import { describe, expect, test } from 'vitest';
import { Bell } from '../../src/service/bell.ts';
import { handClock } from './notify/support/hand-clock.ts';

const DAY = 86_400_000;
const clock = handClock();
const never = new AbortController().signal;

/** Whether it is heard without anything further: what resolves at all has done so by the next turn. */
async function isHeard(waiting: Promise<void>): Promise<boolean> {
  let is = false;
  void waiting.then(() => (is = true));
  await new Promise((resolve) => setImmediate(resolve));
  return is;
}

describe('a bell', () => {
  test('that was rung twice before anybody listened is heard once', async () => {
    const bell = new Bell(clock);
    bell.ring();
    bell.ring();
    await bell.rung(undefined, never);
    const again = bell.rung(undefined, never);
    expect(await isHeard(again)).toBe(false);
    bell.ring();
    await again;
  });

  test('is heard when the time has come, and leaves no timer behind when it is rung before', async () => {
    const bell = new Bell(clock);
    const waiting = bell.rung(clock.now() + 1_000, never);
    clock.advance(999);
    expect(await isHeard(waiting)).toBe(false);
    clock.advance(1);
    await waiting;
    const rung = bell.rung(clock.now() + 1_000, never);
    expect(clock.asleep()).toBe(1);
    bell.ring();
    await rung;
    expect(clock.asleep()).toBe(0);
    await bell.rung(clock.now() - 1, never);
  });

  test('waits a day at most: longer timers fire at once', async () => {
    const waits: number[] = [];
    const delay = async (ms: number): Promise<void> => void waits.push(ms);
    await new Bell({ ...clock, delay }).rung(clock.now() + 60 * DAY, never);
    expect(waits).toEqual([DAY]);
  });

  test('is heard with the signal, also with one that fired before', async () => {
    const bell = new Bell(clock);
    const stop = new AbortController();
    const waiting = bell.rung(clock.now() + 1_000, stop.signal);
    stop.abort();
    await waiting;
    await bell.rung(undefined, stop.signal);
    expect(clock.asleep()).toBe(0);
  });

  test('throws what it was told, to whoever listens then and later', async () => {
    const bell = new Bell(clock);
    const waiting = bell.rung(undefined, never);
    bell.fail(new Error('the first'));
    bell.fail(new Error('the second'));
    await expect(waiting).rejects.toThrow('the first');
    await expect(bell.rung(undefined, never)).rejects.toThrow('the first');
  });
});
