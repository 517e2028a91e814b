import { join } from 'node:path';
import { createArchive } from '../../src/adapters/archive/index.ts';
import { capture } from '../../src/actions/capture.ts';
import { NO_OPTIONS, type PlanRequest, planRollback } from '../../src/actions/plan.ts';
import { rollback, type RollbackDeps, type RunEnded } from '../../src/actions/rollback.ts';
import { createLeaseLock } from '../../src/adapters/kubernetes/lease.ts';
import { createSqliteJournal } from '../../src/adapters/sqlite/index.ts';
import {
  createExec,
  createHttpClient,
  createPrivateFiles,
  createSystemClock,
} from '../../src/adapters/system/index.ts';
import { fold, type RunState } from '../../src/journal/index.ts';
import type { Digest, KubeObject, ObjectRef, Plan, PlanOptions, RunEvent, Stack } from '../../src/model/index.ts';
import type { Cluster } from '../../src/ports/index.ts';
import { type LocalServer, localServer } from '../hooks/server.ts';
import { testCluster, testNamespace } from '../support/cluster.ts';
import { API_VERSIONS } from '../support/digests.ts';
import { type TemporaryStore, temporaryStore } from '../support/snapshots.ts';
import { directEngine } from './rollback-engine.ts';

/** Whole runs against a real API server, journal, lease and store, with local receivers; only Pulumi is left out. */
export interface Running {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly place: TemporaryStore;
  readonly outside: LocalServer;
  readonly deps: RollbackDeps;
  readonly events: RunEvent[];
  /** What `/health` answers from now on, to checks. */
  health: number;
  /** Paths of the hooks that were called. */
  asked(): readonly string[];
  /** Creates or replaces, as a person would. */
  put(object: KubeObject): Promise<void>;
  remove(kind: string, name: string): Promise<void>;
  get(kind: string, name: string): Promise<KubeObject | undefined>;
  captured(label?: string): Promise<Digest>;
  planned(request: Partial<Omit<PlanRequest, 'options'>>, options?: Partial<PlanOptions>): Promise<Plan>;
  run(plan: Plan, part?: Partial<RollbackDeps>): Promise<RunEnded>;
  stateOf(run: string): Promise<RunState>;
  end(): Promise<void>;
}

export async function running(settings: (url: string) => Partial<Stack>): Promise<Running> {
  const { cluster } = await testCluster();
  const space = await testNamespace('running');
  const outside = await localServer(({ url }) => ({ status: url === '/health' ? here.health : 200 }));
  const place = await temporaryStore('demo', {
    namespaces: [space.name],
    cluster: { leaseNamespace: space.name, leaseDurationMs: 30_000 },
    ...settings(outside.url),
  });
  const stateDir = join(place.root, '..', 'state');
  const clock = createSystemClock();
  const http = createHttpClient();
  const events: RunEvent[] = [];
  const deps: RollbackDeps = {
    stack: place.stack,
    store: place.store,
    hasher: place.hasher,
    cluster,
    clock,
    http,
    stateDir,
    journal: await createSqliteJournal({ file: join(stateDir, 'journal.sqlite') }),
    journalName: 'the test',
    by: { user: 'ada', host: 'laptop' },
    lock: createLeaseLock(cluster, { namespace: space.name, clock }),
    databaseLock: async (store) => await Promise.reject(new TypeError(`there is no store ${store}`)),
    engine: directEngine(cluster),
    exec: createExec({ env: { PATH: process.env['PATH'] } }),
    keys: place.keys,
    files: createPrivateFiles(),
    archive: createArchive(),
    dataStores: async () => [],
    reporter: { report: (event) => events.push(event) },
  };
  const refTo = (kind: string, name: string): ObjectRef => ({
    apiVersion: API_VERSIONS[kind] ?? 'v1',
    kind,
    namespace: space.name,
    name,
  });
  const here: Running = {
    cluster,
    namespace: space.name,
    place,
    outside,
    deps,
    events,
    health: 200,
    asked: () => outside.received.map(({ url }) => url).filter((url) => url !== '/health'),
    put: async (object) => {
      const own = { ...object, metadata: { ...object.metadata, namespace: space.name } };
      const there = await cluster.get(refTo(object.kind, object.metadata.name));
      await (there === undefined ? cluster.create(own) : cluster.replace(own));
    },
    remove: async (kind, name) => void (await cluster.delete(refTo(kind, name))),
    get: async (kind, name) => await cluster.get(refTo(kind, name)),
    captured: async (label) => {
      const result = await capture({ labels: label === undefined ? [] : [label], checks: 'none' }, deps);
      if (result.kind !== 'captured') throw new TypeError(result.kind);
      return result.id;
    },
    planned: async (request, options = {}) => {
      const all = { ...NO_OPTIONS, allowUnknownImages: true, reason: 'docling is slow', ...options };
      const result = await planRollback({ target: undefined, scope: { kind: 'full' }, ...request, options: all }, deps);
      if (result.kind !== 'planned') throw new TypeError(result.kind);
      return result.plan;
    },
    run: async (plan, part = {}) => {
      const result = await rollback({ plan }, { ...deps, ...part });
      if (result.kind !== 'ended') throw new TypeError(result.kind);
      return result;
    },
    stateOf: async (run) => fold(await deps.journal.read(run)),
    end: async () => {
      await deps.journal.close();
      await http.close();
      await space.remove();
      await outside[Symbol.asyncDispose]();
      await place.remove();
    },
  };
  return here;
}

/** Hooks that pause and resume, and a check that asks `/health` of the local receiver. */
export function usual(url: string): Partial<Stack> {
  const post = (path: string): Stack['hooks'][number]['action'] => ({
    kind: 'http',
    method: 'POST',
    target: { url: `${url}${path}` },
    accept: [200],
  });
  const base = { timeoutMs: 5_000, onError: 'halt' } as const;
  return {
    hooks: [
      { ...base, name: 'pause', phase: 'frozen', action: post('/pause'), reverse: post('/unpause') },
      { ...base, name: 'resume', phase: 'resumed', action: post('/resume'), reverse: post('/pause-again') },
    ],
    checks: [
      {
        name: 'health',
        kind: 'http',
        when: ['after'],
        timeoutMs: 5_000,
        accept: [200],
        target: { url: `${url}/health` },
      },
    ],
  };
}
