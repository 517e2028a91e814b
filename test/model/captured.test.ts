import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  capturedForm,
  carryOver,
  type ForeignField,
  type KubeObject,
  OUTSIDE_CAPTURED_FORM,
  type OutsideRow,
  PAUSED_BY,
} from '../../src/model/index.ts';
import { pair } from './any-object.ts';

type Values = Record<string, unknown>;

/** An object in which exactly the row's field is set, beside a name, a label and a spec of its own. */
function objectWith(row: OutsideRow, kind = row.kind === '*' ? 'Widget' : row.kind): KubeObject {
  const annotations: Values = { own: 'a', ...(row.when === 'held' ? { [PAUSED_BY]: 'run-1' } : {}) };
  const object: Values = {
    apiVersion: 'example.com/v1',
    kind,
    metadata: { name: 'x', namespace: 'n', labels: { own: 'l' }, annotations, finalizers: ['own/f'] },
    spec: { own: 1, ports: [{ name: 'http', port: 80 }], selector: { own: 's' } },
  };
  const value = row.when === 'empty' ? {} : 'VALUE';
  const parts = row.path.match(/\["[^"]*"\]|\[=[^\]]*\]|\[\*\]|[^.[\]]+/g) ?? [];
  let at: unknown = object;
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1;
    const next = parts[index + 1];
    if (part.startsWith('[=')) (at as unknown[]).push(part.slice(2, -1));
    else if (part === '[*]') {
      const items = at as Values[];
      if (items.length === 0) items.push({ name: 'item' });
      at = items[0];
    } else {
      const key = part.startsWith('["') ? part.slice(2, -2).replace('*', 'some') : part;
      const map = at as Values;
      if (last) map[key] = value;
      else at = map[key] ??= next?.startsWith('[=') || next === '[*]' ? [] : {};
    }
  }
  return object as unknown as KubeObject;
}

/** The object as it would be had the row's field never been set. */
function objectWithout(row: OutsideRow): KubeObject {
  return capturedForm(objectWith({ ...row, path: 'spec.own', onWrite: 'server' }));
}

describe('the table of what lies outside captured form', () => {
  it.each(OUTSIDE_CAPTURED_FORM.map((row) => ({ title: `${row.kind} ${row.path}`, row })))(
    'takes $title away and leaves what is the object’s own',
    ({ row }) => {
      const captured = capturedForm(objectWith(row));
      expect(canonicalJson(captured)).not.toContain('VALUE');
      const { metadata, spec } = captured as unknown as { metadata: Values; spec: Values };
      const emptied = row.when === 'empty' ? row.path.split('.').at(-1) : undefined;
      if (!(emptied === 'labels' && row.path.startsWith('metadata'))) expect(metadata['labels']).toEqual({ own: 'l' });
      if (!(emptied === 'annotations' && row.path.startsWith('metadata')))
        expect(metadata['annotations']).toEqual({ own: 'a' });
      expect(spec['own']).toBe(1);
    },
  );

  it('has no row twice and a reason in each', () => {
    const names = OUTSIDE_CAPTURED_FORM.map(({ kind, path }) => `${kind} ${path}`);
    expect(new Set(names).size).toBe(names.length);
    expect(OUTSIDE_CAPTURED_FORM.every(({ why }) => why.length > 10)).toBe(true);
  });

  it('keeps on a write every field that it says is kept, and nothing that it says is dropped', () => {
    for (const row of OUTSIDE_CAPTURED_FORM) {
      const live = objectWith(row);
      const pod = { spec: { containers: [] } };
      const spec = {
        own: 1,
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        ports: [{ name: 'http', port: 80 }, { name: 'item' }],
        selector: { own: 's' },
        claimRef: { name: 'c' },
        template: pod,
        jobTemplate: { spec: { template: pod } },
      };
      const target: KubeObject = { ...objectWithout(row), spec };
      const written = canonicalJson(carryOver(live, target));
      const shadowed = row.path.includes('last-applied') && row.kind === 'Secret';
      const expected = row.onWrite === 'keep' && !shadowed;
      // A value in a finalizer is its own name; everything else was set to VALUE.
      const mark = /\[=(.*)\]$/.exec(row.path)?.[1] ?? 'VALUE';
      expect([row.kind, row.path, written.includes(mark)]).toEqual([row.kind, row.path, expected]);
    }
  });
});

