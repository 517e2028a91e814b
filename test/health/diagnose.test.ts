import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/health/diagnose/index.ts';
import { type Observations, SECTIONS, type Seen } from '../../src/health/diagnose/types.ts';
import { type KubeObject, keyOf, PAUSED_BY } from '../../src/model/index.ts';
import { aDeployment, aPod } from '../hooks/fake-cluster.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const minutesAgo = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

const GATEWAY = aDeployment('gateway');
const READY = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const pod = (status: object, part: { metadata?: object; spec?: object } = {}): KubeObject => {
  const made = aPod('gateway-5f7b-x2x9p', 'gateway', '5f7b', 'gateway:2');
  return {
    ...made,
    metadata: { ...made.metadata, ...part.metadata },
    spec: { ...(made['spec'] as object), ...part.spec },
    status: { ...READY, ...status },
  };
};
const SERVICE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'gateway', namespace: 'production' },
  spec: { selector: { app: 'gateway' }, ports: [{ name: 'http', port: 80 }] },
};
const slice = (...ready: readonly boolean[]): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'gateway-abc', namespace: 'production', labels: { 'kubernetes.io/service-name': 'gateway' } },
  endpoints: ready.map((one) => ({ conditions: { ready: one } })),
});
const ingress = (backend: object, part: object = {}): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'main', namespace: 'production' },
  spec: { rules: [{ host: 'kg.example', http: { paths: [{ path: '/', backend }] } }], ...part },
  status: { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } },
});
const claim = (phase: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'production' },
  status: { phase },
});

function seen(part: Partial<Observations> & { readonly pod?: KubeObject } = {}): Observations {
  const { pod: own = pod({}), ...rest } = part;
  return {
    now: NOW,
    stack: 'medical-kg',
    objects: [GATEWAY, SERVICE, ingress({ service: { name: 'gateway', port: { number: 80 } } })],
    pods: new Map([[keyOf(GATEWAY), [own]]]),
    replicaSets: [],
    events: { value: [] },
    slices: { value: [slice(true)] },
    usage: { value: [] },
    names: { value: [{ name: 'postgres', reached: true, said: '' }] },
    databases: { value: [{ name: 'postgres', reached: true, said: '' }] },
    lease: { value: {} },
    runs: { value: [] },
    snapshots: { value: { count: 1, knownGood: { shortId: 'abc', capturedAt: minutesAgo(5) }, held: [], damaged: [] } },
    keys: { value: 'at hand' },
    flags: [{ name: 'backend', value: 'mineru', source: 'configmap/x' }],
    drift: { value: { shortId: 'abc', changed: [] } },
    engine: { value: [] },
    ...rest,
  };
}

const event = (reason: string, minutes: number, object = 'pod/gateway-5f7b-x2x9p', type = 'Warning') => ({
  at: minutesAgo(minutes),
  type,
  reason,
  object,
  namespace: 'production',
  message: `${reason} happened\nmore`,
  count: 2,
});
const waiting = (reason: string) => ({
  conditions: [{ type: 'Ready', status: 'False' }],
  containerStatuses: [
    {
      name: 'main',
      ready: false,
      restartCount: 4,
      state: { waiting: { reason, message: 'said so' } },
      lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: minutesAgo(1) } },
    },
  ],
});
const restarted = (minutes: number) => ({
  containerStatuses: [
    {
      name: 'main',
      ready: true,
      restartCount: 2,
      state: { running: {} },
      lastState: { terminated: { exitCode: 1, reason: 'Error', finishedAt: minutesAgo(minutes) } },
    },
  ],
});
const holder = { run: 'r1', user: 'ada', host: 'laptop', journal: '/j', phase: 'applied', since: minutesAgo(1) };
const withObjects = (...objects: readonly KubeObject[]): Partial<Observations> => ({
  objects: [GATEWAY, SERVICE, ...objects],
});

