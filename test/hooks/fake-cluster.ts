import { BackstayError } from '../../src/errors/index.ts';
import { groupOf, type KubeObject, keyOf, type ObjectKey } from '../../src/model/index.ts';
import type { ApiKind, Cluster, HttpAnswer, Patch, ProxyRequest, WatchEvent } from '../../src/ports/index.ts';

/**
 * A cluster of plain objects in memory, for hooks, checks and steps. It keeps: get, list by equality labels, merge patches
 * with a new resourceVersion and generation, delete with uid and resourceVersion as preconditions, watch of one name that
 * begins with what is there. It has no controllers: a test plays them with `put`. Everything else throws.
 */
export interface FakeCluster extends Cluster {
  readonly objects: Map<ObjectKey, KubeObject>;
  readonly calls: string[];
  put(object: KubeObject): void;
  remove(key: ObjectKey): void;
}

export interface FakeClusterOptions {
  readonly objects?: readonly KubeObject[];
  readonly proxy?: (request: ProxyRequest) => Promise<HttpAnswer> | HttpAnswer;
  readonly onDelete?: (object: KubeObject, cluster: FakeCluster) => void;
  readonly onPatch?: (object: KubeObject, cluster: FakeCluster) => void;
}

export function fakeCluster(options: FakeClusterOptions = {}): FakeCluster {
  const objects = new Map<ObjectKey, KubeObject>();
  const calls: string[] = [];
  const listeners = new Set<(event: WatchEvent) => void>();
  let version = 1;
  const stamp = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { uid: `uid-${object.metadata.name}`, ...object.metadata, resourceVersion: String(version++) },
  });
  const tell = (event: WatchEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const cluster: FakeCluster = {
    objects,
    calls,
    put: (object) => {
      const stamped = stamp(object);
      const type = objects.has(keyOf(object)) ? 'modified' : 'added';
      objects.set(keyOf(object), stamped);
      tell({ type, object: stamped });
    },
    remove: (key) => {
      const object = objects.get(key);
      objects.delete(key);
      if (object !== undefined) tell({ type: 'deleted', object });
    },
    identity: async () => ({ uid: 'c1', version: 'v1.35.4', server: 'https://fake' }),
    kinds: async () => [],
    kindOf: async (apiVersion, kind) => apiKind(apiVersion, kind),
    get: async (ref) => objects.get(keyOf(ref)),
    list: async (kind, { namespace, labelSelector } = {}) => ({
      resourceVersion: String(version),
      items: [...objects.values()].filter(
        (o) =>
          o.kind === kind.kind &&
          groupOf(o.apiVersion) === kind.group &&
          (namespace === undefined || o.metadata.namespace === namespace) &&
          matches(o, labelSelector),
      ),
    }),
    patch: async (ref, patch) => {
      calls.push(`patch ${ref.kind}/${ref.name}`);
      const live = objects.get(keyOf(ref));
      if (live === undefined) throw new BackstayError('OBJECT_MOVED', `${ref.name} is gone`);
      const merged = merge(live, bodyOf(patch)) as KubeObject;
      const grown = { ...merged, metadata: { ...merged.metadata, generation: (live.metadata.generation ?? 1) + 1 } };
      cluster.put(grown);
      options.onPatch?.(grown, cluster);
      return objects.get(keyOf(ref)) as KubeObject;
    },
    delete: async (ref, { uid, resourceVersion } = {}) => {
      calls.push(`delete ${ref.kind}/${ref.name}`);
      const live = objects.get(keyOf(ref));
      if (live === undefined) return 'absent';
      const stale = resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion;
      if (stale || (uid !== undefined && uid !== live.metadata.uid))
        throw new BackstayError('OBJECT_MOVED', `${ref.name} moved`);
      if (options.onDelete === undefined) cluster.remove(keyOf(ref));
      else options.onDelete(live, cluster);
      return 'deleted';
    },
    watch: (kind, { name, namespace, signal }) =>
      watch(
        (o) =>
          o.kind === kind.kind &&
          (name === undefined || o.metadata.name === name) &&
          (namespace === undefined || o.metadata.namespace === namespace),
        signal,
        objects,
        listeners,
      ),
    proxy: async (request) => {
      if (options.proxy === undefined) throw new BackstayError('CLUSTER_UNREACHABLE', 'no proxy');
      return await options.proxy(request);
    },
    create: unused,
    apply: unused,
    replace: unused,
    logs: unused,
    exec: unused,
    forward: unused,
    close: async () => {},
  };
  for (const object of options.objects ?? []) cluster.put(object);
  return cluster;
}

async function* watch(
  wanted: (object: KubeObject) => boolean,
  signal: AbortSignal,
  objects: ReadonlyMap<ObjectKey, KubeObject>,
  listeners: Set<(event: WatchEvent) => void>,
): AsyncGenerator<WatchEvent> {
  const queue: WatchEvent[] = [...objects.values()].filter(wanted).map((object) => ({ type: 'added', object }));
  queue.push({ type: 'synced' });
  let wake = (): void => {};
  const listener = (event: WatchEvent): void => {
    if (event.type === 'synced' || !wanted(event.object)) return;
    queue.push(event);
    wake();
  };
  listeners.add(listener);
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    while (!signal.aborted) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    listeners.delete(listener);
  }
}

const PLURALS: Readonly<Record<string, string>> = { Ingress: 'ingresses' };

function apiKind(apiVersion: string, kind: string): ApiKind {
  const version = apiVersion.split('/').at(-1) ?? 'v1';
  const resource = PLURALS[kind] ?? `${kind.toLowerCase()}s`;
  return { group: groupOf(apiVersion), version, kind, resource, namespaced: true, verbs: ['get', 'list', 'watch'] };
}

function matches(object: KubeObject, selector: string | undefined): boolean {
  const labels = object.metadata.labels ?? {};
  return (selector ?? '')
    .split(',')
    .filter((term) => term.includes('='))
    .every((term) => {
      const [key = '', value] = term.split('=');
      return labels[key] === value;
    });
}

function bodyOf(patch: Patch): unknown {
  if (patch.type !== 'merge') throw new TypeError(`the fake cluster knows merge patches only, not ${patch.type}`);
  return patch.body;
}

/** RFC 7396. */
function merge(into: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base: Record<string, unknown> =
    typeof into === 'object' && into !== null && !Array.isArray(into) ? { ...into } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete base[key];
    else base[key] = merge(base[key], value);
  }
  return base;
}

async function unused(): Promise<never> {
  throw new TypeError('the fake cluster does not do this');
}

/** A Deployment whose controller is done with it, unless `status` says otherwise. */
export function aDeployment(
  name: string,
  part: { status?: object; spec?: object; metadata?: object } = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace: 'production',
      generation: 1,
      annotations: { 'deployment.kubernetes.io/revision': '2' },
      ...part.metadata,
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: `${name}:2` }] } },
      ...part.spec,
    },
    status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, ...part.status },
  };
}

export function aReplicaSet(name: string, owner: string, revision: string, hash: string): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: 'production',
      labels: { app: owner, 'pod-template-hash': hash },
      annotations: { 'deployment.kubernetes.io/revision': revision },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'Deployment', name: owner, uid: `uid-${owner}`, controller: true },
      ],
    },
  };
}

/** Owned by the ReplicaSet `app-hash`. */
export function aPod(name: string, app: string, hash: string, image: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'production',
      labels: { app, 'pod-template-hash': hash },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-${hash}`,
          uid: `uid-${app}-${hash}`,
          controller: true,
        },
      ],
    },
    spec: { containers: [{ name: 'main', image }] },
    status: { phase: 'Running' },
  };
}
