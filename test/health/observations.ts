import type { Observations } from '../../src/health/diagnose/types.ts';
import { type KubeObject, keyOf } from '../../src/model/index.ts';
import { aDeployment, aPod } from '../hooks/fake-cluster.ts';

export const NOW = Date.parse('2026-01-01T12:00:00Z');
export const minutesAgo = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

const GATEWAY = aDeployment('gateway');
const READY = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
export const pod = (status: object, part: { metadata?: object; spec?: object } = {}): KubeObject => {
  const made = aPod('gateway-5f7b-x2x9p', 'gateway', '5f7b', 'gateway:2');
  return {
    ...made,
    metadata: { ...made.metadata, ...part.metadata },
    spec: { ...(made['spec'] as object), ...part.spec },
    status: { ...READY, ...status },
  };
};
export const SERVICE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'gateway', namespace: 'production' },
  spec: { selector: { app: 'gateway' }, ports: [{ name: 'http', port: 80 }] },
};
export const slice = (...ready: readonly boolean[]): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'gateway-abc', namespace: 'production', labels: { 'kubernetes.io/service-name': 'gateway' } },
  endpoints: ready.map((one) => ({ conditions: { ready: one } })),
});
export const ingress = (backend: object, part: object = {}): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'main', namespace: 'production' },
  spec: { rules: [{ host: 'kg.example', http: { paths: [{ path: '/', backend }] } }], ...part },
  status: { loadBalancer: { ingress: [{ ip: '10.0.0.1' }] } },
});
export const claim = (phase: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'production' },
  status: { phase },
});

/** A stack that is well, but for `part`. */
export function seen(part: Partial<Observations> & { readonly pod?: KubeObject } = {}): Observations {
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

export const event = (reason: string, minutes: number, object = 'pod/gateway-5f7b-x2x9p', type = 'Warning') => ({
  at: minutesAgo(minutes),
  type,
  reason,
  object,
  namespace: 'production',
  message: `${reason} happened\nmore`,
  count: 2,
});
export const waiting = (reason: string) => ({
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
export const restarted = (minutes: number) => ({
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
export const holder = { run: 'r1', user: 'ada', host: 'laptop', journal: '/j', phase: 'applied', since: minutesAgo(1) };
export const withObjects = (...objects: readonly KubeObject[]): Partial<Observations> => ({
  objects: [GATEWAY, SERVICE, ...objects],
});
