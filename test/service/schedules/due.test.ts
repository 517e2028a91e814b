import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Schedule } from '../../../src/model/index.ts';
import { due, next } from '../../../src/service/schedules/due.ts';
import { type Firing, scheduleViews, type ScheduleRecord } from '../../../src/service/schedules/records.ts';

const NOW = Date.parse('2026-11-21T12:00:00.000Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** So many milliseconds before now, as records have it. */
const ago = (ms: number): string => new Date(NOW - ms).toISOString();

describe('when a schedule is due', () => {
  test.each<[string, { seen: number; fired?: number }, 'now' | number]>([
    ['not when it was just seen', { seen: 0 }, DAY],
    ['not before its first interval is over', { seen: DAY - 1 }, 1],
    ['then', { seen: DAY }, 'now'],
    ['once, however many times were missed', { seen: 400 * DAY }, 'now'],
    ['an interval after it fired, not after it was seen', { seen: 400 * DAY, fired: HOUR }, DAY - HOUR],
    ['again after that', { seen: 400 * DAY, fired: DAY }, 'now'],
    ['late by a little, when clocks differ a little', { seen: 3 * DAY, fired: -HOUR }, DAY + HOUR],
    ['at once where a wrong clock wrote of next year', { seen: 3 * DAY, fired: -365 * DAY }, 'now'],
  ])('%s', (_what, { seen, fired }, expected) => {
    const last = { seenAt: ago(seen), ...(fired === undefined ? {} : { firedAt: ago(fired) }) };
    const when = due({ everyMs: DAY }, last, NOW);
    expect(when).toEqual(expected === 'now' ? { kind: 'now' } : { kind: 'later', at: NOW + expected });
  });

  const everyMs = fc.integer({ min: MINUTE, max: 100 * DAY });

  test('is never further away than two intervals, and is so when that time has come', () => {
    fc.assert(
      fc.property(everyMs, fc.integer({ min: -1_000 * DAY, max: 1_000 * DAY }), (every, offset) => {
        const last = { seenAt: ago(0), firedAt: ago(offset) };
        const when = due({ everyMs: every }, last, NOW);
        if (when.kind === 'now') return;
        expect(when.at).toBeGreaterThan(NOW);
        expect(when.at).toBeLessThanOrEqual(NOW + 2 * every);
        expect(due({ everyMs: every }, last, when.at)).toEqual({ kind: 'now' });
      }),
    );
  });

  test('comes once an interval to whoever looks whenever, and once after however long an absence', () => {
    fc.assert(
      fc.property(everyMs, fc.array(fc.integer({ min: 0, max: 300 * DAY }), { maxLength: 60 }), (every, pauses) => {
        let now = NOW;
        let last: { seenAt: string; firedAt?: string } = { seenAt: ago(0) };
        const fired: number[] = [NOW];
        for (const pause of pauses) {
          now += pause;
          if (due({ everyMs: every }, last, now).kind === 'later') continue;
          fired.push(now);
          last = { ...last, firedAt: new Date(now).toISOString() };
          expect(due({ everyMs: every }, last, now)).toEqual({ kind: 'later', at: now + every });
        }
        fired.slice(1).forEach((at, index) => expect(at - (fired[index] ?? 0)).toBeGreaterThanOrEqual(every));
        // Nothing that was due is still owed.
        expect(now - (fired.at(-1) ?? 0)).toBeLessThan(every);
      }),
    );
  });
});

describe('what is to be done about a schedule', () => {
  const schedule: Schedule = { name: 'nightly', do: 'capture', everyMs: DAY };
  const firing = (part: Partial<Firing>): Firing => ({ attempt: 1, service: 'a', until: ago(0), ...part });
  const mark = { machine: 'm', pid: 1, started: 1 };

  test.each<[string, Partial<ScheduleRecord> | undefined, ReturnType<typeof next>]>([
    ['is to be seen first', undefined, { kind: 'see' }],
    ['and again when it does something else', { do: 'drill', seenAt: ago(9 * DAY) }, { kind: 'see' }],
    ['is to wait', {}, { kind: 'wait', until: NOW + DAY - HOUR }],
    ['is to fire', { firedAt: ago(DAY) }, { kind: 'fire', attempt: 1 }],
    ['belongs to the service at it', { firing: firing({ until: ago(-1) }) }, { kind: 'wait', until: NOW + 1 }],
    ['is begun again where that one died', { firing: firing({}) }, { kind: 'fire', attempt: 2 }],
    ['and not a third time', { firing: firing({ attempt: 2 }) }, { kind: 'lose' }],
    [
      'is followed where a process is at it, whoever began it',
      { firing: firing({ attempt: 2, work: { kind: 'finalize', process: mark, log: 'x' } }) },
      { kind: 'follow' },
    ],
  ])('%s', (_what, part, expected) => {
    const record = part === undefined ? undefined : { do: 'capture' as const, seenAt: ago(HOUR), ...part };
    expect(next(schedule, record, NOW)).toEqual(expected);
  });

  test('ends: from any record at most two beginnings lie between now and an outcome', () => {
    let record: ScheduleRecord = { do: 'capture', seenAt: ago(DAY) };
    const done: string[] = [];
    for (let now = NOW; done.at(-1) !== 'lose'; now += DAY) {
      const what = next(schedule, record, now);
      done.push(what.kind);
      if (what.kind === 'fire')
        record = { ...record, firing: firing({ attempt: what.attempt, until: new Date(now).toISOString() }) };
      expect(done.length).toBeLessThan(4);
    }
    expect(done).toEqual(['fire', 'fire', 'lose']);
  });

  test('is shown with its next time, and with nothing of what it did under the same name before', async () => {
    const shown = async (record?: ScheduleRecord) => {
      const get = async () =>
        record && ({ kind: 'schedule', key: 'shop/nightly', version: 1, at: ago(0), value: record as never } as const);
      return (await scheduleViews({ name: 'shop', schedules: [schedule] }, { records: { get }, now: NOW }))[0];
    };
    const plain = { name: 'nightly', do: 'capture', everyMs: DAY, isFiring: false };
    const last = { at: ago(HOUR), outcome: 'failed', code: 'KEY_MISSING' } as const;
    const seenAt = ago(3 * DAY);
    expect(await shown()).toEqual(plain);
    expect(await shown({ do: 'drill', seenAt, last })).toEqual(plain);
    const record = { do: 'capture', seenAt, firedAt: ago(HOUR), last } as const;
    expect(await shown(record)).toEqual({ ...plain, seenAt, nextAt: ago(HOUR - DAY), last });
    // It waits for a run: its time is the one that has passed.
    expect(await shown({ do: 'capture', seenAt: ago(25 * HOUR) })).toMatchObject({ nextAt: ago(HOUR) });
  });
});
