import { type Digest, digestOf, displayName, type KubeObject, type ObjectKey } from '../model/index.ts';
import { replicasOf } from './shape.ts';
import { podTemplateOf, ROLLING_KINDS, readKey, readsOf } from './workloads.ts';

/** On the pod template: a digest of the configuration that the pods read. Outside captured form. */
export const CONFIG_DIGEST = 'backstay.dev/config-digest';

/** Keys of a ConfigMap or Secret whose values differ between two sides; a missing object has no keys. */
export function changedKeys(before: KubeObject | undefined, after: KubeObject | undefined): ReadonlySet<string> {
  const [from, to] = [valuesOf(before), valuesOf(after)];
  const keys = new Set([...from.keys(), ...to.keys()]);
  return new Set([...keys].filter((key) => from.get(key) !== to.get(key)));
}

function valuesOf(object: KubeObject | undefined): ReadonlyMap<string, unknown> {
  const parts = [object?.['data'], object?.['binaryData']].map((part) => Object.entries(part ?? {}));
  return new Map(parts.flat());
}

/** What a workload reads of that which changes, as object keys; empty when nothing touches it. */
export function changedReads(
  workload: KubeObject,
  changed: ReadonlyMap<ObjectKey, ReadonlySet<string>>,
): readonly ObjectKey[] {
  const keys = readsOf(workload).flatMap((read) => {
    const key = readKey(read, workload.metadata.namespace);
    const differing = changed.get(key);
    if (differing === undefined || differing.size === 0) return [];
    return read.key === undefined || differing.has(read.key) ? [key] : [];
  });
  return [...new Set(keys)].sort();
}

/** Whether a changed template makes this live workload replace its pods by itself, or why it does not. */
export function restartable(live: KubeObject): true | string {
  const spec = (live['spec'] ?? {}) as {
    readonly paused?: boolean;
    readonly updateStrategy?: { readonly type?: string };
  };
  if (!ROLLING_KINDS.has(live.kind)) return `a ${live.kind} does not replace its pods by itself`;
  if (spec.paused === true) return 'its rollout is paused';
  if (spec.updateStrategy?.type === 'OnDelete') return 'its pods are replaced only when they are deleted (OnDelete)';
  if (replicasOf(live) === 0) return 'it has no pods';
  return true;
}

/**
 * The workload with the digest of what it reads on its pod template, so that the change of configuration is a change of
 * the template. `previous` is the live annotation: going back to a configuration that pods were once started with has to
 * restart them too, so an equal digest is made a different one.
 */
export function withConfigDigest(
  workload: KubeObject,
  read: (key: ObjectKey) => KubeObject | undefined,
  previous: string | undefined,
): KubeObject {
  const keys = [...new Set(readsOf(workload).map((one) => readKey(one, workload.metadata.namespace)))].sort();
  const content = keys.map((key) => [key, [...valuesOf(read(key))].sort(([a], [b]) => (a < b ? -1 : 1))]);
  let digest: Digest = digestOf(content);
  if (digest === previous) digest = digestOf([content, previous]);
  const spec = workload['spec'] as Readonly<Record<string, unknown>>;
  const template = podTemplateOf(workload) as KubeObject;
  const annotations = { ...template.metadata?.annotations, [CONFIG_DIGEST]: digest };
  return { ...workload, spec: { ...spec, template: { ...template, metadata: { ...template.metadata, annotations } } } };
}

export function configDigestOf(workload: KubeObject): string | undefined {
  return podTemplateOf(workload)?.metadata?.annotations?.[CONFIG_DIGEST];
}

/** `reads configmap/x and secret/y, which change`. */
export function becauseReads(keys: readonly ObjectKey[]): string {
  return `reads ${keys.map(displayName).join(' and ')}, which ${keys.length === 1 ? 'changes' : 'change'}`;
}
