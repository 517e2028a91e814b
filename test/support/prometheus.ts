import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPrometheus } from '../../src/toolchain/prometheus.ts';

export interface PrometheusServer extends AsyncDisposable {
  readonly url: string;
}

/** Queries that the stand-in knows; their answers are Prometheus' own for such queries, by shape. */
const SERIES: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>> = {
  up: [{ __name__: 'up', job: 'gateway', instance: '10.0.0.1:8080' }],
  'vector(1)': [{}],
  absent_metric: [],
};

/**
 * Answers `/api/v1/query_range` as Prometheus 2 does: a matrix of one point a step, its error document for a query that
 * it cannot parse and for one with too many points; and `/api/v1/query` with a vector of one point a series. It stores
 * nothing: the value is a function of the time.
 */
export async function standInPrometheus(): Promise<PrometheusServer> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://prometheus');
    const text = (name: string): string => url.searchParams.get(name) ?? '';
    if (url.pathname === '/api/v1/query') return instant(text('query'), response);
    if (url.pathname !== '/api/v1/query_range') return send(response, 404, 'text/plain', '404 page not found\n');
    const [start, end, step] = [Number(text('start')), Number(text('end')), Number(text('step'))];
    const bad = (error: string): void => sendJson(response, 400, { status: 'error', errorType: 'bad_data', error });
    if (!(step > 0))
      return bad('invalid parameter "step": zero or negative query resolution step widths are not accepted.');
    if ((end - start) / step > 11_000)
      return bad(
        'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
      );
    const huge = /^huge\((\d+)\)$/.exec(text('query'));
    const series =
      huge === null ? SERIES[text('query')] : Array.from({ length: Number(huge[1]) }, (_, n) => ({ n: String(n) }));
    if (series === undefined)
      return bad(
        `invalid parameter "query": 1:1: parse error: unexpected character inside braces: '${text('query')[0]}'`,
      );
    const times = Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
    const result = series.map((metric) => ({ metric, values: times.map((time) => [time, '1']) }));
    sendJson(response, 200, { status: 'success', data: { resultType: 'matrix', result } });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function realPrometheus(): Promise<PrometheusServer> {
  const { prometheus } = await findPrometheus();
  const dir = await mkdtemp(join(tmpdir(), 'backstay-prometheus-'));
  await writeFile(join(dir, 'prometheus.yml'), 'global: {scrape_interval: 1s}\n');
  const child = spawn(
    prometheus,
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${dir}/data`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /Listening on"? address=(\S+)/.exec(said)?.[1];
      if (found !== undefined && said.includes('Server is ready')) resolve(found);
    });
    child.once('exit', () => reject(new TypeError(`prometheus ended: ${said}`)));
  });
  return {
    url: `http://${address}`,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function instant(query: string, response: ServerResponse): void {
  const series = query === 'vector(1) / 0' ? [{}] : SERIES[query];
  if (series === undefined)
    return sendJson(response, 400, {
      status: 'error',
      errorType: 'bad_data',
      error: 'invalid parameter "query": parse error',
    });
  const value = [Date.now() / 1_000, query === 'vector(1) / 0' ? '+Inf' : '1'];
  const data = { resultType: 'vector', result: series.map((metric) => ({ metric, value })) };
  sendJson(response, 200, { status: 'success', data });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', JSON.stringify(body));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}