const service = (spec: Values, metadata: Values = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'n', ...metadata },
  spec,
});

describe('capturedForm', () => {
  it('keeps the headless setting of a Service, and drops an address that the cluster gave', () => {
    expect(capturedForm(service({ clusterIP: 'None', clusterIPs: ['None'] }))['spec']).toEqual({
      clusterIP: 'None',
      clusterIPs: ['None'],
    });
    expect(
      capturedForm(service({ type: 'ClusterIP', clusterIP: '10.0.0.7', clusterIPs: ['10.0.0.7'] }))['spec'],
    ).toEqual({ type: 'ClusterIP' });
  });

  it('keeps the families of a Service that asks for two', () => {
    const two = { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] };
    expect(capturedForm(service(two))['spec']).toEqual(two);
    expect(capturedForm(service({ ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] }))['spec']).toEqual({
      ipFamilyPolicy: 'SingleStack',
    });
  });

  it('keeps a pause that is not ours', () => {
    const paused = (annotations: Record<string, string>): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd', annotations },
      spec: { replicas: 1, paused: true },
    });
    expect(capturedForm(paused({}))['spec']).toEqual({ replicas: 1, paused: true });
    expect(capturedForm(paused({ [PAUSED_BY]: 'run-1' }))['spec']).toEqual({ replicas: 1 });
  });

  it('keeps empty maps that mean something', () => {
    const policy: KubeObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'p' },
      spec: { podSelector: {}, ingress: [{}], egress: [] },
    };
    expect(capturedForm(policy)).toEqual(policy);
    const pod = { containers: [{ name: 'c', resources: {} }], volumes: [{ name: 'v', emptyDir: {} }] };
    const deployment: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { template: { spec: pod } },
    };
    expect(capturedForm(deployment)['spec']).toEqual({ template: { spec: pod } });
  });

  it('keeps fields that nobody knows, at any depth', () => {
    const widget: KubeObject = {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: 'w', newMeta: 1 },
      spec: { a: [{ b: null, c: [] }] },
      extra: { d: 1.5 },
    };
    expect(capturedForm(widget)).toEqual(widget);
  });

  it('stores the strings of a Secret as the server would, so that none stays readable', () => {
    const secret = capturedForm({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      data: { a: 'YQ==', b: 'eA==' },
      stringData: { b: 'geheim ü' },
    });
    expect(secret).not.toHaveProperty('stringData');
    expect(secret['data']).toEqual({ a: 'YQ==', b: Buffer.from('geheim ü').toString('base64') });
  });

  it('does not change the object it is given', () => {
    const object = service({ clusterIP: '10.0.0.7' }, { uid: 'u', finalizers: ['b', 'a'] });
    const before = canonicalJson(object);
    capturedForm(object, [{ kind: 'Service', path: 'spec' }]);
    expect(canonicalJson(object)).toBe(before);
  });

  const foreign: readonly ForeignField[] = [
    { kind: 'Deployment', name: 'web*', path: 'spec.replicas' },
    { kind: '*', path: 'spec.template.spec.containers[name=istio-proxy]' },
    { kind: 'Deployment', path: 'spec.template.spec.containers[name=app].env[name=INJECTED]' },
  ];
  const deployment = (name: string, replicas: number, containers: readonly Values[]): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, template: { spec: { containers } } },
  });

  it('leaves out what the stack declares foreign, by kind and name', () => {
    const [web, other] = ['web-1', 'other'].map((name) =>
      capturedForm(
        deployment(name, 3, [{ name: 'istio-proxy' }, { name: 'app', env: [{ name: 'INJECTED' }] }]),
        foreign,
      ),
    );
    expect(web?.['spec']).toEqual({ template: { spec: { containers: [{ name: 'app' }] } } });
    expect(other?.['spec']).toEqual({ replicas: 3, template: { spec: { containers: [{ name: 'app' }] } } });
  });

  it('takes foreign fields from the live object when writing, in their place', () => {
    const live = deployment('web-1', 7, [
      { name: 'istio-proxy', image: 'p' },
      { name: 'app', image: 'new', env: [{ name: 'INJECTED', value: 'i' }, { name: 'A' }] },
    ]);
    const target = deployment('web-1', 2, [{ name: 'app', image: 'old' }]);
    expect(carryOver(live, target, { foreign })['spec']).toEqual({
      replicas: 7,
      template: {
        spec: {
          containers: [
            { name: 'istio-proxy', image: 'p' },
            { name: 'app', image: 'old', env: [{ name: 'INJECTED', value: 'i' }] },
          ],
        },
      },
    });
  });
});

