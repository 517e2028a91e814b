import { join } from 'node:path';
import {
  Basket,
  containersOf,
  eventLine,
  inOrder,
  knownSecrets,
  manifestOf,
  queryRange,
  redactorOf,
  type SeenEvent,
  settle,
  worstFirst,
} from '../evidence/index.ts';
import { askTarget } from '../hooks/index.ts';
import {
  type Digest,
  digestOfBytes,
  displayName,
  type EvidenceLimits,
  type EvidenceManifest,
  type KubeObject,
  keyOf,
  MANIFEST,
  type ObjectKey,
  type Plan,
  roleOf,
  type Stack,
} from '../model/index.ts';
import { viewScope } from '../plan/index.ts';
import type { Archive, Clock, Cluster, HttpClient, PrivateFiles, SecretHasher } from '../ports/index.ts';
import type { RunDeps } from '../rollback/index.ts';
import { VERSION } from '../version.ts';
import { type Inventory, takeInventory } from './inventory.ts';

/** Where the bundle of a run is. */
export function evidencePath(stateDir: string, run: string): string {
  return join(stateDir, 'runs', run, 'evidence.tar.gz');
}

export interface EvidenceDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  readonly ask: RunDeps['ask'];
  readonly archive: Archive;
  readonly files: PrivateFiles;
}

export interface EvidenceRequest {
  /** Where the archive goes; replaced as a whole when it is there. */
  readonly path: string;
  readonly limits: EvidenceLimits;
  /** Of a run: its id and what it is about to do. Absent: everything of the stack, without a run. */
  readonly run?: { readonly id: string; readonly plan: Plan };
  readonly signal?: AbortSignal;
}

export interface CollectedEvidence {
  readonly path: string;
  /** Digest of the manifest, which has the digest of every file. */
  readonly digest: Digest;
  readonly manifest: EvidenceManifest;
  /** Of the archive, compressed. */
  readonly bytes: number;
}

/** Of the time limit: what is left is for redacting and writing. */
const FOR_READING = 0.8;
/** Requests under way at once; the connection to the API server has room for a few more. */
const AT_ONCE = 10;
/** A log may be this part of the whole bundle. */
const LOG_SHARE = 8;
const SMALLEST_LOG_BYTES = 256 * 1024;
/** In the order of the archive, after the pods' logs (ranks 0 to 4, by how bad the pod is). */
const RANK = { plan: -3, events: -2, pods: -1, metrics: 5, objects: 6 } as const;

/**
 * Gathers what the version that is live now left: logs, events, objects, pods, metrics. Ends within its time limit with
 * what is there by then; the manifest says what is cut or missing. Nothing is written before it is redacted.
 * @throws STORAGE_UNWRITABLE, and the signal's reason. What cannot be read is in the manifest, not an error.
 */
export async function collectEvidence(request: EvidenceRequest, deps: EvidenceDeps): Promise<CollectedEvidence> {
  const { clock, stack } = deps;
  const { limits, run } = request;
  const began = clock.monotonic();
  const basket = new Basket(clock);
  const { inventory, secrets } = await gather(basket, request, deps);
  const objects = inventory === undefined ? [] : [...inventory.live.values(), ...secrets];
  const { pieces, missing } = basket.close();
  request.signal?.throwIfAborted();
  const late = (): boolean => clock.monotonic() - began > limits.ms;
  const packed = settle(pieces, redactorOf(knownSecrets(objects)), limits, late);
  const { manifest, content } = manifestOf({
    stack: stack.name,
    ...(run === undefined ? {} : { run: run.id }),
    collectedAt: new Date(clock.now()).toISOString(),
    tookMs: Math.round(clock.monotonic() - began),
    ...(inventory === undefined ? {} : { cluster: clusterOf(inventory) }),
    tool: { backstay: VERSION, node: process.version },
    limits,
    redacted: packed.redacted,
    files: packed.listed,
    missing: [...missing, ...packed.missing],
  });
  const archive = await deps.archive.pack([{ path: MANIFEST, content }, ...packed.files]);
  await deps.files.write(request.path, archive);
  return { path: request.path, digest: digestOfBytes(content), manifest, bytes: archive.length };
}

function clusterOf({ identity }: Inventory): NonNullable<EvidenceManifest['cluster']> {
  const { uid, version, server } = identity;
  return { uid, version, server };
}

