import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../../src/model/index.ts';
import { routeDial } from '../../../../src/sandbox/node/network/dial.ts';
import { serviceNames } from '../../../../src/sandbox/node/network/names.ts';
import { type Route, RoutingTable } from '../../../../src/sandbox/node/network/routing-table.ts';

const service = (name: string, spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec,
});

const slice = (
  name: string,
  of: string,
  endpoints: readonly object[],
  ports: readonly object[] = [{ name: 'http', port: 8080 }],
): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  endpoints,
  ports,
});

const pod = (
  host: number,
  conditions: object = { ready: true, serving: true, terminating: false },
  hostname?: string,
): object => ({
  addresses: [`10.244.1.${host}`],
  conditions,
  ...(hostname === undefined ? {} : { hostname }),
});

const table = (...endpoints: object[]): RoutingTable => {
  const made = new RoutingTable();
  made.applyService(
    'added',
    service('web', {
      clusterIP: '10.96.0.9',
      clusterIPs: ['10.96.0.9'],
      ports: [
        { name: 'http', port: 80 },
        { name: 'none', port: 81 },
      ],
    }),
  );
  made.applySlice('added', slice('web-1', 'web', endpoints));
  return made;
};

const shown = (route: Route): string =>
  route.ok ? route.endpoints.map(({ host, port }) => `${host}:${port}`).join(' ') : `${route.why}: ${route.reason}`;

describe('the route to a Service', () => {
  test.each(['web', 'web.shop', 'web.shop.svc', 'web.shop.svc.cluster.local', 'WEB.shop.svc.', '10.96.0.9'])(
    'is found by %s',
    (host) => {
      expect(shown(table(pod(2)).route(host, 80, 'shop'))).toBe('127.244.1.2:8080');
    },
  );

  test('takes the ready endpoints in turn', () => {
    const made = table(pod(2), pod(3, { ready: false }), pod(4));
    const firsts = [1, 2, 3].map(() => shown(made.route('web.shop', 80)).split(' ')[0]);
    expect(firsts).toEqual(['127.244.1.2:8080', '127.244.1.4:8080', '127.244.1.2:8080']);
  });

  test('falls back to endpoints that end but still serve, and to nothing else', () => {
    const ending = { ready: false, serving: true, terminating: true };
    expect(shown(table(pod(2, ending), pod(3, { ready: false, serving: false })).route('web.shop', 80))).toBe(
      '127.244.1.2:8080',
    );
    expect(shown(table(pod(2, ending), pod(3)).route('web.shop', 80))).toBe('127.244.1.3:8080');
  });

  test('is refused with a reason when nothing is ready, the port or the name is unknown', () => {
    expect(shown(table().route('web.shop', 80))).toBe(
      'unavailable: Service shop/web has no ready endpoint for port 80',
    );
    expect(shown(table(pod(2)).route('web.shop', 99))).toBe(
      'unavailable: Service shop/web has no port 99 (it has 80, 81)',
    );
    expect(shown(table(pod(2)).route('web.other', 80))).toBe('unknown: no Service answers to web.other');
    expect(shown(table(pod(2)).route('web', 80, 'other'))).toBe('unknown: no Service answers to web');
  });

  test('follows what is changed and removed', () => {
    const made = table(pod(2));
    made.applySlice('modified', slice('web-1', 'web', [pod(7)]));
    expect(shown(made.route('web.shop', 80))).toBe('127.244.1.7:8080');
    made.applyService('modified', service('web', { clusterIP: '10.96.0.10', ports: [{ name: 'http', port: 80 }] }));
    expect(made.route('10.96.0.9', 80).ok).toBe(false);
    expect(made.route('10.96.0.10', 80).ok).toBe(true);
    made.applySlice('deleted', slice('web-1', 'web', []));
    expect(made.route('web.shop', 80).ok).toBe(false);
    made.applyService('deleted', service('web', {}));
    expect(shown(made.route('web.shop', 80))).toContain('unknown');
  });

  test('of a headless name leads to the pods by the client’s own port, one of them by its host name', () => {
    const made = new RoutingTable();
    made.applyService('added', service('db', { clusterIP: 'None', ports: [{ name: 'pg', port: 5432 }] }));
    made.applySlice(
      'added',
      slice(
        'db-1',
        'db',
        [pod(2, { ready: true }, 'db-0'), pod(3, { ready: true }, 'db-1')],
        [{ name: 'pg', port: 5432 }],
      ),
    );
    expect(shown(made.route('db.shop.svc', 5432))).toBe('127.244.1.2:5432 127.244.1.3:5432');
    expect(shown(made.route('db-1.db.shop.svc.cluster.local', 5432))).toBe('127.244.1.3:5432');
    expect(shown(made.route('db-1.db', 5432, 'shop'))).toBe('127.244.1.3:5432');
    expect(made.addresses('db.shop', 'other')).toEqual(['10.244.1.2', '10.244.1.3']);
  });

  test('of an external name leaves the cluster', () => {
    const made = new RoutingTable();
    made.applyService('added', service('out', { type: 'ExternalName', externalName: 'example.com' }));
    expect(shown(made.route('out.shop', 443))).toBe('example.com:443');
  });

  test('of an Ingress backend is found by number or name of the port', () => {
    const made = table(pod(2));
    expect(made.routeBackend('shop', 'web', 80).ok).toBe(true);
    expect(made.routeBackend('shop', 'web', 'http').ok).toBe(true);
    expect(shown(made.routeBackend('shop', 'web', 'x'))).toBe('unknown: Service shop/web has no port x');
  });
});

describe('a dial', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1:9'],
    ['localhost', '127.0.0.1:9'],
    ['10.244.5.6', '127.244.5.6:9'],
    ['web.shop', 'unavailable: the node has not started yet'],
  ])('of %s goes to %s without a routing table', (host, expected) => {
    expect(shown(routeDial(undefined, host, 9))).toBe(expected);
  });
});

describe('names of the cluster', () => {
  test.each([
    ['web', ['web.shop']],
    ['web.other', ['web.other', 'web/other.shop']],
    ['web.other.svc', ['web.other']],
    ['p.web.other.svc.cluster.local', ['p/web.other']],
    ['www.example.com', []],
    ['localhost', []],
    ['a..svc', []],
    ['a.b.c.d.svc', []],
  ])('%s may mean %j', (host, meanings) => {
    const names = serviceNames(host, 'shop').map(
      (name) => `${name.hostname === undefined ? '' : `${name.hostname}/`}${name.service}.${name.namespace}`,
    );
    expect(names).toEqual(meanings);
  });
});
