import { type Health, healthOf } from '../../health/index.ts';
import { type KubeObject, keyOf } from '../../model/index.ts';
import type { Cluster, WatchEvent } from '../../ports/index.ts';
import { said } from './object.ts';
import type { Session } from './session.ts';

export type Readiness =
  | { readonly ready: true; readonly object: KubeObject }
  | { readonly ready: false; readonly object: KubeObject; readonly reason: string };

/** The official plugin's annotations, honoured alike. */
const SKIP_AWAIT = 'pulumi.com/skipAwait';
const TIMEOUT_SECONDS = 'pulumi.com/timeoutSeconds';

export function isAwaited(object: KubeObject, readyTimeoutMs: number): boolean {
  if (readyTimeoutMs <= 0 || object.metadata.annotations?.[SKIP_AWAIT] === 'true') return false;
  const spec = (object['spec'] ?? {}) as { readonly paused?: boolean };
  // A claim may bind only when a pod uses it; a rollout that someone paused goes nowhere until they resume it.
  return object.kind !== 'PersistentVolumeClaim' && spec.paused !== true;
}

/**
 * Follows the object, its pods and its replica sets until it is ready, cannot become so, or time is up. Progress is said
 * once per change of the reason. Throws when the signal fires.
 */
export async function untilReady(
  session: Session,
  object: KubeObject,
  urn: string,
  signal: AbortSignal,
): Promise<Readiness> {
  const key = keyOf(object);
  const seconds = Number(object.metadata.annotations?.[TIMEOUT_SECONDS] ?? Number.NaN);
  const limitMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : session.options.readyTimeoutMs;
  const began = performance.now();
  const limit = AbortSignal.timeout(limitMs);
  const done = new AbortController();
  const stop = AbortSignal.any([done.signal, limit, signal]);
  let last: { readonly object: KubeObject; readonly health: Health } | undefined;
  try {
    for await (const state of states(session.cluster, object, stop)) {
      const changed = state.health.reason !== last?.health.reason;
      last = state;
      if (state.health.state === 'ready') return { ready: true, object: state.object };
      if (state.health.state === 'failed') return { ready: false, object: state.object, reason: state.health.reason };
      if (changed) session.progress(key, urn, 'waiting', state.health.reason);
    }
    signal.throwIfAborted();
    const reason = last?.health.reason ?? 'nothing was heard of it';
    return {
      ready: false,
      object: last?.object ?? object,
      reason: `${said(object)} not ready after ${Math.round(limitMs / 1000)} s: ${reason}`,
    };
  } finally {
    done.abort();
    session.note(key, {
      action: session.outcomes.get(key)?.action ?? 'unchanged',
      waitedMs: performance.now() - began,
    });
  }
}

/** The object's health, each time that it or something behind it changes; ends when the signal fires. */
async function* states(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
): AsyncGenerator<{ readonly object: KubeObject; readonly health: Health }> {
  const { namespace, name } = object.metadata;
  const within = namespace === undefined ? {} : { namespace };
  const labelSelector = selectorOf(object);
  const wanted = [
    { apiVersion: object.apiVersion, kind: object.kind, by: { name } },
    ...(labelSelector === undefined ? [] : [{ apiVersion: 'v1', kind: 'Pod', by: { labelSelector } }]),
    ...(labelSelector !== undefined && object.kind === 'Deployment'
      ? [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', by: { labelSelector } }]
      : []),
  ];
  const found: Map<string, KubeObject>[] = wanted.map(() => new Map());
  const streams: AsyncIterable<WatchEvent>[] = [];
  for (const { apiVersion, kind, by } of wanted) {
    const served = await cluster.kindOf(apiVersion, kind);
    if (served !== undefined) streams.push(cluster.watch(served, { ...within, ...by, signal }));
  }
  let unsynced = streams.length;
  for await (const [index, event] of merged(streams, signal)) {
    if (event.type === 'synced') unsynced -= 1;
    else if (event.type === 'deleted') found[index]?.delete(event.object.metadata.name);
    else found[index]?.set(event.object.metadata.name, event.object);
    const live = found[0]?.get(name);
    if (unsynced > 0 || live === undefined) continue;
    const related = { pods: [...(found[1]?.values() ?? [])], replicaSets: [...(found[2]?.values() ?? [])] };
    yield { object: live, health: healthOf(live, related) };
  }
}

/** Events of all streams as they come, each with its stream's position. The first failure ends it. */
async function* merged(
  streams: readonly AsyncIterable<WatchEvent>[],
  signal: AbortSignal,
): AsyncGenerator<[number, WatchEvent]> {
  const queue: [number, WatchEvent][] = [];
  let wake = Promise.withResolvers<void>();
  let failure: { readonly error: unknown } | undefined;
  signal.addEventListener('abort', () => wake.resolve(), { once: true });
  const follow = async (stream: AsyncIterable<WatchEvent>, index: number): Promise<void> => {
    try {
      for await (const event of stream) {
        queue.push([index, event]);
        wake.resolve();
      }
    } catch (error) {
      failure = { error };
      wake.resolve();
    }
  };
  const following = streams.map(follow);
  while (!signal.aborted) {
    const next = queue.shift();
    if (next !== undefined) {
      yield next;
      continue;
    }
    if (failure !== undefined) throw failure.error;
    await wake.promise;
    wake = Promise.withResolvers();
  }
  await Promise.all(following);
}

/** A workload's selector as a query; undefined for what has no pods of its own. */
function selectorOf(object: KubeObject): string | undefined {
  if (!/^(Deployment|StatefulSet|DaemonSet|ReplicaSet|Rollout)$/.test(object.kind)) return undefined;
  const { selector } = (object['spec'] ?? {}) as { readonly selector?: Selector };
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  const terms = [...labels, ...expressions];
  return terms.length === 0 ? undefined : terms.join(',');
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}
