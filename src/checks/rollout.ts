import { healthOf } from '../health/index.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../model/index.ts';
import type { CheckContext, Measure } from './context.ts';
import { isLeaving, untilGone } from './leaving.ts';
import { behind, newestTemplateHash, templateHashOf } from './pods.ts';

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/**
 * The truth about a rollout: its controller has seen the last change, as many pods as wanted are updated and available,
 * no pod of an older template is left, and the live pods run the template's images.
 */
export const measureRollout: Measure<'rollout'> = async ({ workloads }, context) => {
  const { found, missing } = await select(workloads, context);
  if (missing.length > 0) return { verdict: 'fail', reason: `not there: ${missing.join(', ')}` };
  if (found.length === 0) return { verdict: 'unknown', reason: 'there is no workload to look at' };
  const problems: string[] = [];
  for (const workload of found) {
    const problem = await problemOf(workload, context);
    if (problem !== undefined) problems.push(`${nameOf(workload)}: ${problem}`);
  }
  const measured = { workloads: found.map(nameOf) };
  if (problems.length > 0) return { verdict: 'fail', reason: problems.join('; '), measured };
  return { verdict: 'pass', reason: `${found.length} workloads are rolled out`, measured };
};

interface Selection {
  readonly found: readonly KubeObject[];
  readonly missing: readonly string[];
}

async function select(names: readonly string[], context: CheckContext): Promise<Selection> {
  if (names.length === 0) return { found: await everyWorkload(context), missing: [] };
  const found: KubeObject[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const object = await findByName(name, context);
    if (object === undefined) missing.push(name);
    else found.push(object);
  }
  return { found, missing };
}

/** `gateway` or `deployment/gateway`, looked for in the namespaces of the stack in turn. */
async function findByName(said: string, { cluster, stack }: CheckContext): Promise<KubeObject | undefined> {
  const [kindOrName = '', name = kindOrName] = said.split('/', 2);
  const kinds = said.includes('/') ? KINDS.filter((kind) => kind.toLowerCase() === kindOrName.toLowerCase()) : KINDS;
  for (const namespace of stack.namespaces) {
    for (const kind of kinds) {
      const object = await cluster.get({ apiVersion: 'apps/v1', kind, namespace, name });
      if (object !== undefined) return object;
    }
  }
  return undefined;
}

async function everyWorkload({ cluster, stack, inventory, signal }: CheckContext): Promise<readonly KubeObject[]> {
  if (inventory !== undefined) return await fresh(inventory, cluster);
  const lists = stack.namespaces.flatMap((namespace) =>
    KINDS.map(async (kind) => {
      const served = await cluster.kindOf('apps/v1', kind);
      if (served === undefined) return [];
      return (await cluster.list(served, { namespace, ...(signal === undefined ? {} : { signal }) })).items;
    }),
  );
  return (await Promise.all(lists)).flat();
}

/** An inventory has no status: the objects it names are read as they are now. One that is gone counts as not rolled out. */
async function fresh(
  inventory: readonly KubeObject[],
  cluster: CheckContext['cluster'],
): Promise<readonly KubeObject[]> {
  const named = inventory.filter(
    ({ apiVersion, kind }) => apiVersion.startsWith('apps/') && KINDS.includes(kind as 'Deployment'),
  );
  const live = await Promise.all(named.map(async (object) => (await cluster.get(refFor(object))) ?? object));
  return [...new Map(live.map((object) => [keyOf(object), object])).values()];
}

function refFor({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef {
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** What its controller says, then what the pods themselves tell: old templates and wrong images. */
async function problemOf(
  workload: KubeObject,
  { cluster, signal }: Parameters<Measure<'rollout'>>[1],
): Promise<string | undefined> {
  const related = await behind(workload, cluster);
  const { state, reason } = healthOf(workload, related);
  if (state !== 'ready') return reason;
  const newest = newestTemplateHash(workload, related);
  if (newest === undefined && related.pods.length > 0)
    return 'which of its pods are new cannot be told: it has no revision';
  const old = related.pods.filter((pod) => templateHashOf(pod, workload.kind) !== newest);
  const staying = old.filter((pod) => !isLeaving(pod));
  if (staying.length > 0) return `pods of an older template are left: ${namesOf(staying)}`;
  // Told to go, and going: not a fault, but not rolled out either while one of them may still serve.
  if (!(await untilGone(old, cluster, signal))) return `pods of an older template do not go: ${namesOf(old)}`;
  const wanted = imagesOf((workload['spec'] as { template?: { spec?: PodSpec } } | undefined)?.template?.spec);
  for (const pod of related.pods.filter((one) => !isLeaving(one))) {
    const running = imagesOf(pod['spec'] as PodSpec | undefined);
    for (const [container, image] of wanted) {
      if (running.get(container) === image) continue;
      return `pod ${pod.metadata.name} runs ${running.get(container) ?? 'no'} ${container}, expected ${image}`;
    }
  }
  return undefined;
}

interface PodSpec {
  readonly containers?: readonly { readonly name: string; readonly image?: string }[];
}

function imagesOf(spec: PodSpec | undefined): ReadonlyMap<string, string> {
  return new Map((spec?.containers ?? []).map(({ name, image }) => [name, image ?? '']));
}

function namesOf(pods: readonly KubeObject[]): string {
  return pods.map(({ metadata }) => metadata.name).join(', ');
}

function nameOf(object: KubeObject): string {
  return `${object.kind.toLowerCase()}/${object.metadata.name}`;
}
