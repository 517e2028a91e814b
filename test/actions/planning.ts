import { createFsSnapshotStore } from '../../src/adapters/fs/index.ts';
import { type KubeObject, type PlanOptions, type Scope, type Stack } from '../../src/model/index.ts';
import { NO_OPTIONS, type PlanDeps, planRollback, type PlanResult } from '../../src/actions/plan.ts';
import type { Cluster, SnapshotStore } from '../../src/ports/index.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { newSnapshot, temporaryStore, type TemporaryStore } from '../support/snapshots.ts';

export interface Planning {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly place: TemporaryStore;
  readonly deps: PlanDeps;
  /** Brings objects into the cluster, in this namespace, as a person would. */
  readonly make: (...objects: readonly KubeObject[]) => Promise<void>;
  /** Writes an object over the live one, by the named manager. */
  readonly put: (object: KubeObject, manager?: string) => Promise<void>;
  /** Stores these objects as a snapshot of this cluster and gives its id. */
  readonly store: (objects: readonly KubeObject[], part?: Parameters<typeof newSnapshot>[2]) => Promise<string>;
  readonly plan: (
    target: string | undefined,
    part?: { scope?: Scope; options?: Partial<PlanOptions>; stack?: Partial<Stack> },
  ) => Promise<PlanResult>;
  readonly remove: () => Promise<void>;
}

/** A namespace of the test's own on the real API server, and a real store with real keys. */
export async function planning(overrides: Partial<Stack> = {}): Promise<Planning> {
  const { cluster } = await testCluster();
  const space = await testNamespace('plan');
  const namespace = space.name;
  const place = await temporaryStore('demo', { namespaces: [namespace], ...overrides });
  const { uid } = await cluster.identity();
  const clock = { now: () => Date.parse(place.now()), monotonic: () => 0, delay: async () => {} };
  const deps: PlanDeps = { stack: place.stack, cluster, store: place.store, hasher: place.hasher, clock };
  const here = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace },
  });
  return {
    cluster,
    namespace,
    place,
    deps,
    make: async (...objects) => {
      for (const object of objects) await cluster.create(here(object), { fieldManager: 'kubectl-create' });
    },
    // Without a resourceVersion: controllers annotate a new Deployment at any moment.
    put: async (object, manager = 'kubectl-edit') => {
      await cluster.replace(here(object), { fieldManager: manager });
    },
    store: async (objects, part) => {
      const placed = objects.map((object) => (isClusterScoped(object) ? object : here(object)));
      const { record } = await place.store.put('demo', newSnapshot(place, placed, part, { clusterUid: uid }));
      return record.id;
    },
    plan: async (target, part = {}) => {
      // The images of these tests are on no node, as they need not run.
      const options = { ...NO_OPTIONS, allowUnknownImages: true, ...part.options };
      const scope = part.scope ?? { kind: 'full' };
      return await planRollback({ target, scope, options }, { ...deps, stack: { ...place.stack, ...part.stack } });
    },
    remove: async () => {
      await Promise.all([space.remove(), place.remove()]);
    },
  };
}

function isClusterScoped({ kind }: KubeObject): boolean {
  return kind === 'Namespace' || kind === 'CustomResourceDefinition';
}

/** A store that reads the same files without any key. */
export function keylessStore(place: TemporaryStore): SnapshotStore {
  const nowhere = { env: 'BACKSTAY_TEST_NO_SUCH_KEY' };
  const stack = { ...place.stack, secrets: { ...place.stack.secrets, identity: nowhere } };
  return createFsSnapshotStore({
    root: place.root,
    stack,
    keys: place.keys,
    clock: { now: () => 0 },
    by: { user: 't', host: 'h', version: '0' },
  });
}
