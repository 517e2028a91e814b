import { queryValue } from '../evidence/index.ts';
import { outsideTarget, type ResolvedTarget, resolveTarget } from '../hooks/index.ts';
import { isBackstayError } from '../errors/index.ts';
import type { HttpTarget, Stack, WatchSetting } from '../model/index.ts';
import type { Clock, Cluster, HttpClient } from '../ports/index.ts';
import type { Tick } from './watch-judge.ts';

export interface MeasureDeps {
  readonly stack: Pick<Stack, 'namespaces'>;
  /** Asked for targets within it alone: what lies outside is measured while its API server is down. */
  readonly cluster: () => Promise<Cluster>;
  readonly http: HttpClient;
  readonly clock: Pick<Clock, 'monotonic'>;
}

interface Limits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Milliseconds; a shorter interval is the limit of its own measurement. */
const MEASURE_TIMEOUT_MS = 5_000;

/** One measurement of a watch. `at`: milliseconds since the epoch. Never throws: what fails is measured as unknown. */
export async function measureTick(
  { measure, everyMs }: WatchSetting,
  { at, signal }: { readonly at: number; readonly signal: AbortSignal },
  deps: MeasureDeps,
): Promise<Tick> {
  const limits = { timeoutMs: Math.min(everyMs, MEASURE_TIMEOUT_MS), signal };
  try {
    if (measure.kind !== 'prometheus') return { kind: 'answer', at, ...(await askRoute(measure, limits, deps)) };
    const value = await askPrometheus(measure, limits, deps);
    return value === undefined ? { kind: 'unknown', at } : { kind: 'value', at, value };
  } catch {
    // Nothing is there to be asked, or the way to it fails: nothing is known about the stack.
    return { kind: 'unknown', at };
  }
}

/** What one request to a route found. */
export interface RouteAnswer {
  readonly isGood: boolean;
  /** Milliseconds until it was answered, or was given up. */
  readonly latencyMs: number;
}

/**
 * One GET. No answer is an answer that is not good: the route was asked. @throws what says nothing about the route:
 * TARGET_UNRESOLVED, and what the cluster on the way to it throws
 */
export async function askRoute(
  { target, accept }: { readonly target: HttpTarget; readonly accept: readonly number[] },
  limits: Limits,
  deps: MeasureDeps,
): Promise<RouteAnswer> {
  const found = await find(target, deps);
  const began = deps.clock.monotonic();
  const answered = (isGood: boolean): RouteAnswer => ({ isGood, latencyMs: deps.clock.monotonic() - began });
  try {
    const { status } = await found.request({ method: 'GET', ...limits });
    return answered(accept.includes(status));
  } catch (error) {
    if (isBackstayError(error, 'ENDPOINT_UNREACHABLE') || isBackstayError(error, 'TIMEOUT')) return answered(false);
    throw error;
  }
}

/** The one value of a query; undefined where nothing is known. @throws METRICS_REFUSED and what lies on the way there */
export async function askPrometheus(
  { prometheus, query }: { readonly prometheus: HttpTarget; readonly query: string },
  limits: Limits,
  deps: MeasureDeps,
): Promise<number | undefined> {
  return await queryValue(query, prometheus, async (at, asked) => await (await find(at, deps)).request(asked), limits);
}

async function find(target: HttpTarget, { stack, cluster, http }: MeasureDeps): Promise<ResolvedTarget> {
  if (target.via === undefined) return outsideTarget(target.url, http);
  return await resolveTarget(target, { cluster: await cluster(), http, namespace: stack.namespaces[0] ?? 'default' });
}
