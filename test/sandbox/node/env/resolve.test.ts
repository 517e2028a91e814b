import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expand } from '../../../../src/sandbox/node/env/expand.ts';
import { parseQuantity, quantityIn } from '../../../../src/sandbox/node/env/quantity.ts';
import { envSources, resolveEnv, textData } from '../../../../src/sandbox/node/env/resolve.ts';
import type { Container } from '../../../../src/sandbox/node/pods/pod-types.ts';
import { factsOf } from '../pods-for-tests.ts';

const OBJECTS: Record<string, Record<string, string>> = {
  'ConfigMap/app': { BACKEND: 'docling', 'a.key': 'dotted', SHARED: 'from-config' },
  'Secret/login': { PASSWORD: 's3cret', SHARED: 'from-secret' },
};

const resolve = (parts: Omit<Container, 'name'>): ReturnType<typeof resolveEnv> => {
  const container = { name: 'main', ...parts };
  return resolveEnv(container, factsOf(container), (kind, name) => OBJECTS[`${kind}/${name}`]);
};

describe('the environment of a container', () => {
  test.each<[string, Omit<Container, 'name'>, Record<string, string>]>([
    ['plain values', { env: [{ name: 'A', value: '1' }, { name: 'B' }] }, { A: '1', B: '' }],
    [
      'references to earlier variables',
      {
        env: [
          { name: 'A', value: 'x' },
          { name: 'B', value: '$(A)/$(C)/$$(A)' },
        ],
      },
      { A: 'x', B: 'x/$(C)/$(A)' },
    ],
    [
      'references to envFrom',
      { envFrom: [{ configMapRef: { name: 'app' } }], env: [{ name: 'B', value: '$(BACKEND)!' }] },
      { BACKEND: 'docling', 'a.key': 'dotted', SHARED: 'from-config', B: 'docling!' },
    ],
    [
      'later sources win, env wins over envFrom',
      {
        envFrom: [{ configMapRef: { name: 'app' } }, { secretRef: { name: 'login' } }],
        env: [{ name: 'BACKEND', value: 'mineru' }],
      },
      { BACKEND: 'mineru', 'a.key': 'dotted', SHARED: 'from-secret', PASSWORD: 's3cret' },
    ],
    [
      'prefix',
      { envFrom: [{ prefix: 'P_', secretRef: { name: 'login' } }] },
      { P_PASSWORD: 's3cret', P_SHARED: 'from-secret' },
    ],
    [
      'optional sources that are missing',
      {
        envFrom: [{ configMapRef: { name: 'no', optional: true } }],
        env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'no', key: 'k', optional: true } } }],
      },
      {},
    ],
    ['keys', { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'app', key: 'a.key' } } }] }, { X: 'dotted' }],
    [
      'values from sources are not expanded',
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'X', valueFrom: { secretKeyRef: { name: 'login', key: 'PASSWORD' } } },
        ],
      },
      { A: '1', X: 's3cret' },
    ],
    [
      'fields',
      {
        env: [
          'metadata.name',
          'metadata.namespace',
          'metadata.uid',
          "metadata.labels['app']",
          "metadata.annotations['none']",
          'status.podIP',
          'status.hostIP',
          'spec.nodeName',
        ].map((fieldPath, index) => ({ name: `F${index}`, valueFrom: { fieldRef: { fieldPath } } })),
      },
      { F0: 'web-1', F1: 'shop', F2: 'uid-1', F3: 'web', F4: '', F5: '10.244.3.7', F6: '127.0.0.1', F7: 'node-1' },
    ],
    [
      'resources',
      {
        resources: { limits: { cpu: '1500m', memory: '64Mi' }, requests: { cpu: '250m' } },
        env: [
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
          { name: 'MILLI', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
          { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        ],
      },
      { CPU: '2', MILLI: '250', MEM: '64' },
    ],
    [
      'limits that are not set are those of the node',
      { env: [{ name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }] },
      { CPU: '4' },
    ],
  ])('resolves %s', (_title, parts, env) => {
    expect(resolve(parts)).toEqual({ ok: true, env });
  });

  test.each<[string, Omit<Container, 'name'>, string]>([
    ['a ConfigMap', { envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
    [
      'a Secret',
      { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'no', key: 'k' } } }] },
      'secret "no" not found',
    ],
    [
      'a key',
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'app', key: 'k' } } }] },
      "couldn't find key k in ConfigMap shop/app",
    ],
    [
      'a field',
      { env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.unknown' } } }] },
      'fieldPath spec.unknown is not supported',
    ],
  ])('names %s that is missing in a kubelet’s words', (_title, parts, message) => {
    expect(resolve(parts)).toMatchObject({ ok: false, message });
  });

  test('lists each source once', () => {
    const container: Container = {
      name: 'main',
      envFrom: [{ configMapRef: { name: 'app' } }],
      env: [
        { name: 'X', valueFrom: { configMapKeyRef: { name: 'app', key: 'k' } } },
        { name: 'Y', valueFrom: { secretKeyRef: { name: 'login', key: 'k' } } },
      ],
    };
    expect(envSources(container)).toEqual([
      { kind: 'ConfigMap', name: 'app' },
      { kind: 'Secret', name: 'login' },
    ]);
  });

  test('decodes the values of a Secret and not those of a ConfigMap', () => {
    const data = { k: Buffer.from('grün').toString('base64') };
    expect(textData({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data })).toEqual({ k: 'grün' });
    expect(textData({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 's' }, data })).toEqual(data);
  });
});

describe('expansion of references', () => {
  test.each([
    ['$(A)', '1'],
    ['x$(A)y', 'x1y'],
    ['$(NO)', '$(NO)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(A', '$(A'],
    ['$', '$'],
    ['$$', '$'],
    ['$(A)$(A)', '11'],
    ['$A', '$A'],
  ])('turns %s into %s', (text, expected) => {
    expect(expand(text, (name) => (name === 'A' ? '1' : undefined))).toBe(expected);
  });

  test('leaves text without a dollar sign alone', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes('$'));
        expect(expand(text, () => 'never')).toBe(text);
      }),
    );
  });

  test('gives an escaped text back as it was', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(expand(text.replaceAll('$', '$$$$'), () => 'never')).toBe(text);
      }),
    );
  });
});

describe('quantities', () => {
  test.each<[string | number, number | undefined]>([
    ['1', 1],
    ['500m', 0.5],
    ['1Ki', 1024],
    ['2G', 2e9],
    ['1.5', 1.5],
    ['1e3', 1000],
    [3, 3],
    ['x', undefined],
    ['1Q', undefined],
    ['', undefined],
  ])('reads %s', (text, value) => {
    expect(parseQuantity(text)).toBe(value);
  });

  test('rounds up to whole divisors without binary noise', () => {
    expect(quantityIn('300m', '100m')).toBe('3');
    expect(quantityIn('301m', '100m')).toBe('4');
    expect(quantityIn('1Gi', '1Mi')).toBe('1024');
  });
});
