import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldChange, KubeObject } from '../../src/model/index.ts';
import { describeObject, diffObjects, sameForm } from '../../src/plan/diff.ts';
import { applyChanges } from './apply-changes.ts';
import { aConfigMap, aDeployment, aSecret, configMap, deployment, object, secret, shuffled } from './manifests.ts';

const paths = (changes: readonly FieldChange[]): readonly string[] =>
  changes.map(({ kind, path }) => `${kind} ${path}`);
const container = 'spec.template.spec.containers[name=gateway]';

describe('the difference of two objects', () => {
  const rows: readonly (readonly [string, KubeObject, KubeObject, readonly string[]])[] = [
    [
      'names a container by its name',
      deployment('gateway', { image: 'gateway:v2' }),
      deployment('gateway', { image: 'gateway:v1' }),
      [`changed ${container}.image`],
    ],
    [
      'names a variable by its name, wherever it stands',
      deployment('gateway', {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      }),
      deployment('gateway', {
        env: [
          { name: 'C', value: '3' },
          { name: 'B', value: '9' },
        ],
      }),
      [`removed ${container}.env[name=A]`, `changed ${container}.env[name=B].value`, `added ${container}.env[name=C]`],
    ],
    [
      'names a container port by number, and by protocol where it is not TCP',
      deployment('gateway', {
        ports: [
          { containerPort: 53, protocol: 'TCP' },
          { containerPort: 53, protocol: 'UDP' },
        ],
      }),
      deployment('gateway', { ports: [{ containerPort: 53, protocol: 'TCP', name: 'dns' }] }),
      [`added ${container}.ports[containerPort=53].name`, `removed ${container}.ports[containerPort=53,protocol=UDP]`],
    ],
    [
      'names a Service port by number',
      object('Service', 's', { spec: { ports: [{ port: 80, targetPort: 8080 }] } }),
      object('Service', 's', { spec: { ports: [{ port: 80, targetPort: 9090 }] } }),
      ['changed spec.ports[port=80].targetPort'],
    ],
    [
      'names a mount by its path and a source of variables by what it refers to',
      deployment('gateway', {
        volumeMounts: [{ mountPath: '/etc/app', name: 'x' }],
        envFrom: [{ configMapRef: { name: 'one' } }],
      }),
      deployment('gateway', {
        volumeMounts: [{ mountPath: '/etc/app', name: 'y' }],
        envFrom: [{ secretRef: { name: 'one' } }],
      }),
      [
        `removed ${container}.envFrom[configMap=one]`,
        `added ${container}.envFrom[secret=one]`,
        `changed ${container}.volumeMounts[mountPath=/etc/app].name`,
      ],
    ],
    [
      'names an ingress rule by host and path',
      object(
        'Ingress',
        'i',
        {
          spec: {
            rules: [
              {
                host: 'a.example',
                http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'old' } } }] },
              },
            ],
          },
        },
        'networking.k8s.io/v1',
      ),
      object(
        'Ingress',
        'i',
        {
          spec: {
            rules: [
              {
                host: 'a.example',
                http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'new' } } }] },
              },
            ],
          },
        },
        'networking.k8s.io/v1',
      ),
      ['changed spec.rules[host=a.example].http.paths[path=/,pathType=Prefix].backend.service.name'],
    ],
    [
      'compares rules without a key by their place',
      object('Role', 'r', { rules: [{ verbs: ['get'], resources: ['pods'] }] }, 'rbac.authorization.k8s.io/v1'),
      object('Role', 'r', { rules: [{ verbs: ['get', 'list'], resources: ['pods'] }] }, 'rbac.authorization.k8s.io/v1'),
      ['changed rules[0].verbs'],
    ],
    [
      'tells tolerations apart by everything that makes them one',
      deployment(
        'gateway',
        {},
        {
          template: {
            spec: {
              tolerations: [
                { key: 'a', effect: 'NoSchedule' },
                { key: 'a', effect: 'NoExecute' },
              ],
            },
          },
        },
      ),
      deployment(
        'gateway',
        {},
        { template: { spec: { tolerations: [{ key: 'a', effect: 'NoExecute', tolerationSeconds: 3 }] } } },
      ),
      [
        'added spec.template.spec.tolerations[key=a,effect=NoExecute].tolerationSeconds',
        'removed spec.template.spec.tolerations[key=a,effect=NoSchedule]',
      ],
    ],
    [
      'compares two items of one name by their place',
      deployment('gateway', {
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      }),
      deployment('gateway', {
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '3' },
        ],
      }),
      [`changed ${container}.env[1].value`],
    ],
    [
      'quotes keys that are no plain names',
      configMap('c', { 'app.yaml': 'a', plain: 'a' }),
      configMap('c', { 'app.yaml': 'b', plain: 'b' }),
      ['changed data["app.yaml"]', 'changed data.plain'],
    ],
    [
      'shows the keys of a map that was not there before one by one',
      configMap('c', {}),
      object('ConfigMap', 'c', {
        data: { a: '1' },
        metadata: { name: 'c', namespace: 'production', labels: { x: 'y' } },
      }),
      ['added data.a', 'added metadata.labels.x'],
    ],
    ['takes a finalizer list as a set', withFinalizers('a', 'b'), withFinalizers('b', 'a'), []],
    [
      'sees null and absence as different',
      object('X', 'x', { spec: { a: null } }, 'e.org/v1'),
      object('X', 'x', { spec: {} }, 'e.org/v1'),
      ['removed spec.a'],
    ],
    [
      'keeps the order of lists of custom resources, about which nothing is known',
      object('X', 'x', { spec: { steps: [{ name: 'a' }, { name: 'b' }] } }, 'e.org/v1'),
      object('X', 'x', { spec: { steps: [{ name: 'b' }, { name: 'a' }] } }, 'e.org/v1'),
      ['changed spec.steps[*]'],
    ],
  ];
  test.each(rows)('%s', (_title, before, after, expected) => {
    expect(paths(diffObjects(before, after))).toEqual(expected);
  });

  test('tells text of several lines line by line, without headers', () => {
    const before = configMap('c', { 'app.yaml': 'mode: docling\nlevel: info\nport: 1\n' });
    const [change] = diffObjects(before, configMap('c', { 'app.yaml': 'mode: mineru\nlevel: info\nport: 1\n' }));
    expect(change?.lines).toEqual(['@@ -1,3 +1,3 @@', '-mode: docling', '+mode: mineru', ' level: info', ' port: 1']);
  });

  test('shows texts whole that have little in common, instead of searching long for a small difference', () => {
    const text = (mark: string): string => Array.from({ length: 3000 }, (_, line) => `${mark} ${line}`).join('\n');
    const [change] = diffObjects(configMap('c', { t: text('old') }), configMap('c', { t: text('new') }));
    expect(change?.lines).toHaveLength(6000);
    expect(change?.lines?.[0]).toBe('-old 0');
  });

  test('says of a Secret which keys change, and no value of either side', () => {
    const changes = diffObjects(
      secret('s', { user: 'hash-1', old: 'hash-2' }),
      secret('s', { user: 'hash-3', new: 'hash-4' }),
    );
    expect(changes).toEqual([
      { path: 'data.new', kind: 'added', secret: true },
      { path: 'data.old', kind: 'removed', secret: true },
      { path: 'data.user', kind: 'changed', secret: true },
    ]);
  });

  test('of the order of variables is nothing while none refers to another, and a change when one does', () => {
    const plain = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ];
    const referring = [
      { name: 'A', value: '1' },
      { name: 'B', value: 'x-$(A)' },
    ];
    const escaped = [
      { name: 'A', value: '1' },
      { name: 'B', value: 'x-$$(A)' },
    ];
    const turned = (env: readonly unknown[]): readonly string[] =>
      paths(diffObjects(deployment('gateway', { env }), deployment('gateway', { env: env.toReversed() })));
    expect(turned(plain)).toEqual([]);
    expect(turned(escaped)).toEqual([]);
    expect(turned(referring)).toEqual([`changed ${container}.env[*]`]);
  });

  test('of the order of init containers is a change, because they run one after another', () => {
    const withInit = (...names: readonly string[]): KubeObject =>
      deployment(
        'gateway',
        {},
        { template: { spec: { initContainers: names.map((name) => ({ name, image: 'i' })) } } },
      );
    expect(diffObjects(withInit('a', 'b'), withInit('b', 'a'))).toEqual([
      { path: 'spec.template.spec.initContainers[*]', kind: 'changed', before: ['a', 'b'], after: ['b', 'a'] },
    ]);
    expect(paths(diffObjects(withInit('a'), withInit('b', 'a')))).toContain(
      'changed spec.template.spec.initContainers[*]',
    );
    expect(paths(diffObjects(withInit('a'), withInit('a', 'b')))).toEqual([
      'added spec.template.spec.initContainers[name=b]',
    ]);
  });

  test('describes a whole object as what it brings, without its identity', () => {
    expect(paths(describeObject(configMap('c', { a: '1' }), 'added'))).toEqual(['added data.a']);
    expect(paths(describeObject(configMap('c', { a: '1' }), 'removed'))).toEqual(['removed data.a']);
  });
});

