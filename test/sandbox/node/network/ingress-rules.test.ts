import { describe, expect, test } from 'vitest';
import { type Ingress, matchIngress } from '../../../../src/sandbox/node/network/ingress-rules.ts';

type Row = readonly [
  host: string,
  path: string | undefined,
  type: 'Exact' | 'Prefix' | 'ImplementationSpecific',
  service: string,
];

const ingress = (name: string, rows: readonly Row[], fallback?: string, created = '2026-01-01T00:00:00Z'): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, namespace: 'shop', creationTimestamp: created },
  spec: {
    ...(fallback === undefined ? {} : { defaultBackend: { service: { name: fallback, port: { name: 'http' } } } }),
    rules: rows.map(([host, path, pathType, service]) => ({
      ...(host === '' ? {} : { host }),
      http: {
        paths: [
          {
            ...(path === undefined ? {} : { path }),
            pathType,
            backend: { service: { name: service, port: { number: 80 } } },
          },
        ],
      },
    })),
  },
});

const MAIN = ingress('main', [
  ['a.test', '/', 'Prefix', 'root'],
  ['a.test', '/api', 'Prefix', 'api'],
  ['a.test', '/api/v1', 'Exact', 'exact'],
  ['a.test', '/api/v1', 'Prefix', 'v1'],
  ['a.test', '/docs/', 'Prefix', 'docs'],
  ['*.test', '/', 'Prefix', 'wild'],
  ['', '/only', 'ImplementationSpecific', 'any'],
]);

describe('the backend of a request', () => {
  test.each([
    ['a.test', '/', 'root'],
    ['a.test', '/apis', 'root'],
    ['a.test', '/api', 'api'],
    ['a.test', '/api/', 'api'],
    ['a.test', '/api/v2', 'api'],
    ['a.test', '/api/v1', 'exact'],
    ['a.test', '/api/v1/', 'v1'],
    ['a.test', '/api/v1/x', 'v1'],
    ['a.test', '/docs', 'docs'],
    ['A.Test:8080', '/', 'root'],
    ['b.test', '/', 'wild'],
    ['x.b.test', '/', undefined],
    ['test', '/', undefined],
    ['elsewhere', '/only/x', 'any'],
    ['elsewhere', '/', undefined],
  ])('%s%s goes to %s', (host, path, service) => {
    expect(matchIngress([MAIN], host, path)?.service).toBe(service);
  });

  test('goes to a default backend when no rule matches', () => {
    const both = [MAIN, ingress('fallback', [], 'fallback')];
    expect(matchIngress(both, 'elsewhere', '/')).toEqual({ namespace: 'shop', service: 'fallback', port: 'http' });
    expect(matchIngress(both, 'a.test', '/')?.service).toBe('root');
  });

  test('is that of the older Ingress where two claim the same path', () => {
    const younger = ingress('a-younger', [['a.test', '/', 'Prefix', 'younger']], undefined, '2026-02-01T00:00:00Z');
    expect(matchIngress([younger, MAIN], 'a.test', '/')?.service).toBe('root');
  });
});
