import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpClient } from '../../src/adapters/system/index.ts';
import { type AskPrometheus, queryRange, queryValue, rangeOf, valueOf } from '../../src/evidence/prometheus.ts';
import { type PrometheusServer, realPrometheus, standInPrometheus } from '../support/prometheus.ts';

const http = createHttpClient();
afterAll(async () => await http.close());
const ask: AskPrometheus = async ({ url }, { path, ...request }) => await http.request({ ...request, url: url + path });

const SERVERS: readonly (readonly [string, () => Promise<PrometheusServer>])[] = [
  ['the stand-in', standInPrometheus],
  ['the real Prometheus', realPrometheus],
];
/** Fetching the packages, where the machine has none. */
const FETCH_MS = 180_000;

describe.each(SERVERS)('range queries to %s', (_name, start) => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await start();
  }, FETCH_MS);
  afterAll(async () => await server[Symbol.asyncDispose]());
  const end = 1_767_225_600_000;
  const query = async (text: string, stepMs = 15_000) =>
    await queryRange({ query: text, start: end - 3_600_000, end, stepMs }, { prometheus: { url: server.url } }, ask, {
      timeoutMs: 5_000,
    });

  it('give one point a step, over the whole hour', async () => {
    const { series, warnings, cut } = await query('vector(1)');
    expect(series).toHaveLength(1);
    expect(series[0]?.points).toHaveLength(241);
    expect(series[0]?.points[0]).toEqual([end - 3_600_000, '1']);
    expect(series[0]?.points.at(-1)).toEqual([end, '1']);
    expect({ warnings, cut }).toEqual({ warnings: [], cut: undefined });
  });

  it('give nothing for what nobody measured', async () => {
    expect(await query('absent_metric')).toEqual({ series: [], warnings: [] });
  });

  it('say in its own words what is wrong with a query', async () => {
    await expect(query('{{{')).rejects.toMatchObject({
      code: 'METRICS_REFUSED',
      message: expect.stringMatching(/400, bad_data: .*parse error/),
    });
    await expect(query('vector(1)', 100)).rejects.toMatchObject({
      code: 'METRICS_REFUSED',
      message: expect.stringContaining('11,000 points'),
    });
  });
});

describe.each(SERVERS)('instant queries to %s', (_name, start) => {
  let server: PrometheusServer;
  beforeAll(async () => {
    server = await start();
  }, FETCH_MS);
  afterAll(async () => await server[Symbol.asyncDispose]());
  const value = async (text: string) => await queryValue(text, { url: server.url }, ask, { timeoutMs: 5_000 });

  it('give the one value there is', async () => {
    expect(await value('vector(1)')).toBe(1);
  });

  it.each(['absent_metric', 'vector(1) / 0'])('know nothing of %s', async (query) => {
    expect(await value(query)).toBeUndefined();
  });

  it('say what is wrong with a query', async () => {
    await expect(value('{{{')).rejects.toMatchObject({
      code: 'METRICS_REFUSED',
      message: expect.stringContaining('parse error'),
    });
  });
});

describe('the value of an answer', () => {
  const point = (value: string): unknown => ({ metric: {}, value: [1, value] });
  it.each<[string, unknown, number | undefined]>([
    ['a vector of one', { resultType: 'vector', result: [point('0.5')] }, 0.5],
    ['a vector of several', { resultType: 'vector', result: [point('1'), point('2')] }, undefined],
    ['an empty vector', { resultType: 'vector', result: [] }, undefined],
    ['a scalar', { resultType: 'scalar', result: [1, '7'] }, 7],
    ['no number', { resultType: 'scalar', result: [1, 'NaN'] }, undefined],
  ])('of %s', (_name, data, expected) => {
    expect(valueOf(200, JSON.stringify({ status: 'success', data }))).toBe(expected);
  });

  it('is refused of a matrix', () => {
    const body = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: [] } });
    expect(() => valueOf(200, body)).toThrow('a matrix, not a vector or a scalar');
  });
});

describe('a way to Prometheus that is broken', () => {
  it('is said to be so', async () => {
    const asked = queryRange(
      { query: 'up', start: 0, end: 1, stepMs: 1 },
      { prometheus: { url: 'http://127.0.0.1:9' } },
      ask,
      { timeoutMs: 5_000 },
    );
    await expect(asked).rejects.toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
  });
});

describe('an answer', () => {
  it.each([
    ['a page', 200, '<html>', 'not one of Prometheus'],
    ['JSON of somebody else', 200, '{"ok":true}', 'not one of Prometheus'],
    ['a vector', 200, '{"status":"success","data":{"resultType":"vector","result":[]}}', 'a vector, not a matrix'],
    ['a gateway that failed', 502, 'Bad Gateway', 'answers 502'],
    [
      'a broken series',
      200,
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{}}]}}',
      'neither labels nor values',
    ],
    [
      'a broken point',
      200,
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[1]}]}}',
      'a point is not',
    ],
    [
      'an error in time',
      503,
      '{"status":"error","errorType":"timeout","error":"query timed out"}',
      '503, timeout: query timed out',
    ],
  ])('of %s is refused with the reason', (_name, status, body, reason) => {
    expect(() => rangeOf(status, body)).toThrow(reason);
  });

  it('keeps Prometheus’ warnings, and values that are no numbers', () => {
    const body = JSON.stringify({
      status: 'success',
      warnings: ['PromQL info: metric might not be a counter'],
      data: {
        resultType: 'matrix',
        result: [
          {
            metric: { a: 'b' },
            values: [
              [1.5, 'NaN'],
              [2, '+Inf'],
            ],
          },
        ],
      },
    });
    expect(rangeOf(200, body)).toEqual({
      series: [
        {
          labels: { a: 'b' },
          points: [
            [1500, 'NaN'],
            [2000, '+Inf'],
          ],
        },
      ],
      warnings: ['PromQL info: metric might not be a counter'],
    });
  });

  it('of too many points is cut, and says so', () => {
    const values = Array.from({ length: 1_000 }, (_, index) => [index, '1']);
    const result = Array.from({ length: 200 }, (_, index) => ({ metric: { n: String(index) }, values }));
    const range = rangeOf(200, JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }));
    expect(range.series).toHaveLength(100);
    expect(range.cut).toBe('only 100 of 200 series: more than 100000 points');
  });
});
