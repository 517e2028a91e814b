import type { FlagSetting, FlagValue, ObjectKey, Stack } from '../model/index.ts';
import { type ByKey, templateOf } from './inventory-pods.ts';

interface KeyRef {
  readonly name?: string;
  readonly key?: string;
}

interface EnvContainer {
  readonly name: string;
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly configMapKeyRef?: KeyRef; readonly secretKeyRef?: KeyRef };
  }[];
  readonly envFrom?: readonly {
    readonly prefix?: string;
    readonly configMapRef?: KeyRef;
    readonly secretRef?: KeyRef;
  }[];
}

interface Resolved {
  readonly value: string | null;
  readonly source: string;
}

/** The stack's flags as the objects say: `null` where it is not set. A value that stands in a Secret is never read. */
export function resolveFlags(stack: Stack, live: ByKey): readonly FlagValue[] {
  const [first = ''] = stack.namespaces;
  return stack.flags.map((flag) => ({ name: flag.name, ...resolve(flag, flag.source.namespace ?? first, live) }));
}

function resolve({ source }: FlagSetting, namespace: string, live: ByKey): Resolved {
  if ('configMap' in source) return ofConfigMap(live, namespace, source.configMap, source.key);
  const workload = [...live.values()].find(
    (object) =>
      object.metadata.namespace === namespace &&
      object.metadata.name === source.workload &&
      templateOf(object) !== undefined,
  );
  if (workload === undefined) return { value: null, source: `workload ${namespace}/${source.workload} is not there` };
  const containers = (templateOf(workload)?.containers ?? []) as readonly EnvContainer[];
  const place = `${workload.kind.toLowerCase()}/${source.workload}`;
  for (const container of containers) {
    if (source.container !== undefined && container.name !== source.container) continue;
    const found = inContainer(container, source.env, namespace, live);
    if (found !== undefined)
      return { value: found.value, source: `${place} container ${container.name}: ${found.source}` };
  }
  return { value: null, source: `${place} does not set ${source.env}` };
}

/** As a kubelet does it: `env` wins over `envFrom`, and in both the last one wins. */
function inContainer(container: EnvContainer, name: string, namespace: string, live: ByKey): Resolved | undefined {
  const own = container.env?.findLast((one) => one.name === name);
  if (own !== undefined) {
    const { configMapKeyRef, secretKeyRef } = own.valueFrom ?? {};
    if (configMapKeyRef !== undefined)
      return ofConfigMap(live, namespace, configMapKeyRef.name ?? '', configMapKeyRef.key ?? '');
    if (secretKeyRef !== undefined)
      return { value: null, source: `secret/${secretKeyRef.name ?? ''}, which is not read for flags` };
    if (own.valueFrom !== undefined) return { value: null, source: 'a field of the pod' };
    return { value: own.value ?? '', source: `env ${name}` };
  }
  for (const from of (container.envFrom ?? []).toReversed()) {
    const prefix = from.prefix ?? '';
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    if (from.configMapRef !== undefined) {
      const found = ofConfigMap(live, namespace, from.configMapRef.name ?? '', key);
      if (found.value !== null) return found;
    } else if (
      from.secretRef !== undefined &&
      dataOf(live, 'Secret', namespace, from.secretRef.name ?? '')?.[key] !== undefined
    ) {
      return { value: null, source: `secret/${from.secretRef.name ?? ''}, which is not read for flags` };
    }
  }
  return undefined;
}

function ofConfigMap(live: ByKey, namespace: string, name: string, key: string): Resolved {
  const data = dataOf(live, 'ConfigMap', namespace, name);
  if (data === undefined) return { value: null, source: `configmap ${namespace}/${name} is not there` };
  return { value: data[key] ?? null, source: `configmap/${name} key ${key}` };
}

function dataOf(
  live: ByKey,
  kind: string,
  namespace: string,
  name: string,
): Readonly<Record<string, string>> | undefined {
  const object = live.get(`core/${kind}/${namespace}/${name}` as ObjectKey);
  return object === undefined ? undefined : ((object['data'] ?? {}) as Readonly<Record<string, string>>);
}
