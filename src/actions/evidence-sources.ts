import {
  type Basket,
  containersOf,
  eventLine,
  inOrder,
  queryRange,
  type SeenEvent,
  worstFirst,
} from '../evidence/index.ts';
import {
  displayName,
  type EvidenceLimits,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type Plan,
  roleOf,
  type Stack,
} from '../model/index.ts';
import { viewScope } from '../plan/index.ts';
import type { Clock, Cluster, SecretHasher } from '../ports/index.ts';
import type { RunDeps } from '../rollback/index.ts';
import type { Inventory } from './inventory.ts';

/*
 * Where evidence is from. Each source puts what it finds into the basket; what fails or is late is in there as missing.
 */

/** What the sources are asked through. */
export interface SourceDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly ask: RunDeps['ask'];
}

/** Requests under way at once; the connection to the API server has room for a few more. */
const AT_ONCE = 10;
/** A log may be this part of the whole bundle. */
const LOG_SHARE = 8;
const SMALLEST_LOG_BYTES = 256 * 1024;
/** In the order of the archive, after the pods' logs (ranks 0 to 4, by how bad the pod is). */
const RANK = { plan: -3, events: -2, pods: -1, metrics: 5, objects: 6 } as const;

/** All of them: what a stack leaves out of its snapshots is secret all the same. */
export async function readSecrets(
  { cluster, stack }: { readonly cluster: Cluster; readonly stack: Pick<Stack, 'namespaces'> },
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  const kind = await cluster.kindOf('v1', 'Secret');
  if (kind === undefined) return [];
  const lists = stack.namespaces.map(async (namespace) => (await cluster.list(kind, { namespace, signal })).items);
  return (await Promise.all(lists)).flat();
}

export interface Sources {
  readonly basket: Basket;
  readonly reading: AbortSignal;
  readonly part: <T>(source: string, read: () => Promise<T>) => Promise<T | undefined>;
  readonly limits: EvidenceLimits;
  readonly deps: SourceDeps;
}

export function putPlan(basket: Basket, plan: Plan): void {
  const { hash, stack, scope, target, risk, options, warnings, createdAt, changes, steps } = plan;
  const summary = {
    hash,
    stack,
    createdAt,
    target,
    scope,
    risk,
    options,
    warnings,
    changes: changes.map(({ key, action, reason, fields }) => ({
      key,
      action,
      reason,
      fields: fields.map(({ path }) => path),
    })),
    steps: steps.map(({ id, phase, title }) => ({ id, phase, title })),
  };
  basket.put({ path: 'plan.json', source: 'the plan of the run', text: json(summary), rank: RANK.plan });
}

type Scoped = Pick<Inventory, 'objects' | 'pods'>;

/** Objects and pods that the plan may touch; everything without a plan. */
export function inScope(inventory: Inventory, plan: Plan | undefined, stack: Stack): Scoped {
  if (plan === undefined) return inventory;
  const live = [...inventory.live.values()];
  const view = viewScope({ scope: plan.scope, role: (object) => roleOf(object, stack), live, target: plan.desired });
  return {
    objects: inventory.objects.filter((object) => view.has(keyOf(object))),
    pods: new Map([...inventory.pods].filter(([workload]) => view.has(workload))),
  };
}

/** Captured form with its status beside it; Secret values only as hashes. Pods as they are. */
export function putObjects({ objects, pods }: Scoped, { live }: Inventory, { basket, deps }: Sources): void {
  for (const object of deps.hasher.hide(objects).objects) {
    const status = live.get(keyOf(object))?.['status'];
    const { name, namespace } = object.metadata;
    basket.put({
      path: `objects/${namespace ?? '-'}/${object.kind.toLowerCase()}.${name}.json`,
      source: `${displayName(keyOf(object))}${namespace === undefined ? '' : ` in ${namespace}`}`,
      text: json(status === undefined ? object : { ...object, status }),
      rank: RANK.objects,
    });
  }
  for (const pod of new Set([...pods.values()].flat())) {
    const { managedFields: _, ...metadata } = pod.metadata;
    basket.put({
      path: `pods/${metadata.namespace ?? '-'}/${metadata.name}.json`,
      source: nameOfPod(pod),
      text: json({ ...pod, metadata }),
      rank: RANK.pods,
    });
  }
}

const nameOfPod = ({ metadata }: KubeObject): string => `pod ${metadata.namespace ?? ''}/${metadata.name}`;

