import { beforeEach, describe, expect, it } from 'vitest';
import { BackstayError } from '../../src/errors/index.ts';
import type { ProbeSetting, RunEventBody } from '../../src/model/index.ts';
import type { Clock } from '../../src/ports/index.ts';
import { type Prober, startProber } from '../../src/rollback/prober.ts';

/** A clock that stands still until it is moved; then everything that is due happens in its order. */
function handClock(): Clock & { move(ms: number): Promise<void>; jump(ms: number): void } {
  const start = Date.UTC(2026, 0, 1);
  let time = 0;
  let timers: { at: number; ring: () => void }[] = [];
  const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => start + time,
    monotonic: () => time,
    delay: async (ms, signal) =>
      await new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        timers.push({ at: time + Math.max(0, ms), ring: resolve });
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    move: async (ms) => {
      const end = time + ms;
      for (;;) {
        await settled();
        const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        time = Math.max(time, next.at);
        next.ring();
      }
      time = Math.max(time, end);
      await settled();
    },
    // As when the process was stopped: time passes and nothing happens.
    jump: (ms) => void (time += ms),
  };
}

const PROBE: ProbeSetting = {
  name: 'route',
  target: { url: '/health', via: { ingress: 'main' } },
  accept: [200],
  intervalMs: 500,
  timeoutMs: 2_000,
};

/** How the route answers a request: a code after so many milliseconds, or not at all. */
type Answering = { readonly status: number; readonly afterMs: number } | 'hangs' | 'refuses';

describe('a prober', () => {
  let clock: ReturnType<typeof handClock>;
  let answering: Answering;
  let found: number;
  let asked: number[];
  let missing: boolean;
  let told: (readonly [ms: number, verdict: string])[];
  let prober: Prober;

  const find = async () => {
    found += 1;
    if (missing) throw new BackstayError('TARGET_UNRESOLVED', 'there is no ingress main');
    return {
      name: 'ingress main',
      request: async ({ timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal }) => {
        asked.push(clock.monotonic());
        if (answering === 'refuses') throw new BackstayError('ENDPOINT_UNREACHABLE', 'refused');
        if (answering === 'hangs') {
          await clock.delay(timeoutMs, signal);
          throw new BackstayError('TIMEOUT', 'no whole answer');
        }
        const { status, afterMs } = answering;
        await clock.delay(afterMs, signal);
        return { status, headers: {}, body: '' };
      },
    };
  };
  const start = (): void => {
    const report = (event: RunEventBody): void => {
      if (event.type !== 'probe.changed') throw new TypeError(event.type);
      told.push([Date.parse(event.at) - Date.UTC(2026, 0, 1), event.verdict]);
    };
    prober = startProber({ stack: { probes: [PROBE] }, clock, find }, report);
  };

  beforeEach(() => {
    clock = handClock();
    answering = { status: 200, afterMs: 20 };
    [found, asked, missing, told] = [0, [], false, []];
  });

  it('asks at its interval, finds the route once and tells only what changes', async () => {
    start();
    await clock.move(1_400);
    expect(asked).toEqual([0, 500, 1_000]);
    answering = { status: 503, afterMs: 20 };
    await clock.move(1_000);
    answering = { status: 200, afterMs: 20 };
    await clock.move(1_000);
    prober.stop();
    expect(told).toEqual([
      [0, 'up'],
      [1_500, 'down'],
      [2_500, 'up'],
    ]);
    // Once at first, and once after each answer that was not an up.
    expect(found).toBe(3);
    await clock.move(5_000);
    expect(asked.at(-1)).toBe(3_000);
  });

  it('counts from when a request was due, and goes on asking while one hangs', async () => {
    start();
    await clock.move(900);
    answering = 'hangs';
    await clock.move(500);
    answering = { status: 200, afterMs: 20 };
    await clock.move(1_000);
    expect(asked).toEqual([0, 500, 1_000, 1_500, 2_000]);
    expect(told).toEqual([[0, 'up']]);
    await clock.move(1_000);
    expect(told).toEqual([
      [0, 'up'],
      [1_000, 'down'],
      [1_500, 'up'],
    ]);
  });

  it('calls a refused connection down, and a route that is not there unknown', async () => {
    answering = 'refuses';
    start();
    await clock.move(100);
    missing = true;
    await clock.move(500);
    missing = false;
    answering = { status: 200, afterMs: 20 };
    await clock.move(500);
    expect(told).toEqual([
      [0, 'down'],
      [500, 'unknown'],
      [1_000, 'up'],
    ]);
  });

  it('calls unknown what it cannot find in time', async () => {
    const report = (event: RunEventBody): void =>
      void (event.type === 'probe.changed' && told.push([0, event.verdict]));
    const never = new Promise<never>(() => undefined);
    prober = startProber({ stack: { probes: [PROBE] }, clock, find: async () => await never }, report);
    await clock.move(2_100);
    prober.stop();
    expect(told).toEqual([[0, 'unknown']]);
  });

  it('does not call up what has not answered when the run is over', async () => {
    start();
    await clock.move(900);
    answering = 'hangs';
    await clock.move(800);
    prober.stop();
    prober.stop();
    await clock.move(10_000);
    expect(told).toEqual([
      [0, 'up'],
      [1_000, 'unknown'],
    ]);
  });

  it('knows that it measured nothing while its process was stopped', async () => {
    start();
    await clock.move(600);
    clock.jump(30_000);
    await clock.move(700);
    expect(told).toEqual([
      [0, 'up'],
      [1_000, 'unknown'],
      [30_600, 'up'],
    ]);
    // None of the missed ones is asked afterwards.
    expect(asked).toEqual([0, 500, 30_600, 31_100]);
  });
});
