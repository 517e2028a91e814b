import { BackstayError, isBackstayError } from '../errors/index.ts';
import {
  capturedForm,
  type FlagValue,
  groupOf,
  type ImageRecord,
  isCaptured,
  isCapturedKind,
  type KubeObject,
  keyOf,
  matchesGlob,
  matchesPattern,
  type ObjectKey,
  type ObjectPattern,
  type Stack,
} from '../model/index.ts';
import type { ApiKind, Cluster, ClusterIdentity } from '../ports/index.ts';
import { resolveFlags } from './inventory-flags.ts';
import { type ByKey, imagesOf, podsByWorkload } from './inventory-pods.ts';

/** Everything of a stack that counts, read at one moment. Secret values are real: hide them before anything is stored. */
export interface Inventory {
  readonly identity: ClusterIdentity;
  /** Captured objects as the server sent them, by key. */
  readonly live: ReadonlyMap<ObjectKey, KubeObject>;
  /** The same in captured form, sorted by key. */
  readonly objects: readonly KubeObject[];
  /** What is there and not part of the stack's state, with the reason. */
  readonly left: readonly { readonly key: ObjectKey; readonly reason: string }[];
  /** Pods of each workload, directly or through its ReplicaSets. */
  readonly pods: ReadonlyMap<ObjectKey, readonly KubeObject[]>;
  readonly replicaSets: readonly KubeObject[];
  readonly images: readonly ImageRecord[];
  readonly flags: readonly FlagValue[];
}

const AT_ONCE = 12;
/** Not state, but needed to explain workloads. */
const EVIDENCE = [
  { group: '', kind: 'Pod' },
  { group: 'apps', kind: 'ReplicaSet' },
] as const;

/**
 * Reads a stack: one list a kind and namespace, then the cluster-scoped objects that the stack includes by name.
 * Throws CLUSTER_FORBIDDEN naming every kind that may not be listed, unless the stack excludes it.
 */
export async function takeInventory(
  cluster: Cluster,
  stack: Stack,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Inventory> {
  const [identity, kinds] = await Promise.all([cluster.identity(), cluster.kinds()]);
  const state = kinds.filter((kind) => isWanted(kind, stack));
  const evidence = kinds.filter((kind) => EVIDENCE.some((one) => one.group === kind.group && one.kind === kind.kind));
  const found = await readAll(cluster, [...state, ...evidence], stack, options.signal);
  const live = new Map<ObjectKey, KubeObject>();
  const left: { key: ObjectKey; reason: string }[] = [];
  const asEvidence: KubeObject[] = [];
  for (const object of found) {
    if (EVIDENCE.some((one) => one.kind === object.kind && one.group === groupOf(object.apiVersion)))
      asEvidence.push(object);
    else {
      const reason = reasonToLeave(object, stack);
      if (reason === undefined) live.set(keyOf(object), object);
      else left.push({ key: keyOf(object), reason });
    }
  }
  const sorted: ByKey = new Map([...live].sort(([a], [b]) => (a < b ? -1 : 1)));
  const replicaSets = asEvidence.filter(({ kind }) => kind === 'ReplicaSet');
  const pods = podsByWorkload(
    sorted,
    asEvidence.filter(({ kind }) => kind === 'Pod'),
    replicaSets,
  );
  return {
    identity,
    live: sorted,
    objects: [...sorted.values()].map((object) => capturedForm(object, stack.foreign)),
    left,
    pods,
    replicaSets,
    images: imagesOf(sorted, pods),
    flags: resolveFlags(stack, sorted),
  };
}

/** Namespaced kinds that can be state and that the stack does not exclude altogether, and cluster-scoped ones it includes. */
function isWanted(kind: ApiKind, { capture }: Stack): boolean {
  if (!isCapturedKind(kind)) return false;
  if (!kind.namespaced)
    return capture.include.some((pattern) => pattern.kind !== undefined && matchesGlob(pattern.kind, kind.kind));
  return !capture.exclude.some((pattern) => isWholeKind(pattern) && matchesGlob(pattern.kind, kind.kind));
}

const isWholeKind = (pattern: ObjectPattern): boolean =>
  pattern.kind !== undefined && (pattern.name ?? '*') === '*' && (pattern.namespace ?? '*') === '*';

function reasonToLeave(object: KubeObject, { capture }: Stack): string | undefined {
  const answer = isCaptured(object);
  if (!answer.captured) return answer.reason;
  if (capture.exclude.some((pattern) => matchesPattern(pattern, object))) return 'excluded by the stack file';
  const clusterScoped = object.metadata.namespace === undefined;
  if (clusterScoped && !capture.include.some((pattern) => matchesPattern(pattern, object)))
    return 'not included by the stack file';
  return undefined;
}

async function readAll(
  cluster: Cluster,
  kinds: readonly ApiKind[],
  stack: Stack,
  signal: AbortSignal | undefined,
): Promise<readonly KubeObject[]> {
  const lists = kinds.flatMap((kind) =>
    (kind.namespaced ? stack.namespaces : [undefined]).map((namespace) => ({ kind, namespace })),
  );
  const objects: KubeObject[] = [];
  const forbidden: BackstayError[] = [];
  await inParallel(lists, AT_ONCE, async ({ kind, namespace }) => {
    try {
      const where = namespace === undefined ? {} : { namespace };
      objects.push(...(await cluster.list(kind, { ...where, ...(signal === undefined ? {} : { signal }) })).items);
    } catch (error) {
      if (isBackstayError(error, 'CLUSTER_FORBIDDEN')) forbidden.push(error);
      // The kind went while it was being read, with its CRD: nothing of it can be there.
      else if (!isBackstayError(error, 'KIND_UNKNOWN')) throw error;
    }
  });
  if (forbidden.length > 0) throw mayNotList(forbidden);
  return objects;
}

function mayNotList(errors: readonly BackstayError[]): BackstayError {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const rows = errors.map(({ details }) => ({
    resource: text(details['resource']),
    group: text(details['group']),
    namespace: text(details['namespace']),
  }));
  const names = rows
    .map(({ resource, namespace }) => (namespace === '' ? resource : `${resource} in ${namespace}`))
    .sort();
  const user = errors[0]?.details['user'];
  return new BackstayError(
    'CLUSTER_FORBIDDEN',
    `${text(user) === '' ? 'The user' : `User ${text(user)}`} may not list ${names.join(', ')}.`,
    {
      next: 'Grant list on what is named, or exclude the kind in the stack file (capture.exclude).',
      details: { verb: 'list', forbidden: rows, user },
      cause: errors[0],
    },
  );
}

/** Runs `work` over all items, at most `width` at once. The first error ends it; what is under way is waited for. */
async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(width, items.length) }, worker));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}