export async function readEvents({ part, reading, deps }: Sources): Promise<readonly SeenEvent[] | undefined> {
  const { cluster, stack } = deps;
  return await part('the events', async () => {
    const kind = (await cluster.kindOf('events.k8s.io/v1', 'Event')) ?? (await cluster.kindOf('v1', 'Event'));
    if (kind === undefined) return [];
    const lists = await Promise.all(
      stack.namespaces.map(async (namespace) => (await cluster.list(kind, { namespace, signal: reading })).items),
    );
    return inOrder(lists.flat());
  });
}

export function putEvents(read: readonly SeenEvent[] | undefined, basket: Basket): void {
  if (read === undefined) return;
  const source = 'the events of the namespaces, oldest first';
  const about = {
    source,
    rank: RANK.events,
    keep: 'end',
    ...(read.length === 0 ? { note: 'there were none' } : {}),
  } as const;
  basket.put({ ...about, path: 'events.txt', text: read.map((event) => `${eventLine(event)}\n`).join('') });
  basket.put({ ...about, path: 'events.json', text: json(read) });
}

export async function readLogs({ pods }: Scoped, plan: Plan | undefined, from: Sources): Promise<void> {
  const changed = new Set<ObjectKey>(plan?.changes.map(({ key }) => key));
  const wanted = worstFirst(pods, changed).flatMap(({ pod, rank }) =>
    containersOf(pod).flatMap(({ name, hasRun, hasPrevious }) => [
      ...(hasRun ? [{ pod, rank, container: name, previous: false }] : []),
      ...(hasPrevious ? [{ pod, rank, container: name, previous: true }] : []),
    ]),
  );
  const queue = wanted.values();
  const worker = async (): Promise<void> => {
    for (const log of queue) await readLog(log, from);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, wanted.length) }, worker));
}

interface WantedLog {
  readonly pod: KubeObject;
  readonly rank: number;
  readonly container: string;
  readonly previous: boolean;
}

async function readLog(wanted: WantedLog, { basket, part, reading, limits, deps }: Sources): Promise<void> {
  const { pod, rank, container, previous } = wanted;
  const { name, namespace = '' } = pod.metadata;
  const source = `log of ${previous ? 'the run before of ' : ''}container ${container} of ${nameOfPod(pod)}`;
  if (basket.size > 2 * limits.bytes) {
    basket.miss(source, 'not asked for: the size limit is reached without it');
    return;
  }
  const limitBytes = Math.max(SMALLEST_LOG_BYTES, Math.round(limits.bytes / LOG_SHARE));
  const text = await part(
    source,
    async () =>
      await deps.cluster.logs({
        namespace,
        pod: name,
        container,
        previous,
        timestamps: true,
        tailLines: limits.logLines,
        limitBytes,
        signal: reading,
      }),
  );
  if (text === undefined) return;
  const path = `logs/${namespace}/${name}/${container}${previous ? '.previous' : ''}.log`;
  // The server cuts the newest lines off; the last of what came may be half a line, and half a secret.
  const wasCut = Buffer.byteLength(text) >= limitBytes;
  const whole = wasCut ? text.slice(0, text.lastIndexOf('\n') + 1) : text;
  const count = whole.split('\n').length - 1;
  const cut = wasCut
    ? `at ${limitBytes} bytes: the newest lines are missing`
    : count >= limits.logLines
      ? `the newest ${limits.logLines} lines`
      : undefined;
  basket.put({
    path,
    source,
    text: whole,
    rank,
    keep: 'end',
    ...(cut === undefined ? {} : { cut }),
    ...(text === '' ? { note: 'it wrote nothing' } : {}),
  });
}

export async function readMetrics({ basket, part, reading, limits, deps }: Sources): Promise<void> {
  const { stack, clock, ask } = deps;
  const { metrics } = stack;
  if (metrics === undefined) return;
  const end = clock.now();
  const start = end - metrics.windowMs;
  const one = async ({ name, query }: { readonly name: string; readonly query: string }): Promise<void> => {
    const source = `metric ${name}`;
    const range = await part(
      source,
      async () =>
        await queryRange({ query, start, end, stepMs: metrics.stepMs }, metrics, ask, {
          timeoutMs: limits.ms,
          signal: reading,
        }),
    );
    if (range === undefined) return;
    const { series, warnings, cut } = range;
    const notes = [...(series.length === 0 ? ['no series answers to this query'] : []), ...warnings];
    basket.put({
      path: `metrics/${name}.json`,
      source: `${source}: ${query}`,
      text: json({ name, query, start: iso(start), end: iso(end), stepMs: metrics.stepMs, series }),
      rank: RANK.metrics,
      ...(cut === undefined ? {} : { cut }),
      ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
    });
  };
  await Promise.all(metrics.queries.map(one));
}

const iso = (ms: number): string => new Date(ms).toISOString();
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
