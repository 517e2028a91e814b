import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSqliteRecords } from '../../../src/adapters/sqlite/index.ts';
import type { WatchSetting } from '../../../src/model/index.ts';
import type { ServiceStore } from '../../../src/ports/index.ts';
import { readAll } from '../../../src/service/triggers/records.ts';
import { type Baseline, isDue, learn, usualOf } from '../../../src/service/triggers/watch/baseline.ts';
import { type Judged, judge, QUIET, type Tick, type WatchState } from '../../../src/actions/watch-judge.ts';
import { turn } from '../../../src/service/triggers/watch/watcher.ts';
import { memoryJournal } from '../../rollback/memory-journal.ts';
import { MINUTE, POLICY, T0 } from './alerts.ts';

const EVERY = 15_000;
const target = { url: 'http://api' };
const failing: WatchSetting = {
  name: 'down',
  measure: { kind: 'failing', target, accept: [200] },
  above: { value: 0.5 },
  forMs: MINUTE,
  everyMs: EVERY,
};
const errors: WatchSetting = {
  ...failing,
  name: 'errors',
  measure: { kind: 'error-rate', target, accept: [200], windowMs: 5 * MINUTE },
  above: { value: 0.05 },
};
const latency: WatchSetting = {
  ...failing,
  name: 'slow',
  measure: { kind: 'latency', target, accept: [200], windowMs: 5 * MINUTE },
  above: { timesBaseline: 2 },
};
const memory: WatchSetting = {
  ...failing,
  name: 'memory',
  measure: { kind: 'prometheus', prometheus: target, query: 'x' },
  above: { value: 0.9 },
};

/** What one measurement a turn finds: a good or failed answer (with its milliseconds), a value, or nothing. */
type Find = 'ok' | 'failed' | 'unknown' | number;

function tickOf(find: Find, setting: WatchSetting, at: number): Tick {
  if (find === 'unknown') return { kind: 'unknown', at };
  if (typeof find === 'number' && setting.measure.kind === 'prometheus') return { kind: 'value', at, value: find };
  return { kind: 'answer', at, isGood: find !== 'failed', latencyMs: typeof find === 'number' ? find : 10 };
}

/** Judges them one interval after the other; the last judgement, and all that was told with the number of its turn. */
function play(setting: WatchSetting, finds: readonly Find[], usual?: number, everyMs = EVERY) {
  let state: WatchState = QUIET;
  let last: Judged = { state };
  const told: [number, string][] = [];
  for (const [turns, find] of finds.entries()) {
    last = judge(setting, state, tickOf(find, setting, T0 + turns * everyMs), usual);
    state = last.state;
    if (last.tells !== undefined) told.push([turns, last.tells]);
  }
  return { last, told };
}

const times = (count: number, find: Find): readonly Find[] => Array.from({ length: count }, () => find);

describe('a watch', () => {
  test.each<[string, WatchSetting, readonly Find[], number | undefined, readonly (readonly [number, string])[]]>([
    ['fires after its time, once', failing, times(10, 'failed'), undefined, [[4, 'firing']]],
    ['does not before', failing, times(4, 'failed'), undefined, []],
    ['begins anew after a good answer', failing, [...times(4, 'failed'), 'ok', ...times(4, 'failed')], undefined, []],
    [
      'begins anew after what could not be measured',
      failing,
      [...times(4, 'failed'), 'unknown', ...times(4, 'failed')],
      undefined,
      [],
    ],
    ['never fires on what cannot be measured', failing, times(100, 'unknown'), undefined, []],
    [
      'is resolved by one good answer',
      failing,
      [...times(5, 'failed'), 'ok', 'ok'],
      undefined,
      [
        [4, 'firing'],
        [5, 'resolved'],
      ],
    ],
    [
      'is not resolved by what could not be measured',
      failing,
      [...times(5, 'failed'), 'unknown', 'failed'],
      undefined,
      [[4, 'firing']],
    ],
    ['knows no share of few requests', errors, times(9, 'failed'), undefined, []],
    ['fires on a share of failed ones', errors, times(14, 'failed'), undefined, [[13, 'firing']]],
    [
      'lets 5 % of failures pass',
      errors,
      Array.from({ length: 60 }, (_, n): Find => (n % 20 === 19 ? 'failed' : 'ok')),
      undefined,
      [],
    ],
    ['knows nothing slow without a baseline', latency, times(60, 5_000), undefined, []],
    ['fires beyond twice the usual time', latency, times(60, 250), 100, [[13, 'firing']]],
    ['does not at twice the usual time', latency, times(60, 200), 100, []],
    ['cannot be twice as slow as nothing', latency, times(60, 200), 0, []],
    ['fires on a value', memory, times(10, 0.91), undefined, [[4, 'firing']]],
    ['does not at its limit', memory, times(10, 0.9), undefined, []],
  ])('%s', (_name, setting, finds, usual, expected) => {
    expect(play(setting, finds, usual).told).toEqual(expected);
  });

  test('counts no time during which it did not measure', () => {
    expect(play(failing, times(10, 'failed'), undefined, 4 * EVERY).told).toEqual([]);
  });

  test('sees failures leave the window', () => {
    const { last } = play(errors, [...times(10, 'failed'), ...times(20, 'ok')]);
    expect(last.value).toBe(0);
  });

  test('fires only after its time without interruption, whatever is measured', () => {
    const finds = fc.array(fc.constantFrom<Find>('ok', 'failed', 'unknown'), { maxLength: 60 });
    fc.assert(
      fc.property(finds, (all) => {
        const { told } = play(failing, all);
        // One and the other in turn.
        expect(told.map(([, tells]) => tells)).toEqual(told.map((_, n) => (n % 2 === 0 ? 'firing' : 'resolved')));
        for (const [turns, tells] of told) {
          if (tells === 'firing') expect(all.slice(turns - 4, turns + 1)).toEqual(times(5, 'failed'));
          else expect(all[turns]).toBe('ok');
        }
      }),
    );
  });
});