/** Reads until everything is there or the time for reading is over. */
async function gather(
  basket: Basket,
  { limits, run, signal }: EvidenceRequest,
  deps: EvidenceDeps,
): Promise<{ readonly inventory: Inventory | undefined; readonly secrets: readonly KubeObject[] }> {
  const { clock, stack } = deps;
  const over = new AbortController();
  const reading = AbortSignal.any([over.signal, ...(signal === undefined ? [] : [signal])]);
  const whyLate = `not read within ${Math.round(limits.ms * FOR_READING)} ms`;
  const deadline = clock.delay(limits.ms * FOR_READING, reading).then(
    () => over.abort(new Error(whyLate)),
    () => undefined,
  );
  const stopped = new Promise<void>((resolve) => reading.addEventListener('abort', () => resolve(), { once: true }));
  /** Whatever it is, it is waited for only until time is up, and its failure is data. */
  const part = async <T>(source: string, read: () => Promise<T>): Promise<T | undefined> => {
    if (reading.aborted) {
      basket.miss(source, whyLate);
      return undefined;
    }
    const reached = read().then(
      (value) => ({ value }),
      (error: unknown) => ({ why: reading.aborted ? whyLate : error instanceof Error ? error.message : String(error) }),
    );
    const result = await Promise.race([reached, stopped.then(() => ({ why: whyLate }))]);
    if ('value' in result) return result.value;
    basket.miss(source, result.why);
    return undefined;
  };
  const from: Sources = { basket, reading, part, limits, deps };
  if (run !== undefined) putPlan(basket, run.plan);
  const [metrics, events] = [readMetrics(from), readEvents(from)];
  const secrets = part(
    'the values of Secrets, so that they are redacted',
    async () => await readSecrets(deps, reading),
  );
  const inventory = await part(
    'the objects of the stack',
    async () => await takeInventory(deps.cluster, stack, { signal: reading }),
  );
  // Without the objects nobody knows what is secret: then nothing that programs wrote is kept.
  if (inventory === undefined) basket.miss('events and logs', 'what is secret in the stack could not be read');
  else {
    const scoped = inScope(inventory, run?.plan, stack);
    putObjects(scoped, inventory, from);
    await readLogs(scoped, run?.plan, from);
    putEvents(await events, basket);
  }
  await Promise.all([metrics, secrets]);
  over.abort();
  await deadline;
  return { inventory, secrets: (await secrets) ?? [] };
}

/** All of them: what a stack leaves out of its snapshots is secret all the same. */
async function readSecrets({ cluster, stack }: EvidenceDeps, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const kind = await cluster.kindOf('v1', 'Secret');
  if (kind === undefined) return [];
  const lists = stack.namespaces.map(async (namespace) => (await cluster.list(kind, { namespace, signal })).items);
  return (await Promise.all(lists)).flat();
}

interface Sources {
  readonly basket: Basket;
  readonly reading: AbortSignal;
  readonly part: <T>(source: string, read: () => Promise<T>) => Promise<T | undefined>;
  readonly limits: EvidenceLimits;
  readonly deps: EvidenceDeps;
}

function putPlan(basket: Basket, plan: Plan): void {
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
function inScope(inventory: Inventory, plan: Plan | undefined, stack: Stack): Scoped {
  if (plan === undefined) return inventory;
  const live = [...inventory.live.values()];
  const view = viewScope({ scope: plan.scope, role: (object) => roleOf(object, stack), live, target: plan.desired });
  return {
    objects: inventory.objects.filter((object) => view.has(keyOf(object))),
    pods: new Map([...inventory.pods].filter(([workload]) => view.has(workload))),
  };
}

/** Captured form with its status beside it; Secret values only as hashes. Pods as they are. */
function putObjects({ objects, pods }: Scoped, { live }: Inventory, { basket, deps }: Sources): void {
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

async function readEvents({ part, reading, deps }: Sources): Promise<readonly SeenEvent[] | undefined> {
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

function putEvents(read: readonly SeenEvent[] | undefined, basket: Basket): void {
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

async function readLogs({ pods }: Scoped, plan: Plan | undefined, from: Sources): Promise<void> {
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

async function readMetrics({ basket, part, reading, limits, deps }: Sources): Promise<void> {
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

/** The same without a run, within the limits of the stack file. */
export async function collectNow(
  { path, signal }: Pick<EvidenceRequest, 'path' | 'signal'>,
  { http, ...deps }: Omit<EvidenceDeps, 'ask'> & { readonly http: HttpClient },
): Promise<CollectedEvidence> {
  const { stack, cluster } = deps;
  const { limitMs, limitBytes, logLines } = stack.evidence;
  const namespace = stack.namespaces[0] ?? 'default';
  const ask: EvidenceDeps['ask'] = async (target, options) =>
    await askTarget(target, options, { cluster, http, namespace });
  const limits = { ms: limitMs, bytes: limitBytes, logLines };
  return await collectEvidence({ path, limits, ...(signal === undefined ? {} : { signal }) }, { ...deps, ask });
}
