import { isBackstayError } from '../../errors/index.ts';
import {
  canonicalJson,
  type Digest,
  displayName,
  HELD,
  type KubeObject,
  keyOf,
  mergePatch,
  type ObjectKey,
  type ObjectRef,
  type Plan,
  refOf,
} from '../../model/index.ts';
import type { GiveBack } from './suspensions.ts';

/** Kinds that other tools bring to a version. */
const MARKED = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout']);
const ROUNDS = 8;

/** What the annotation says, for tools that would bring the version again. */
interface Mark {
  readonly run: string;
  readonly snapshot: Digest;
  /** Images of the version that is held, by container. */
  readonly images: Readonly<Record<string, string>>;
}

/** Marks the workloads that a rollback took away from a version. Gives those that could not be marked. */
export async function markHeld(plan: Plan, snapshot: Digest, context: GiveBack): Promise<readonly ObjectKey[]> {
  const changed = plan.changes.filter(
    ({ ref, action, live }) => MARKED.has(ref.kind) && live !== undefined && action !== 'delete',
  );
  const failed: ObjectKey[] = [];
  for (const { key, ref, live } of changed) {
    const mark: Mark = { run: context.run, snapshot, images: imagesOf(live) };
    if (!(await annotated(ref, canonicalJson(mark), context))) failed.push(key);
  }
  return failed;
}

/** Takes the marks of one run off the live workloads. Gives those that had one. */
export async function unmarkHeld(namespaces: readonly string[], context: GiveBack): Promise<readonly ObjectKey[]> {
  const { cluster } = context.deps;
  const kinds = (await cluster.kinds()).filter(
    ({ kind, group }) => MARKED.has(kind) && (group === 'apps' || group === 'argoproj.io'),
  );
  const lists = kinds.flatMap((kind) => namespaces.map(async (namespace) => await cluster.list(kind, { namespace })));
  const marked = (await Promise.all(lists)).flatMap(({ items }) => items.filter((item) => runOf(item) === context.run));
  for (const object of marked) await annotated(refOf(object), undefined, context);
  return marked.map(keyOf);
}

/** `deployment/gateway, statefulset/db`. */
export function namesOf(keys: readonly ObjectKey[]): string {
  return keys.map(displayName).join(', ');
}

/** False: it could not be written. An object that is gone needs no mark. */
async function annotated(
  ref: ObjectRef,
  text: string | undefined,
  { deps, effect, signal }: GiveBack,
): Promise<boolean> {
  for (let round = 1; ; round += 1) {
    const live = await deps.cluster.get(ref);
    if (live === undefined || live.metadata.annotations?.[HELD] === text) return true;
    const { [HELD]: _, ...others } = live.metadata.annotations ?? {};
    const annotations = text === undefined ? others : { ...others, [HELD]: text };
    const body = mergePatch(live, { ...live, metadata: { ...live.metadata, annotations } });
    try {
      await effect(async () => await deps.cluster.patch(ref, { type: 'merge', body }, { signal }));
      return true;
    } catch (error) {
      if (isBackstayError(error, 'OBJECT_MOVED') && round < ROUNDS) continue;
      if (isBackstayError(error, 'OBJECT_REFUSED') || isBackstayError(error, 'CLUSTER_FORBIDDEN')) return false;
      throw error;
    }
  }
}

function imagesOf(live: KubeObject | undefined): Mark['images'] {
  const containers = (live?.['spec'] as Workload | undefined)?.template?.spec?.containers ?? [];
  return Object.fromEntries(containers.flatMap(({ name, image }) => (image === undefined ? [] : [[name, image]])));
}

interface Workload {
  readonly template?: {
    readonly spec?: { readonly containers?: readonly { readonly name: string; readonly image?: string }[] };
  };
}

function runOf({ metadata }: KubeObject): string | undefined {
  try {
    return (JSON.parse(metadata.annotations?.[HELD] ?? 'null') as Partial<Mark> | null)?.run;
  } catch {
    return undefined;
  }
}
