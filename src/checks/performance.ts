import { createHistogram } from 'node:perf_hooks';
import type { ResolvedTarget } from '../hooks/index.ts';
import { accepted, findTarget, tryAsk } from './ask.ts';
import type { CheckContext, CheckOf, Finding, Measure } from './context.ts';

/** The histogram counts whole microseconds; results are milliseconds with one decimal. */
const MICROSECONDS = 1_000;

interface Sample {
  /** Milliseconds from the moment the request was due, so that a stalled server cannot hide by delaying the next one. */
  readonly latencyMs: number;
  /** Why it counts as failed. */
  readonly failure?: string;
}

/** Requests at a fixed rate, sent whether or not earlier ones were answered. A failed request fails the check. */
export const measurePerformance: Measure<'performance'> = async (setting, context) => {
  const found = await findTarget(setting.target, context);
  const samples = await load(found, setting, context);
  return judge(found.name, setting, samples);
};

async function load(
  target: ResolvedTarget,
  setting: CheckOf<'performance'>,
  context: CheckContext & { readonly signal: AbortSignal },
): Promise<readonly Sample[]> {
  const { clock, signal } = context;
  const start = clock.monotonic();
  const pending: Promise<Sample>[] = [];
  for (let i = 0; i < setting.count; i++) {
    const due = start + (i * 1_000) / setting.rate;
    const wait = due - clock.monotonic();
    if (wait > 0) await clock.delay(wait, signal);
    const sample = once(target, setting, due, context);
    // Awaited below; until then a rejection must not count as unhandled.
    sample.catch(() => {});
    pending.push(sample);
  }
  return await Promise.all(pending);
}

async function once(
  target: ResolvedTarget,
  { accept, timeoutMs }: CheckOf<'performance'>,
  due: number,
  { clock, signal }: CheckContext & { readonly signal: AbortSignal },
): Promise<Sample> {
  const answer = await tryAsk(target, { method: 'GET', timeoutMs, signal });
  const latencyMs = clock.monotonic() - due;
  if (typeof answer === 'string') return { latencyMs, failure: answer };
  return accepted(answer, accept) ? { latencyMs } : { latencyMs, failure: `answered ${answer.status}` };
}

type Limits = Pick<CheckOf<'performance'>, 'averageMs' | 'p95Ms' | 'maxMs'>;

/** Exported for its table test. */
export function judge(name: string, limits: Limits, samples: readonly Sample[]): Finding {
  const failures = samples.filter(({ failure }) => failure !== undefined);
  const figures = statistics(samples.filter(({ failure }) => failure === undefined));
  const measured = { count: samples.length, failures: failures.length, ...figures };
  if (failures.length > 0) {
    const reason = `${name}: ${failures.length} of ${samples.length} requests failed, the first: ${failures[0]?.failure ?? ''}`;
    return { verdict: 'fail', reason, measured };
  }
  if (figures === undefined) return { verdict: 'unknown', reason: `${name}: no request was made`, measured };
  const over = [
    ...(figures.averageMs > limits.averageMs ? [`average ${figures.averageMs} ms > ${limits.averageMs} ms`] : []),
    ...(figures.p95Ms > limits.p95Ms ? [`p95 ${figures.p95Ms} ms > ${limits.p95Ms} ms`] : []),
    ...(figures.maxMs > limits.maxMs ? [`max ${figures.maxMs} ms > ${limits.maxMs} ms`] : []),
  ];
  if (over.length > 0) return { verdict: 'fail', reason: `${name} is too slow: ${over.join(', ')}`, measured };
  const { averageMs, p95Ms, maxMs } = figures;
  return { verdict: 'pass', reason: `${name}: average ${averageMs} ms, p95 ${p95Ms} ms, max ${maxMs} ms`, measured };
}

interface Figures {
  readonly averageMs: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

function statistics(samples: readonly Sample[]): Figures | undefined {
  if (samples.length === 0) return undefined;
  // Three significant digits: the error of a percentile stays below 0.1 %.
  const histogram = createHistogram({ figures: 3 });
  for (const { latencyMs } of samples) histogram.record(Math.max(1, Math.round(latencyMs * MICROSECONDS)));
  const ms = (microseconds: number): number => Math.round((microseconds / MICROSECONDS) * 10) / 10;
  return { averageMs: ms(histogram.mean), p95Ms: ms(histogram.percentile(95)), maxMs: ms(histogram.max) };
}
