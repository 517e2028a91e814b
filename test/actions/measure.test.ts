import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askPrometheus, askRoute, type MeasureDeps } from '../../src/actions/measure.ts';
import { createHttpClient } from '../../src/adapters/system/index.ts';
import { BackstayError } from '../../src/errors/index.ts';
import type { KubeObject } from '../../src/model/index.ts';
import type { HttpAnswer } from '../../src/ports/index.ts';
import { fakeCluster } from '../hooks/fake-cluster.ts';
import { standInPrometheus } from '../support/prometheus.ts';

const http = createHttpClient();
afterAll(async () => await http.close());

const clock = { monotonic: () => performance.now() };
const stack = { namespaces: ['shop'] };
const down = async (): Promise<never> => {
  await Promise.resolve();
  throw new BackstayError('CLUSTER_UNREACHABLE', 'the API server does not answer');
};
const outside: MeasureDeps = { stack, http, clock, cluster: down };

const SERVICE: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'api', namespace: 'shop' } };
const via = { service: 'api', port: 80 };

function inside(objects: readonly KubeObject[], answer: HttpAnswer): MeasureDeps {
  const cluster = fakeCluster({ objects, proxy: () => answer });
  return { ...outside, cluster: async () => await Promise.resolve(cluster) };
}

const ask = async (deps: MeasureDeps, url: string, isInside = true, timeoutMs = 5_000) =>
  await askRoute({ target: { url, ...(isInside ? { via } : {}) }, accept: [200] }, { timeoutMs }, deps);

describe('a route inside the cluster', () => {
  test.each([
    ['is good with a status that counts', { status: 200, headers: {}, body: '' }, true],
    ['is not with another', { status: 500, headers: {}, body: '' }, false],
    [
      'is not when no pod is behind it',
      {
        status: 503,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', code: 503, message: 'no endpoints available' }),
      },
      false,
    ],
  ])('%s', async (_name, answer, isGood) => {
    expect(await ask(inside([SERVICE], answer), '/health')).toMatchObject({ isGood });
  });

  test.each([
    ['it is not there', inside([], { status: 200, headers: {}, body: '' }), 'TARGET_UNRESOLVED'],
    ['its cluster is not', outside, 'CLUSTER_UNREACHABLE'],
  ])('says nothing about itself where %s', async (_name, deps, code) => {
    await expect(ask(deps, '/health')).rejects.toMatchObject({ code });
  });
});

describe('a route outside', () => {
  let url: string;
  const server = createServer((request, response) => {
    if (request.url === '/slow') return;
    response.writeHead(request.url === '/bad' ? 500 : 200).end();
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test('is asked while the cluster is down, and its time is taken', async () => {
    const { isGood, latencyMs } = await ask(outside, `${url}/`, false);
    expect(isGood).toBe(true);
    expect(latencyMs).toBeGreaterThan(0);
  });

  test.each([
    ['fails', '/bad', 5_000],
    ['gives no answer in time', '/slow', 200],
  ])('is not good when it %s', async (_name, path, timeoutMs) => {
    expect(await ask(outside, url + path, false, timeoutMs)).toMatchObject({ isGood: false });
  });

  test('is not good when nobody listens', async () => {
    expect(await ask(outside, 'http://127.0.0.1:9/', false)).toMatchObject({ isGood: false });
  });

  test('is a Prometheus as well', async () => {
    await using prometheus = await standInPrometheus();
    const query = async (text: string) =>
      await askPrometheus({ prometheus: { url: prometheus.url }, query: text }, { timeoutMs: 5_000 }, outside);
    expect(await query('up')).toBe(1);
    expect(await query('absent_metric')).toBeUndefined();
    await expect(query('{{{')).rejects.toMatchObject({ code: 'METRICS_REFUSED' });
  });
});
