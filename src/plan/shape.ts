import {
  capturedForm,
  displayName,
  type FlagSetting,
  type ForeignField,
  groupOf,
  type KubeObject,
  keyOf,
  type ObjectKey,
} from '../model/index.ts';

/** What keeps a plan from being carried out as asked. The first one is the error that a rollback ends with. */
export interface Refusal {
  readonly code: 'OBJECT_CONFLICT' | 'KIND_UNKNOWN' | 'IMAGE_UNPULLABLE' | 'IMAGE_UNKNOWN' | 'PLAN_REFUSED';
  readonly message: string;
  readonly next?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Shaped {
  readonly objects: readonly KubeObject[];
  readonly warnings: readonly string[];
  readonly refusals: readonly Refusal[];
}

const SCALED_KINDS = new Set(['Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController', 'Rollout']);

/**
 * The stack's foreign fields and, beside them, the replicas of every workload that an autoscaler of either side scales.
 * Whoever compares live objects with a plan's desired ones (plan, run, proof) has to use the same fields.
 */
export function effectiveForeign(
  foreign: readonly ForeignField[],
  objects: readonly KubeObject[],
): readonly ForeignField[] {
  const scaled = new Map<string, ForeignField>();
  for (const object of objects) {
    const target = scaleTargetOf(object);
    if (target === undefined) continue;
    scaled.set(`${target.kind}/${target.name}`, { ...target, path: 'spec.replicas' });
  }
  return [...foreign, ...[...scaled.keys()].sort().flatMap((key) => scaled.get(key) ?? [])];
}

/** The workload that an autoscaler scales; undefined for what is none. */
export function scaleTargetOf(object: KubeObject): { readonly kind: string; readonly name: string } | undefined {
  const group = groupOf(object.apiVersion);
  const isAutoscaler =
    (object.kind === 'HorizontalPodAutoscaler' && group === 'autoscaling') ||
    (object.kind === 'ScaledObject' && group === 'keda.sh');
  const ref = (
    object['spec'] as { readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string } } | undefined
  )?.scaleTargetRef;
  if (!isAutoscaler || ref?.name === undefined) return undefined;
  return { kind: ref.kind ?? 'Deployment', name: ref.name };
}

/**
 * Target objects as they are wanted on this live stack: foreign fields left to others, replicas never below live unless
 * told. Both sides in captured form; `foreign` is the effective one.
 */
export function shapeTarget(
  target: readonly KubeObject[],
  live: ReadonlyMap<ObjectKey, KubeObject>,
  options: {
    readonly foreign: readonly ForeignField[];
    readonly stackForeign: readonly ForeignField[];
    readonly exactReplicas: boolean;
  },
): Shaped {
  const warnings: string[] = [];
  const objects = target.map((object) => {
    const there = live.get(keyOf(object));
    // What is created anew starts with the target's own replicas; its autoscaler goes on from there.
    if (there === undefined) return capturedForm(object, options.stackForeign);
    const wanted = capturedForm(object, options.foreign);
    if (options.exactReplicas || !SCALED_KINDS.has(wanted.kind)) return wanted;
    const [now, then] = [replicasOf(there), replicasOf(wanted)];
    if (now === undefined || then === undefined || now <= then) return wanted;
    warnings.push(
      `${displayName(keyOf(object))} stays at ${now} replicas; the target has ${then} (--exact-replicas lowers it)`,
    );
    return { ...wanted, spec: { ...(wanted['spec'] as Readonly<Record<string, unknown>>), replicas: now } };
  });
  return { objects, warnings, refusals: [] };
}

export function replicasOf(object: KubeObject): number | undefined {
  const replicas = (object['spec'] as { readonly replicas?: unknown } | undefined)?.replicas;
  return typeof replicas === 'number' ? replicas : undefined;
}

/**
 * For scope `flags`: the live objects with nothing but the stack's flags set as the target has them. A flag whose object
 * is missing live is refused, because it cannot be set without bringing more back than the flag.
 */
export function shapeFlags(
  flags: readonly FlagSetting[],
  namespace: string,
  live: ReadonlyMap<ObjectKey, KubeObject>,
  target: ReadonlyMap<ObjectKey, KubeObject>,
): Shaped {
  const wanted = new Map<ObjectKey, KubeObject>();
  const warnings: string[] = [];
  const refusals: Refusal[] = [];
  for (const flag of flags) {
    const key = flagKey(flag, namespace, [live, target]);
    const [to, from] = [wanted.get(key) ?? live.get(key), target.get(key)];
    if (from === undefined) {
      warnings.push(`flag ${flag.name} stays as it is: the target does not have ${displayName(key)}`);
    } else if (to === undefined) {
      refusals.push({
        code: 'PLAN_REFUSED',
        message: `flag ${flag.name} cannot be set by itself: ${displayName(key)}, which holds it, is not there.`,
        next: 'Use --scope config or --scope application, which bring the object back.',
        details: { flag: flag.name, object: key },
      });
    } else wanted.set(key, withFlag(to, from, flag));
  }
  return { objects: [...wanted.values()], warnings, refusals };
}

function flagKey(flag: FlagSetting, namespace: string, sides: readonly ReadonlyMap<ObjectKey, unknown>[]): ObjectKey {
  const { source } = flag;
  const place = source.namespace ?? namespace;
  if ('configMap' in source) return `core/ConfigMap/${place}/${source.configMap}` as ObjectKey;
  const keys = ['apps/Deployment', 'apps/StatefulSet', 'apps/DaemonSet', 'argoproj.io/Rollout'].map(
    (kind) => `${kind}/${place}/${source.workload}` as ObjectKey,
  );
  return keys.find((key) => sides.some((side) => side.has(key))) ?? (keys[0] as ObjectKey);
}

type Fields = Readonly<Record<string, unknown>>;
type Named = { readonly name?: string; readonly env?: readonly Named[] };

function withFlag(to: KubeObject, from: KubeObject, { source }: FlagSetting): KubeObject {
  if ('configMap' in source) {
    const { [source.key]: _, ...others } = (to['data'] ?? {}) as Fields;
    const value = ((from['data'] ?? {}) as Fields)[source.key];
    return { ...to, data: value === undefined ? others : { ...others, [source.key]: value } };
  }
  const variableOf = (container: Named | undefined): Named | undefined =>
    container?.env?.find(({ name }) => name === source.env);
  const [theirs, ours] = [containersOf(from), containersOf(to)];
  const name = source.container ?? [...theirs, ...ours].find((container) => variableOf(container) !== undefined)?.name;
  const variable = variableOf(theirs.find((container) => container.name === name));
  const containers = ours.map((container) =>
    container.name === name ? { ...container, ...withEnv(container, source.env, variable) } : container,
  );
  const spec = to['spec'] as Fields & { readonly template: Fields & { readonly spec: Fields } };
  return { ...to, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } } };
}

function withEnv(
  container: Named,
  name: string,
  variable: Named | undefined,
): { readonly env: readonly Named[] } | object {
  const env = container.env ?? [];
  if (variable === undefined) {
    return env.some((item) => item.name === name) ? { env: env.filter((item) => item.name !== name) } : {};
  }
  if (!env.some((item) => item.name === name)) return { env: [...env, variable] };
  return { env: env.map((item) => (item.name === name ? variable : item)) };
}

function containersOf(object: KubeObject): readonly Named[] {
  const spec = object['spec'] as
    | { readonly template?: { readonly spec?: { readonly containers?: readonly Named[] } } }
    | undefined;
  return spec?.template?.spec?.containers ?? [];
}