describe('carryOver', () => {
  it('keeps address and node ports of a Service that stays what it is', () => {
    const live = service({
      type: 'NodePort',
      clusterIP: '10.0.0.7',
      clusterIPs: ['10.0.0.7'],
      ports: [
        { name: 'a', port: 80, nodePort: 30001 },
        { name: 'b', port: 81, nodePort: 30002 },
      ],
    });
    const target = service({
      type: 'NodePort',
      ports: [
        { name: 'b', port: 8081 },
        { name: 'c', port: 82 },
      ],
    });
    expect(carryOver(live, target)['spec']).toEqual({
      type: 'NodePort',
      clusterIP: '10.0.0.7',
      clusterIPs: ['10.0.0.7'],
      ports: [
        { name: 'b', port: 8081, nodePort: 30002 },
        { name: 'c', port: 82 },
      ],
    });
  });

  it('gives no address to a Service that becomes headless or external', () => {
    const live = service({
      type: 'NodePort',
      clusterIP: '10.0.0.7',
      clusterIPs: ['10.0.0.7'],
      ipFamilies: ['IPv4'],
      ports: [{ port: 80, protocol: 'TCP', nodePort: 30001 }],
    });
    const headless = service({ clusterIP: 'None', ports: [{ port: 80, protocol: 'TCP' }] });
    expect(carryOver(live, headless)['spec']).toEqual(headless['spec']);
    const external = service({ type: 'ExternalName', externalName: 'x.example' });
    expect(carryOver(live, external)['spec']).toEqual(external['spec']);
  });

  it('asks for the version that was read only when told', () => {
    const live = service({}, { resourceVersion: '7' });
    expect(carryOver(live, service({})).metadata.resourceVersion).toBeUndefined();
    expect(carryOver(live, service({}), { precondition: true }).metadata.resourceVersion).toBe('7');
  });

  it('keeps the hold of a run, but not over a target that is paused itself', () => {
    const live: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd', annotations: { [PAUSED_BY]: 'run-1' } },
      spec: { paused: true },
    };
    const target: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: {} };
    expect(carryOver(live, target)).toMatchObject({
      metadata: { annotations: { [PAUSED_BY]: 'run-1' } },
      spec: { paused: true },
    });
    const paused = { ...target, spec: { paused: true } };
    expect(capturedForm(carryOver(live, paused))['spec']).toEqual({ paused: true });
  });
});

const foreignFields: readonly ForeignField[] = [
  { kind: '*', path: 'spec.replicas' },
  { kind: 'Deployment', path: 'spec.template.spec.containers[name=side]' },
  { kind: 'Rollout', path: 'spec.template.spec.containers[name=app].env[name=A]' },
  { kind: 'Service', path: 'metadata.labels["app"]' },
];

describe('captured form as a whole', () => {
  it('is the same when it is taken twice', () => {
    fc.assert(
      fc.property(pair, fc.boolean(), ([object], withForeign) => {
        const foreign = withForeign ? foreignFields : [];
        const once = capturedForm(object, foreign);
        expect(canonicalJson(capturedForm(once, foreign))).toBe(canonicalJson(once));
      }),
      { numRuns: 500 },
    );
  });

  it('of what is written over any live object equals the target’s', () => {
    fc.assert(
      fc.property(pair, fc.boolean(), ([live, wanted], withForeign) => {
        const foreign = withForeign ? foreignFields : [];
        const target = capturedForm(wanted, foreign);
        expect(canonicalJson(capturedForm(carryOver(live, target, { foreign }), foreign))).toBe(canonicalJson(target));
      }),
      { numRuns: 1000 },
    );
  });
});
