import { BackstayError } from '../../errors/index.ts';
import { displayName, type KubeObject, keyOf, matchesGlob, type ObjectKey } from '../../model/index.ts';
import { matchesLabels } from '../../plan/index.ts';
import type { Cluster, StoreSession } from '../../ports/index.ts';
import type { RunDeps } from '../deps.ts';
import type { StepContext } from '../executor.ts';
import { storeOf } from './stores.ts';

type Context = Pick<StepContext, 'deps' | 'signal'>;

/**
 * Watches until nothing of these workloads runs any more: their Jobs are over and no pod is left, of whatever revision. One
 * that is asked to go goes on writing until it is gone. @throws WRITERS_REMAIN naming what is there when the stack's
 * `readyTimeout` is over
 */
export async function untilPodsGone(workloads: readonly KubeObject[], { deps, signal }: Context): Promise<void> {
  const limit = AbortSignal.timeout(deps.stack.readyTimeoutMs);
  const until = AbortSignal.any([signal, limit]);
  const namespaces = [...new Set(workloads.map(({ metadata }) => metadata.namespace))];
  const left = await Promise.all(
    namespaces.map(async (namespace) => {
      const here = workloads.filter(({ metadata }) => metadata.namespace === namespace);
      const jobs = here.some(({ kind }) => kind === 'CronJob')
        ? await leftOf(
            { kind: 'Job', apiVersion: 'batch/v1', namespace, isOurs: isJobOf(here), isOver: isJobOver },
            until,
            deps,
          )
        : [];
      const isOurs = isPodOf(here, deps.cluster);
      const pods = await leftOf({ kind: 'Pod', apiVersion: 'v1', namespace, isOurs, isOver: isPodOver }, until, deps);
      return [...jobs, ...pods];
    }),
  );
  signal.throwIfAborted();
  const remaining = left.flat();
  if (remaining.length === 0) return;
  const named = remaining.map((object) => `${displayName(keyOf(object))} (${stateOf(object)})`);
  throw new BackstayError('WRITERS_REMAIN', `these are still at work: ${named.join(', ')}`, {
    details: { objects: remaining.map(keyOf) },
  });
}

interface Awaited {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly isOurs: (object: KubeObject) => boolean | Promise<boolean>;
  readonly isOver: (object: KubeObject) => boolean;
}

/** Those that are there when the signal fires; none as soon as the last one is gone. */
async function leftOf(
  { apiVersion, kind: name, namespace, isOurs, isOver }: Awaited,
  signal: AbortSignal,
  { cluster }: Pick<RunDeps, 'cluster'>,
): Promise<readonly KubeObject[]> {
  const kind = await cluster.kindOf(apiVersion, name);
  if (kind === undefined) return [];
  const over = new AbortController();
  const there = new Map<ObjectKey, KubeObject>();
  let isComplete = false;
  try {
    const where = namespace === undefined ? {} : { namespace };
    for await (const event of cluster.watch(kind, { ...where, signal: AbortSignal.any([signal, over.signal]) })) {
      if (event.type === 'synced') isComplete = true;
      else if (event.type === 'deleted' || isOver(event.object)) there.delete(keyOf(event.object));
      else if (await isOurs(event.object)) there.set(keyOf(event.object), event.object);
      if (isComplete && there.size === 0) return [];
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    over.abort();
  }
  return [...there.values()];
}

/** Its programs have ended, and none of them is started again. */
function isPodOver(pod: KubeObject): boolean {
  const { phase } = (pod['status'] ?? {}) as { readonly phase?: string };
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Between two tries a Job has no pod, and is not over. */
function isJobOver(job: KubeObject): boolean {
  const { conditions = [] } = (job['status'] ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  return conditions.some(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True');
}

function stateOf(object: KubeObject): string {
  if (object.metadata.deletionTimestamp !== undefined) return 'is being deleted';
  return ((object['status'] ?? {}) as { readonly phase?: string }).phase ?? 'not over yet';
}

/** By the selector, which older ReplicaSets share; a CronJob's pods by the Job between them. */
function isPodOf(workloads: readonly KubeObject[], cluster: Cluster): (pod: KubeObject) => Promise<boolean> {
  const isOurJob = isJobOf(workloads);
  const jobs = new Map<string, Promise<boolean>>();
  const ask = async ({ apiVersion, name }: { apiVersion: string; name: string }, namespace: string | undefined) => {
    const where = namespace === undefined ? {} : { namespace };
    const job = await cluster.get({ apiVersion, kind: 'Job', name, ...where });
    return job !== undefined && isOurJob(job);
  };
  return async ({ metadata: { labels = {}, ownerReferences = [], namespace } }) => {
    if (workloads.some((workload) => matchesLabels(selectorOf(workload), labels))) return true;
    const owner = ownerReferences.find(({ kind, controller }) => kind === 'Job' && controller === true);
    if (owner === undefined) return false;
    const asked = jobs.get(owner.uid) ?? ask(owner, namespace);
    jobs.set(owner.uid, asked);
    return await asked;
  };
}

function isJobOf(workloads: readonly KubeObject[]): (job: KubeObject) => boolean {
  const keys = new Set(workloads.map(keyOf));
  return ({ metadata: { ownerReferences = [], namespace } }) =>
    ownerReferences.some(({ apiVersion, kind, name, controller }) => {
      const where = namespace === undefined ? {} : { namespace };
      return controller === true && keys.has(keyOf({ apiVersion, kind, name, ...where }));
    });
}

function selectorOf(workload: KubeObject): unknown {
  return (workload['spec'] as { readonly selector?: unknown } | undefined)?.selector;
}

/** Milliseconds that a server may need to notice that a client is gone; whoever is there after that is somebody. */
const SESSIONS_MS = 15_000;
/** Milliseconds between two looks: a server tells nobody that a session has ended. */
const PACE_MS = 250;

/**
 * Asks the stores until nobody but their `readers` is connected. @throws WRITERS_REMAIN naming who is, and what the store
 * throws that cannot be asked
 */
export async function untilNobodyIn(stores: readonly string[], { deps, signal }: Context): Promise<void> {
  for (const name of stores) {
    const store = await storeOf(name, { deps });
    const { readers = [] } = store.setting;
    const until = deps.clock.monotonic() + SESSIONS_MS;
    for (;;) {
      signal.throwIfAborted();
      const there = (await store.sessions()).filter(
        ({ user, application }) => !readers.some((glob) => matchesGlob(glob, user) || matchesGlob(glob, application)),
      );
      if (there.length === 0) break;
      if (deps.clock.monotonic() >= until) throw remaining(name, there);
      await deps.clock.delay(PACE_MS, signal);
    }
  }
}

function remaining(store: string, sessions: readonly StoreSession[]): BackstayError {
  const named = sessions.map(sessionInWords);
  return new BackstayError('WRITERS_REMAIN', `these are still connected to ${store}: ${named.join(', ')}`, {
    details: { store, sessions },
  });
}

/** `ada from 10.0.0.7 (psql), busy for 3 s`. */
function sessionInWords({ user, address, application, busyMs }: StoreSession): string {
  const from = address === '' ? '' : ` from ${address}`;
  const by = application === '' ? '' : ` (${application})`;
  return `${user === '' ? 'somebody' : user}${from}${by}${busyMs === undefined ? '' : `, busy for ${Math.round(busyMs / 1_000)} s`}`;
}
