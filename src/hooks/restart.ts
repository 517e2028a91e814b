import { BackstayError } from '../errors/index.ts';
import { healthOf } from '../health/index.ts';
import type { KubeObject, ObjectRef } from '../model/index.ts';
import type { Cluster } from '../ports/index.ts';

/** Names the run that restarted the pods: repeating it with the same token changes nothing. */
export const RESTARTED_FOR = 'backstay.dev/restarted-for';
/** The well-known annotation, so that other tools tell a restart as such. Both are outside captured form. */
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

export interface RestartOptions {
  readonly workloads: readonly ObjectRef[];
  readonly token: string;
  /** With the time limit in it: one that fires with a TimeoutError ends in TIMEOUT. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly onProgress?: (ref: ObjectRef, state: 'updating' | 'waiting' | 'ready', message: string) => void;
}

/**
 * Restarts the pods of workloads, in the order given, and waits by watch until all of them are new and available.
 * @throws TIMEOUT saying what is missing, HOOK_FAILED for a workload that is not there or cannot come up.
 */
export async function restartWorkloads(cluster: Cluster, options: RestartOptions): Promise<void> {
  for (const ref of options.workloads) {
    options.onProgress?.(ref, 'updating', 'restarting its pods');
    await mark(cluster, ref, options);
    await rolledOut(cluster, ref, options);
  }
}

async function mark(cluster: Cluster, ref: ObjectRef, { token, now, signal }: RestartOptions): Promise<void> {
  const live = await cluster.get(ref);
  if (live === undefined)
    throw new BackstayError('HOOK_FAILED', `${nameOf(ref)} is not there, so it cannot be restarted`);
  if (annotationsOfTemplate(live)[RESTARTED_FOR] === token) return;
  const annotations = { [RESTARTED_FOR]: token, [RESTARTED_AT]: new Date(now).toISOString() };
  const body = { spec: { template: { metadata: { annotations } } } };
  await cluster.patch(ref, { type: 'merge', body }, { fieldManager: 'backstay-restart', signal });
}

async function rolledOut(cluster: Cluster, ref: ObjectRef, options: RestartOptions): Promise<void> {
  const { signal } = options;
  const kind = await cluster.kindOf(ref.apiVersion, ref.kind);
  if (kind === undefined)
    throw new BackstayError('KIND_UNKNOWN', `the API server does not serve ${ref.kind} of ${ref.apiVersion}`);
  const over = new AbortController();
  const watched = { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) };
  let missing = 'it was not seen yet';
  try {
    for await (const event of cluster.watch(kind, { ...watched, signal: AbortSignal.any([signal, over.signal]) })) {
      if (event.type === 'synced') continue;
      if (event.type === 'deleted')
        throw new BackstayError('HOOK_FAILED', `${nameOf(ref)} was deleted during its restart`);
      const { state, reason } = healthOf(event.object);
      if (state === 'failed')
        throw new BackstayError('HOOK_FAILED', `${nameOf(ref)} does not come up again: ${reason}`);
      if (state === 'ready') {
        options.onProgress?.(ref, 'ready', reason);
        return;
      }
      if (reason !== missing) options.onProgress?.(ref, 'waiting', reason);
      missing = reason;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    over.abort();
  }
  const reason: unknown = signal.reason;
  if (!(reason instanceof DOMException) || reason.name !== 'TimeoutError') throw reason;
  throw new BackstayError('TIMEOUT', `${nameOf(ref)} was not restarted in time: ${missing}`);
}

function annotationsOfTemplate(object: KubeObject): Readonly<Record<string, string>> {
  const spec = object['spec'] as { template?: { metadata?: { annotations?: Record<string, string> } } } | undefined;
  return spec?.template?.metadata?.annotations ?? {};
}

function nameOf(ref: ObjectRef): string {
  return `${ref.kind.toLowerCase()}/${ref.name}`;
}