describe('a stack that is well', () => {
  it('has no findings, and every section says what was looked at', () => {
    const { grade, findings, sections } = diagnose(seen());
    expect({ grade, findings }).toEqual({ grade: 'ok', findings: [] });
    expect(sections.map(({ section }) => section)).toEqual([...SECTIONS]);
    for (const { grade: each, message } of sections) {
      expect(each).toBe('ok');
      expect(message).not.toBe('');
    }
  });
});

describe('a finding', () => {
  const CASES: readonly (readonly [string, Parameters<typeof seen>[0], string, 'bad' | 'warn', RegExp, RegExp])[] = [
    [
      'a crash loop',
      { pod: pod(waiting('CrashLoopBackOff')) },
      'pods',
      'bad',
      /CrashLoopBackOff.*last exit 137 \(OOMKilled\); container main restarted 4 times$/,
      /logs gateway-5f7b-x2x9p --previous$/,
    ],
    [
      'an image that is not there',
      { pod: pod(waiting('ImagePullBackOff')) },
      'pods',
      'bad',
      /ImagePullBackOff/,
      /describe pod/,
    ],
    [
      'a pod that hangs',
      { pod: pod({}, { metadata: { deletionTimestamp: minutesAgo(1) } }) },
      'pods',
      'bad',
      /hangs/,
      /describe pod/,
    ],
    [
      'a restart of lately',
      { pod: pod(restarted(10)) },
      'pods',
      'warn',
      /container main restarted 2 times, last exit 1 \(Error\)/,
      /--previous$/,
    ],
    [
      'a pod without a node',
      {
        pod: pod({
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no nodes' }],
        }),
      },
      'pods',
      'warn',
      /Unschedulable/,
      /describe pod/,
    ],
    [
      'a rollout past its deadline',
      {
        objects: [
          aDeployment('gateway', {
            status: { conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] },
          }),
        ],
      },
      'workloads',
      'bad',
      /deadline/,
      /rollback medical-kg --to known-good --dry-run/,
    ],
    [
      'a rollout under way',
      { objects: [aDeployment('gateway', { status: { updatedReplicas: 0 } })] },
      'workloads',
      'warn',
      /0 of 1 updated/,
      /rollout status deployment\/gateway$/,
    ],
    [
      'a rollout that somebody paused',
      { objects: [aDeployment('gateway', { spec: { paused: true } })] },
      'revisions',
      'warn',
      /is paused/,
      /rollout resume/,
    ],
    [
      'a rollout that a run holds',
      {
        objects: [aDeployment('gateway', { spec: { paused: true }, metadata: { annotations: { [PAUSED_BY]: 'r9' } } })],
      },
      'revisions',
      'warn',
      /held by run r9/,
      /^backstay resume r9$/,
    ],
    [
      'a warning of lately',
      { events: { value: [event('BackOff', 3)] } },
      'events',
      'warn',
      /^BackOff: BackOff happened \(×2\)$/,
      /events --for pod\/gateway-5f7b-x2x9p$/,
    ],
    [
      'a Service without pods',
      { slices: { value: [] } },
      'services',
      'bad',
      /no endpoints: no pod has the labels app=gateway/,
      /get pods -l app=gateway$/,
    ],
    [
      'a Service whose pods are not ready',
      { slices: { value: [slice(false, false)] } },
      'services',
      'bad',
      /no ready endpoint, 2 not ready/,
      /get pods/,
    ],
    [
      'a route to no Service',
      withObjects(ingress({ service: { name: 'gone', port: { number: 80 } } })),
      'ingress',
      'bad',
      /kg\.example\/ leads to service gone, which is not there/,
      /describe ingress main/,
    ],
    [
      'a route to no port',
      withObjects(ingress({ service: { name: 'gateway', port: { name: 'grpc' } } })),
      'ingress',
      'bad',
      /port grpc of service gateway/,
      /describe ingress/,
    ],
    [
      'a route without its certificate',
      withObjects(ingress({ service: { name: 'gateway', port: { name: 'http' } } }, { tls: [{ secretName: 'tls' }] })),
      'ingress',
      'bad',
      /secret\/tls, is not there/,
      /describe ingress/,
    ],
    [
      'a route that no controller serves',
      withObjects({ ...ingress({ service: { name: 'gateway', port: { number: 80 } } }), status: {} }),
      'ingress',
      'warn',
      /no address/,
      /describe ingress/,
    ],
    [
      'memory near its limit',
      {
        pod: pod({}, { spec: { containers: [{ name: 'main', resources: { limits: { memory: '64Mi' } } }] } }),
        usage: {
          value: [
            {
              apiVersion: 'metrics.k8s.io/v1beta1',
              kind: 'PodMetrics',
              metadata: { name: 'gateway-5f7b-x2x9p', namespace: 'production' },
              containers: [{ name: 'main', usage: { memory: '62000Ki' } }],
            },
          ],
        },
      },
      'resources',
      'warn',
      /uses 95 % of its memory limit/,
      /top pod/,
    ],
    [
      'a name that does not resolve',
      { names: { value: [{ name: 'db', reached: false, said: 'ENOTFOUND' }] } },
      'names',
      'bad',
      /ENOTFOUND/,
      /evidence collect/,
    ],
    [
      'a data store that does not answer',
      { databases: { value: [{ name: 'db:5432', reached: false, said: 'ECONNREFUSED' }] } },
      'databases',
      'bad',
      /ECONNREFUSED/,
      /evidence collect/,
    ],
    ['a volume that is lost', withObjects(claim('Lost')), 'storage', 'bad', /is lost/, /describe pvc data/],
    [
      'a claim that a pod waits for',
      {
        ...withObjects(claim('Pending')),
        pod: pod({}, { spec: { volumes: [{ persistentVolumeClaim: { claimName: 'data' } }] } }),
        events: { value: [event('ProvisioningFailed', 60, 'persistentvolumeclaim/data')] },
      },
      'storage',
      'bad',
      /ProvisioningFailed happened, and a pod waits for it/,
      /describe pvc/,
    ],
    ['a claim that nobody uses', withObjects(claim('Pending')), 'storage', 'warn', /no pod uses it/, /describe pvc/],
    [
      'a run at work',
      { lease: { value: { holder } } },
      'lease',
      'warn',
      /ada on laptop holds the stack since .* in phase applied/,
      /history medical-kg/,
    ],
    [
      'a run left behind',
      { lease: { value: { holder, unfinished: holder } } },
      'lease',
      'bad',
      /left unfinished in phase applied .*journal \/j/,
      /^backstay resume r1$/,
    ],
    [
      'an unfinished run',
      {
        runs: { value: [{ run: 'r2', outcome: 'mixed', phase: 'applied', startedAt: minutesAgo(9), resumable: true }] },
      },
      'runs',
      'bad',
      /mixed in phase applied/,
      /^backstay resume r2$/,
    ],
    [
      'no known good',
      { snapshots: { value: { count: 2, held: [], damaged: [] } } },
      'snapshots',
      'warn',
      /none of 2 is known good/,
      /^backstay capture medical-kg$/,
    ],
    [
      'an old known good',
      {
        snapshots: {
          value: {
            count: 2,
            knownGood: { shortId: 'old', capturedAt: minutesAgo(60 * 24 * 31) },
            held: [],
            damaged: [],
          },
        },
      },
      'snapshots',
      'warn',
      /31 days old/,
      /capture/,
    ],
    [
      'a damaged snapshot',
      { snapshots: { value: { count: 1, held: [], damaged: ['x.json'] } } },
      'snapshots',
      'bad',
      /damaged/,
      /^backstay verify medical-kg$/,
    ],
    ['keys that are away', { keys: { why: 'KEY_MISSING: no identity' } }, 'keys', 'bad', /no identity/, /keys init/],
    [
      'a flag without a value',
      { flags: [{ name: 'f', value: null, source: 'configmap x is not there' }] },
      'flags',
      'warn',
      /not set: configmap x/,
      /--scope flags/,
    ],
    [
      'a drift',
      { drift: { value: { shortId: 'abc', changed: [keyOf(SERVICE)] } } },
      'drift',
      'warn',
      /1 object differs from it: service\/gateway/,
      /^backstay diff medical-kg --to known-good$/,
    ],
    [
      'a lock of the engine',
      { engine: { value: [{ who: 'ada@laptop (process 7)' }] } },
      'engine',
      'bad',
      /locked by ada@laptop/,
      /next run opens it/,
    ],
  ];

  it.each(CASES)('tells of %s', (_name, part, section, grade, message, next) => {
    const diagnosis = diagnose(seen(part));
    const found = diagnosis.findings.filter((finding) => finding.section === section);
    expect(found).toContainEqual(
      expect.objectContaining({ grade, message: expect.stringMatching(message), next: expect.stringMatching(next) }),
    );
    expect(diagnosis.sections.find((one) => one.section === section)?.grade).toBe(found[0]?.grade);
    if (grade === 'bad') expect(diagnosis.grade).toBe('bad');
  });

  it('is bad for a pod that runs for a moment between two crashes', () => {
    const between = { ...restarted(1), conditions: [{ type: 'Ready', status: 'False' }] };
    expect(diagnose(seen({ pod: pod(between) })).findings[0]).toMatchObject({ section: 'pods', grade: 'bad' });
  });

  it('is not made of what is long ago, nor of what is on purpose', () => {
    const quiet: readonly (Partial<Observations> & { pod?: KubeObject })[] = [
      { pod: pod(restarted(120)) },
      { pod: pod({}, { metadata: { deletionTimestamp: new Date(NOW + 30_000).toISOString() } }) },
      { events: { value: [event('BackOff', 60), event('Pulled', 1, 'pod/x', 'Normal')] } },
      {
        runs: {
          value: [{ run: 'r1', outcome: 'unfinished', phase: 'applied', startedAt: minutesAgo(1), resumable: true }],
        },
        lease: { value: { holder } },
      },
    ];
    const [first, second, third, fourth] = quiet.map((part) => diagnose(seen(part)));
    expect(first?.findings).toEqual([]);
    expect(second?.findings).toEqual([]);
    expect(third?.findings).toEqual([]);
    // The run at work is told by its lease alone.
    expect(fourth?.findings.map(({ section }) => section)).toEqual(['lease']);
  });

  it('of an event stands once for all pods of a workload', () => {
    const events = {
      value: [event('BackOff', 4, 'pod/gateway-5f7b-aaaaa'), event('BackOff', 2, 'pod/gateway-5f7b-bbbbb')],
    };
    const found = diagnose(seen({ events })).findings;
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      subject: 'pod/gateway-5f7b-bbbbb in production',
      message: 'BackOff: BackOff happened (×4)',
    });
  });
});

