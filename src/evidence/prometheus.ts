import { BackstayError } from '../errors/index.ts';
import type { HttpTarget, Stack } from '../model/index.ts';
import type { HttpAnswer } from '../ports/index.ts';

export interface RangeQuery {
  readonly query: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly stepMs: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, and the value as Prometheus writes it (`NaN` and `+Inf` are values). */
  readonly points: readonly (readonly [number, string])[];
}

export interface Range {
  readonly series: readonly Series[];
  readonly warnings: readonly string[];
  /** Set when there were more points than are kept. */
  readonly cut?: string;
}

export type AskPrometheus = (
  target: HttpTarget,
  options: {
    readonly method: string;
    readonly path: string;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  },
) => Promise<HttpAnswer>;

/** Of one query, over all of its series. A query that gives more is one that nobody meant. */
const MOST_POINTS = 100_000;

/**
 * One range query. @throws ENDPOINT_UNREACHABLE and TIMEOUT of the way there, METRICS_REFUSED with Prometheus' own words
 * for a query that it does not answer, and for an answer that is none of Prometheus.
 */
export async function queryRange(
  { query, start, end, stepMs }: RangeQuery,
  { prometheus }: Pick<NonNullable<Stack['metrics']>, 'prometheus'>,
  ask: AskPrometheus,
  limits: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Range> {
  const asked = new URLSearchParams({
    query,
    start: String(start / 1000),
    end: String(end / 1000),
    step: String(stepMs / 1000),
  });
  const { status, body } = await ask(prometheus, {
    method: 'GET',
    path: `/api/v1/query_range?${asked.toString()}`,
    ...limits,
  });
  return rangeOf(status, body);
}

/**
 * The one value of an instant query; undefined where there is none, several, or one that is no number: nothing is known then.
 * @throws as `queryRange`
 */
export async function queryValue(
  query: string,
  prometheus: HttpTarget,
  ask: AskPrometheus,
  limits: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<number | undefined> {
  const path = `/api/v1/query?${new URLSearchParams({ query }).toString()}`;
  const { status, body } = await ask(prometheus, { method: 'GET', path, ...limits });
  return valueOf(status, body);
}

interface Said {
  readonly status?: unknown;
  readonly errorType?: unknown;
  readonly error?: unknown;
  readonly warnings?: unknown;
  readonly data?: { readonly resultType?: unknown; readonly result?: unknown };
}

/** Pure: what Prometheus' answer to an instant query means. A scalar is a point, a vector has a point a series. */
export function valueOf(status: number, body: string): number | undefined {
  const { resultType, result } = dataOf(status, body);
  if (resultType !== 'vector' && resultType !== 'scalar')
    throw refused(`the answer is a ${String(resultType)}, not a vector or a scalar`);
  const [first, second] = resultType === 'scalar' ? [{ value: result }] : (result as readonly { value?: unknown }[]);
  const point: unknown = first?.value;
  if (second !== undefined || !Array.isArray(point) || typeof point[1] !== 'string') return undefined;
  const value = Number(point[1]);
  return Number.isFinite(value) ? value : undefined;
}

function dataOf(
  status: number,
  body: string,
): { readonly said: Said; readonly resultType: unknown; readonly result: readonly unknown[] } {
  const said = parsed(body);
  if (said?.status === 'error') {
    throw refused(`Prometheus answers ${status}, ${String(said.errorType)}: ${String(said.error)}`);
  }
  if (status !== 200) throw refused(`Prometheus answers ${status}`);
  const { resultType, result } = said?.data ?? {};
  if (said?.status !== 'success' || !Array.isArray(result)) throw refused('the answer is not one of Prometheus');
  return { said, resultType, result };
}

/** Pure: what Prometheus' answer means. */
export function rangeOf(status: number, body: string): Range {
  const { said, resultType, result } = dataOf(status, body);
  if (resultType !== 'matrix') throw refused(`the answer is a ${String(resultType)}, not a matrix`);
  const warnings = Array.isArray(said.warnings) ? said.warnings.map(String) : [];
  const whole = result.map(seriesOf);
  const count = whole.reduce((sum, { points }) => sum + points.length, 0);
  if (count <= MOST_POINTS) return { series: whole, warnings };
  const series = firstPoints(whole, MOST_POINTS);
  return { series, warnings, cut: `only ${series.length} of ${whole.length} series: more than ${MOST_POINTS} points` };
}

function seriesOf(raw: unknown): Series {
  const { metric, values } = (raw ?? {}) as { readonly metric?: unknown; readonly values?: unknown };
  if (typeof metric !== 'object' || metric === null || !Array.isArray(values))
    throw refused('a series has neither labels nor values');
  return {
    labels: metric as Readonly<Record<string, string>>,
    points: values.map((point: unknown) => {
      const [seconds, value] = Array.isArray(point) ? (point as readonly unknown[]) : [];
      if (typeof seconds !== 'number' || typeof value !== 'string') throw refused('a point is not [time, "value"]');
      return [Math.round(seconds * 1000), value];
    }),
  };
}

function firstPoints(series: readonly Series[], most: number): readonly Series[] {
  let left = most;
  return series.filter(({ points }) => (left -= points.length) >= 0);
}

function parsed(body: string): Said | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function refused(message: string): BackstayError {
  return new BackstayError('METRICS_REFUSED', message);
}