describe('for any manifests', () => {
  const pair = fc.oneof(fc.tuple(aDeployment, aDeployment), fc.tuple(aConfigMap, aConfigMap));

  test('an object differs from itself in nothing', () => {
    fc.assert(
      fc.property(fc.oneof(aDeployment, aConfigMap, aSecret(fc.string())), (one) => {
        expect(diffObjects(one, structuredClone(one))).toEqual([]);
      }),
    );
  });

  test('applying the difference to one side gives the other', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(diffObjects(applyChanges(a, diffObjects(a, b)), b)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('the order of containers, ports and mounts makes no difference', () => {
    const shuffle = (one: KubeObject): fc.Arbitrary<KubeObject> => {
      const spec = one['spec'] as {
        template: { spec: { containers: { ports?: unknown[]; volumeMounts?: unknown[] }[] } };
      };
      const { containers } = spec.template.spec;
      const turned = containers.map(({ ports, volumeMounts, ...rest }) =>
        fc.record({
          ports: ports === undefined ? fc.constant(undefined) : shuffled(ports),
          volumeMounts: volumeMounts === undefined ? fc.constant(undefined) : shuffled(volumeMounts),
          rest: fc.constant(rest),
        }),
      );
      return fc
        .tuple(...turned)
        .chain((items) => shuffled(items.map(({ rest, ...lists }) => ({ ...rest, ...lists }))))
        .map((items) => ({
          ...one,
          spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers: items } } },
        }));
    };
    const twins = aDeployment.chain((one) => fc.tuple(fc.constant(one), shuffle(one)));
    fc.assert(
      fc.property(twins, ([a, b]) => {
        expect(sameForm(a, b)).toBe(true);
      }),
    );
  });

  test('both directions name the same fields, and the same difference is told the same way', () => {
    const plain = (changes: readonly FieldChange[]): readonly string[] =>
      changes.map(({ path }) => path).filter((path) => !path.endsWith('[*]'));
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(new Set(plain(diffObjects(a, b)))).toEqual(new Set(plain(diffObjects(b, a))));
        expect(diffObjects(structuredClone(a), structuredClone(b))).toEqual(diffObjects(a, b));
      }),
    );
  });

  test('no value of a Secret, nor of a copy of its manifest, is in the difference', () => {
    const value = fc.uuid().map((id) => `secret-${id}`);
    fc.assert(
      fc.property(aSecret(value), aSecret(value), (a, b) => {
        const told = JSON.stringify([diffObjects(a, b), describeObject(a, 'added'), describeObject(b, 'removed')]);
        expect(told).not.toMatch(/secret-[0-9a-f]{8}-/);
      }),
    );
  });
});

function withFinalizers(...finalizers: readonly string[]): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'production', finalizers } };
}
