import { afterAll, describe, expect, test } from 'vitest';
import { createHttpClient } from '../../src/adapters/system/index.ts';
import { askTarget } from '../../src/hooks/index.ts';
import { routeOf } from '../../src/hooks/http-target.ts';
import type { KubeObject } from '../../src/model/index.ts';
import { fakeCluster } from './fake-cluster.ts';
import { localServer } from './server.ts';

const http = createHttpClient();
afterAll(async () => await http.close());

const SERVICE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'gateway', namespace: 'production' },
};

function anIngress(part: { spec?: object; address?: object } = {}): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'production' },
    spec: { rules: [{ host: 'kg.example' }], ...part.spec },
    status: { loadBalancer: { ingress: part.address === undefined ? [] : [part.address] } },
  };
}

const ask = { method: 'GET', timeoutMs: 2_000 };

describe('a target', () => {
  test('through a service goes over the API server, to the port and path that it names', async () => {
    const seen: unknown[] = [];
    const cluster = fakeCluster({
      objects: [SERVICE],
      proxy: (request) => {
        seen.push(request);
        return { status: 200, headers: {}, body: 'fine' };
      },
    });
    const via = { service: 'gateway', port: 80 };
    const answer = await askTarget({ url: '/health?deep=1', via }, ask, { cluster, http, namespace: 'production' });
    expect(answer.body).toBe('fine');
    expect(seen).toMatchObject([
      { namespace: 'production', service: 'gateway', port: 80, method: 'GET', path: '/health?deep=1' },
    ]);
  });

  test('takes a 503 of the API server itself for no answer, so that accepting 503 proves nothing', async () => {
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      code: 503,
      message: 'no endpoints available for service "gateway"',
    };
    const cluster = fakeCluster({
      objects: [SERVICE],
      proxy: () => ({ status: 503, headers: { 'content-type': 'application/json' }, body: JSON.stringify(status) }),
    });
    const request = askTarget({ url: '/health', via: { service: 'gateway', port: 80 } }, ask, {
      cluster,
      http,
      namespace: 'production',
    });
    await expect(request).rejects.toMatchObject({
      code: 'ENDPOINT_UNREACHABLE',
      message: expect.stringContaining('no endpoints available'),
    });
  });

  test('gives a 503 of the pods own as it is', async () => {
    const body = '{"status":"unavailable"}';
    const cluster = fakeCluster({
      objects: [SERVICE],
      proxy: () => ({ status: 503, headers: { 'content-type': 'application/json' }, body }),
    });
    const deps = { cluster, http, namespace: 'production' };
    expect(await askTarget({ url: '/health', via: { service: 'gateway', port: 80 } }, ask, deps)).toMatchObject({
      status: 503,
      body,
    });
  });

  test.each([
    ['a service', { url: '/', via: { service: 'gone', port: 80 } }, 'there is no service gone in production'],
    ['an ingress', { url: '/', via: { ingress: 'gone' } }, 'there is no ingress gone in production'],
    ['an address', { url: 'health' }, 'not an absolute URL'],
  ])('through %s that is not there is unresolved, not unhealthy', async (_what, target, message) => {
    const request = askTarget(target, ask, { cluster: fakeCluster(), http, namespace: 'production' });
    await expect(request).rejects.toMatchObject({
      code: 'TARGET_UNRESOLVED',
      message: expect.stringContaining(message),
    });
  });

  test('through an ingress connects to its address with the Host of its rule', async () => {
    await using server = await localServer(({ headers }) => ({ status: 200, body: headers.host ?? '' }));
    const cluster = fakeCluster({
      objects: [anIngress({ address: { ip: '127.0.0.1', ports: [{ port: server.port }] } })],
    });
    const answer = await askTarget({ url: '/health', via: { ingress: 'web' } }, ask, {
      cluster,
      http,
      namespace: 'production',
    });
    expect(answer.body).toBe('kg.example');
    expect(server.received).toMatchObject([{ url: '/health' }]);
  });

  test('keeps its own path and query when more is asked of it', async () => {
    await using server = await localServer(() => ({ status: 200 }));
    const target = { url: `${server.url}/am/?tenant=a` };
    await askTarget(
      target,
      { ...ask, path: '/api/v2/alerts' },
      { cluster: fakeCluster(), http, namespace: 'production' },
    );
    expect(server.received).toMatchObject([{ url: '/am/api/v2/alerts?tenant=a' }]);
  });
});

describe('the route of an ingress', () => {
  test.each([
    [
      'its first host and port 80',
      anIngress({ address: { ip: '10.0.0.1' } }),
      undefined,
      'http://kg.example 10.0.0.1:80',
    ],
    [
      'a host that is asked for',
      anIngress({ address: { ip: '10.0.0.1' } }),
      'other.example',
      'http://other.example 10.0.0.1:80',
    ],
    [
      'a named load balancer',
      anIngress({ address: { hostname: 'lb.example' } }),
      undefined,
      'http://kg.example lb.example:80',
    ],
    [
      'a port of its own',
      anIngress({ address: { ip: '127.0.0.1', ports: [{ port: 8080 }] } }),
      undefined,
      'http://kg.example 127.0.0.1:8080',
    ],
    [
      'TLS',
      anIngress({ spec: { tls: [{ hosts: ['kg.example'] }] }, address: { ip: '10.0.0.1' } }),
      undefined,
      'https://kg.example 10.0.0.1:443',
    ],
    [
      'TLS of another host',
      anIngress({ spec: { tls: [{ hosts: ['x'] }] }, address: { ip: '10.0.0.1' } }),
      undefined,
      'http://kg.example 10.0.0.1:80',
    ],
    [
      'no host at all',
      anIngress({ spec: { rules: [{}] }, address: { ip: '10.0.0.1' } }),
      undefined,
      'http://10.0.0.1 10.0.0.1:80',
    ],
  ])('is, with %s, what a browser would take', (_what, ingress, host, expected) => {
    const route = routeOf(ingress, host);
    expect(`${route.scheme}://${route.host} ${route.address.host}:${route.address.port}`).toBe(expected);
  });

  test('is unresolved while no controller has given it an address', () => {
    expect(() => routeOf(anIngress(), undefined)).toThrow(/no address in its status/);
  });
});