describe('what cannot be measured', () => {
  const PARTS = [
    'events',
    'slices',
    'usage',
    'names',
    'databases',
    'lease',
    'runs',
    'snapshots',
    'drift',
    'engine',
  ] as const;

  it.each(PARTS)('is unknown and says why: %s', (name) => {
    const { grade, findings, sections } = diagnose(seen({ [name]: { why: 'nobody may look' } as Seen<never> }));
    expect(sections.filter((one) => one.grade === 'unknown')).toMatchObject([{ message: 'nobody may look' }]);
    expect({ grade, findings }).toEqual({ grade: 'ok', findings: [] });
  });

  it('stays unknown where one of many could not be asked', () => {
    const names = { value: [{ name: 'db', reached: 'unknown' as const, said: 'no program that could ask' }] };
    const { grade, sections } = diagnose(seen({ names }));
    expect(grade).toBe('unknown');
    expect(sections.find(({ section }) => section === 'names')?.grade).toBe('unknown');
  });

  it('never hides what is bad: the worst comes first, whatever else there is', () => {
    const why = fc.constantFrom<Partial<Observations>>(...PARTS.map((name) => ({ [name]: { why: 'x' } })));
    fc.assert(
      fc.property(fc.array(why), (parts) => {
        const { grade, findings } = diagnose(
          seen({ ...Object.assign({}, ...parts), pod: pod(waiting('CrashLoopBackOff')) }),
        );
        expect(grade).toBe('bad');
        expect(findings[0]?.grade).toBe('bad');
      }),
    );
  });
});