describe('what is usual', () => {
  const learnt = (values: readonly number[]): Baseline | undefined =>
    values.reduce<Baseline | undefined>((before, value, n) => learn(before, value, T0 + n * MINUTE), undefined);

  test('is not known before there is enough', () => {
    expect(usualOf(learnt(Array.from({ length: 9 }, () => 1)))).toBeUndefined();
    expect(usualOf(undefined)).toBeUndefined();
  });

  test('is the middle, which a bad minute does not move', () => {
    expect(usualOf(learnt([...Array.from({ length: 11 }, (_, n) => n), 9_999, 9_999]))).toBe(6);
    expect(usualOf(learnt(Array.from({ length: 10 }, (_, n) => n)))).toBe(4.5);
  });

  test('is learnt once a minute, and forgets what is old', () => {
    const baseline = learnt(Array.from({ length: 1_000 }, (_, n) => n));
    expect(baseline?.values).toHaveLength(240);
    expect(isDue(baseline, (baseline?.at ?? 0) + MINUTE - 1)).toBe(false);
    expect(isDue(baseline, (baseline?.at ?? 0) + MINUTE)).toBe(true);
  });
});

describe('a watch of a service', () => {
  let dir: string;
  let records: ServiceStore;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-watch-'));
    records = await createSqliteRecords({ file: join(dir, 'records.sqlite') });
  });
  afterEach(async () => {
    await records.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Plays finds through the records; `states` are kept as a service keeps them. */
  async function serve(setting: WatchSetting, finds: readonly Find[], from = 0): Promise<void> {
    const states = new Map<string, WatchState>();
    let now = T0;
    const deps = {
      records,
      journal: memoryJournal(),
      clock: { now: () => now, monotonic: () => now, delay: async () => {} },
      log: () => undefined,
    };
    const isWell = (): boolean =>
      [...states.values()].every(
        ({ beyondSince, firingSince }) => beyondSince === undefined && firingSince === undefined,
      );
    const watching = { stack: 'shop', policy: POLICY, measure: {} as never, states, isWell };
    for (const [turns, find] of finds.entries()) {
      now = T0 + from + turns * EVERY;
      await turn(setting, tickOf(find, setting, now), watching, deps);
    }
  }

  test('tells of its beginning and of its end as one alert', async () => {
    await serve(failing, [...times(10, 'failed'), 'ok', 'ok']);
    const alerts = (await readAll(records, 'alert')).map(({ value }) => value);
    expect(alerts).toMatchObject([
      {
        state: 'pending',
        resolvedAt: expect.any(String),
        alert: {
          source: 'watch',
          name: 'down',
          stack: 'shop',
          status: 'resolved',
          summary: 'the route has failed for 1 min',
        },
      },
    ]);
  });

  test('says by how much, in the unit of the figure', async () => {
    await serve(errors, times(20, 'failed'));
    const [alert] = await readAll(records, 'alert');
    expect(alert?.value.alert.summary).toBe('error-rate 100 %, above 5 % for 1 min');
  });

  test('learns what is usual while it is well, and then fires against it', async () => {
    await serve(latency, times(70, 100));
    expect((await records.get('baseline', 'shop/slow'))?.value).toMatchObject({
      values: expect.arrayContaining([100]),
    });
    await serve(latency, times(40, 900), 70 * EVERY);
    expect((await readAll(records, 'alert')).map(({ value }) => value.alert.summary)).toEqual([
      'latency 900 ms, above 200 ms for 1 min',
    ]);
    const baseline = (await records.get('baseline', 'shop/slow'))?.value as unknown as Baseline | undefined;
    expect(baseline?.values.filter((value) => value > 200)).toEqual([]);
  });
});
