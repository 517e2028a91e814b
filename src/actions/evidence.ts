import { join } from 'node:path';
import { Basket, knownSecrets, manifestOf, redactorOf, settle } from '../evidence/index.ts';
import { askTarget } from '../hooks/index.ts';
import {
  type Digest,
  digestOfBytes,
  type EvidenceLimits,
  type EvidenceManifest,
  type KubeObject,
  MANIFEST,
  type Plan,
} from '../model/index.ts';
import type { Archive, HttpClient, PrivateFiles } from '../ports/index.ts';
import { VERSION } from '../version.ts';
import {
  inScope,
  putEvents,
  putObjects,
  putPlan,
  readEvents,
  readLogs,
  readMetrics,
  readSecrets,
  type SourceDeps,
  type Sources,
} from './evidence-sources.ts';
import { type Inventory, takeInventory } from './inventory.ts';

/** Where the bundle of a run is. */
export function evidencePath(stateDir: string, run: string): string {
  return join(stateDir, 'runs', run, 'evidence.tar.gz');
}

export interface EvidenceDeps extends SourceDeps {
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
