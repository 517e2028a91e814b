import { canonicalJson, type Json, type JsonObject } from './json.ts';
import { beforeMaintenance, maintainedLike } from './maintenance.ts';
import { groupOf, type KubeObject } from './object.ts';

/** Annotation on what a run keeps from acting by itself; its value says for which runs, and what was there before. */
export const SUSPENDED = 'backstay.dev/suspended';

/** Annotation on a live workload: the version that it was rolled back from, for tools that would bring it again. */
export const HELD = 'backstay.dev/held';

type Values = Readonly<Record<string, unknown>>;

/** One kind that acts by itself, and how it is kept from it: by one field, which is remembered whole. */
interface Suspendable {
  readonly group: string;
  readonly kind: string;
  /** What the field looks like in this version of the kind; others are left alone. */
  readonly version?: RegExp;
  readonly path: readonly string[];
  /** The field while it is suspended. */
  readonly off: (was: unknown) => Json | undefined;
  /**
   * The hold outlives its run, so that several runs may share it, and it ends with the last of them. Others end with their
   * run: what a dead run left is the next one's to give back.
   */
  readonly outlives: boolean;
}

const behavior = (was: unknown): Json => {
  const { scaleUp, scaleDown } = { ...NEVER_SET, ...(was as object | undefined) } as Readonly<Record<string, object>>;
  const off = { selectPolicy: 'Disabled' };
  return {
    ...(was as object | undefined),
    scaleUp: { ...scaleUp, ...off },
    scaleDown: { ...scaleDown, ...off },
  };
};

/** What the API server fills in as soon as a part of it is given. */
const NEVER_SET = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  scaleDown: { policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
};

const withoutAutomated = (was: unknown): Json | undefined => {
  const { automated, ...rest } = (was ?? {}) as Readonly<Record<string, Json>>;
  return automated === undefined ? (was as Json | undefined) : rest;
};

/** A label that no node has: what must run there runs nowhere. */
const NOWHERE = { 'backstay.dev/nowhere': 'true' };

/** What scales by itself, what brings Git's version back by itself, and what runs pods. One row a kind. */
export const SUSPENDABLE: readonly Suspendable[] = [
  {
    group: 'autoscaling',
    kind: 'HorizontalPodAutoscaler',
    version: /^v2/,
    path: ['spec', 'behavior'],
    off: behavior,
    outlives: false,
  },
  {
    group: 'keda.sh',
    kind: 'ScaledObject',
    path: ['metadata', 'annotations', 'autoscaling.keda.sh/paused'],
    off: () => 'true',
    outlives: false,
  },
  { group: 'argoproj.io', kind: 'Application', path: ['spec', 'syncPolicy'], off: withoutAutomated, outlives: true },
  { group: 'kustomize.toolkit.fluxcd.io', kind: 'Kustomization', path: ['spec', 'suspend'], off: on, outlives: true },
  { group: 'helm.toolkit.fluxcd.io', kind: 'HelmRelease', path: ['spec', 'suspend'], off: on, outlives: true },
  { group: 'apps', kind: 'Deployment', path: ['spec', 'replicas'], off: none, outlives: false },
  { group: 'apps', kind: 'StatefulSet', path: ['spec', 'replicas'], off: none, outlives: false },
  { group: 'argoproj.io', kind: 'Rollout', path: ['spec', 'replicas'], off: none, outlives: false },
  { group: 'batch', kind: 'CronJob', path: ['spec', 'suspend'], off: on, outlives: false },
  {
    group: 'apps',
    kind: 'DaemonSet',
    path: ['spec', 'template', 'spec', 'nodeSelector'],
    off: (was) => ({ ...(was as Readonly<Record<string, string>> | undefined), ...NOWHERE }),
    outlives: false,
  },
];

/** Kinds that run pods, and that a run can keep from it for a while. */
export const QUIETABLE: ReadonlySet<string> = new Set([
  'apps/Deployment',
  'apps/StatefulSet',
  'apps/DaemonSet',
  'argoproj.io/Rollout',
  'batch/CronJob',
]);

function on(): Json {
  return true;
}

function none(): Json {
  return 0;
}

/** What the annotation holds. `was` is absent when there was no such field. */
interface Memory {
  readonly runs: readonly string[];
  readonly was?: Json;
}

/** What to do to the live object; `object` is the whole of it as it should be. */
export type Suspending =
  /** `left`: what somebody else has to do with it, for people. */
  | { readonly kind: 'write'; readonly object: KubeObject; readonly left?: string }
  /** `why`: for people, when nothing is to be done. */
  | { readonly kind: 'nothing'; readonly why: string; readonly ours: boolean };

/** Keeps the object from acting by itself for this run. What somebody else has switched off stays theirs. */
export function suspend(object: KubeObject, run: string): Suspending {
  const row = rowOf(object);
  if (row === undefined) return { kind: 'nothing', why: 'is of a kind that cannot be suspended', ours: false };
  const memory = memoryOf(object);
  const now = at(object, row.path);
  if (memory !== undefined && isOff(row, now, memory)) {
    if (memory.runs.includes(run)) return { kind: 'nothing', why: 'is suspended already', ours: true };
    const runs = row.outlives ? [...memory.runs, run] : [run];
    return { kind: 'write', object: remembering(object, { ...memory, runs }) };
  }
  const was = now as Json | undefined;
  const off = row.off(was);
  if (same(off, was)) return { kind: 'nothing', why: 'does not act by itself', ours: false };
  const remembered = { runs: [run], ...(was === undefined ? {} : { was }) };
  const written = remembering(withAt(object, row.path, off), remembered);
  if (memory === undefined) return { kind: 'write', object: written };
  const left = `${row.path.join('.')} was changed by somebody else since run ${memory.runs.join(', ')} held it`;
  return { kind: 'write', object: written, left };
}

/** Lets it act again, exactly as it did before, as far as it is this run's to say. */
export function resume(object: KubeObject, run: string): Suspending {
  const row = rowOf(object);
  const memory = memoryOf(object);
  if (row === undefined || memory === undefined || !memory.runs.includes(run))
    return { kind: 'nothing', why: 'is not held by this run', ours: false };
  const runs = memory.runs.filter((one) => one !== run);
  if (!isOff(row, at(object, row.path), memory)) {
    const left = `${row.path.join('.')} was changed by somebody else meanwhile and stays as it is`;
    return { kind: 'write', object: remembering(object, undefined), left };
  }
  if (runs.length > 0) {
    const left = `is still held by run ${runs.join(', ')}`;
    return { kind: 'write', object: remembering(object, { ...memory, runs }), left };
  }
  return { kind: 'write', object: acting(object) };
}

/**
 * The object without what a run does to it for a while (a suspension, maintenance mode): what it was and will be. What
 * somebody changed meanwhile stays as they left it. The same object when there is nothing of that.
 */
export function asItWas(object: KubeObject): KubeObject {
  return beforeMaintenance(acting(object));
}

function acting(object: KubeObject): KubeObject {
  const memory = memoryOf(object);
  const row = rowOf(object);
  if (memory === undefined || row === undefined) return object;
  const restored = isOff(row, at(object, row.path), memory) ? withAt(object, row.path, memory.was) : object;
  return remembering(restored, undefined);
}

/**
 * `target`, which is not suspended, suspended as `live` is: what is written over a suspended object must not set it going,
 * nor end the maintenance. A memory among its annotations is that of the live object, carried over, and counts for nothing.
 */
export function suspendedLike(live: KubeObject, target: KubeObject): KubeObject {
  return maintainedLike(live, quietLike(live, target));
}

function quietLike(live: KubeObject, target: KubeObject): KubeObject {
  const memory = memoryOf(live);
  if (memory === undefined) return target;
  const row = rowOf(live);
  const free = remembering(target, undefined);
  if (row === undefined || !isOff(row, at(live, row.path), memory)) return free;
  return memory.runs.reduce((object, run) => {
    const answer = suspend(object, run);
    return answer.kind === 'write' ? answer.object : object;
  }, free);
}

/**
 * RFC 7396, from one object to the other. It carries the resourceVersion that was read, so that a change by somebody in
 * between is not written over.
 */
export function mergePatch(from: KubeObject, to: KubeObject): JsonObject {
  const body = difference(from, to);
  const { resourceVersion } = from.metadata;
  return resourceVersion === undefined
    ? body
    : { ...body, metadata: { ...(body['metadata'] as JsonObject | undefined), resourceVersion } };
}

function difference(from: Values, to: Values): JsonObject {
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  const body: Record<string, Json> = {};
  for (const name of names) {
    const [was, is] = [from[name], to[name]];
    if (same(was, is) && (was === undefined) === (is === undefined)) continue;
    if (is === undefined) body[name] = null;
    else body[name] = isMap(was) && isMap(is) ? difference(was, is) : (is as Json);
  }
  return body;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The runs that keep the object from acting, in the order in which they came. */
export function suspendedBy(object: KubeObject): readonly string[] {
  return memoryOf(object)?.runs ?? [];
}

function rowOf({ apiVersion, kind }: KubeObject): Suspendable | undefined {
  const group = groupOf(apiVersion);
  const version = apiVersion.slice(group.length + 1);
  return SUSPENDABLE.find((row) => row.group === group && row.kind === kind && (row.version?.test(version) ?? true));
}

/** An annotation that cannot be read is nobody's: whoever wrote it, it says nothing that could be given back. */
function memoryOf({ metadata }: KubeObject): Memory | undefined {
  const text = metadata.annotations?.[SUSPENDED];
  if (text === undefined) return undefined;
  try {
    const memory = JSON.parse(text) as Partial<Memory> | null;
    return Array.isArray(memory?.runs) ? (memory as Memory) : undefined;
  } catch {
    return undefined;
  }
}

function remembering(object: KubeObject, memory: Memory | undefined): KubeObject {
  return withAt(
    object,
    ['metadata', 'annotations', SUSPENDED],
    memory === undefined ? undefined : canonicalJson(memory as unknown as Json),
  );
}

/** Servers add defaults to what was written, and drop what is empty: neither is a change. */
function isOff(row: Suspendable, now: unknown, { was }: Memory): boolean {
  const off = row.off(was);
  return row.outlives ? same(now, off) : holds(now, off);
}

function holds(now: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return same(now, wanted);
  return Object.entries(wanted).every(([name, value]) => holds((now as Values | undefined)?.[name], value));
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(isEmpty(a) ? null : a) === canonicalJson(isEmpty(b) ? null : b);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

function at(object: unknown, path: readonly string[]): unknown {
  return path.reduce((value, name) => (value as Values | undefined)?.[name], object);
}

/** A copy with the value there; undefined takes the field away, with the maps that this leaves empty below the top. */
function withAt<T>(object: T, path: readonly string[], value: unknown): T {
  const [name, ...rest] = path as readonly [string, ...string[]];
  const { [name]: there, ...others } = (object ?? {}) as Values;
  const next = rest.length === 0 ? value : withAt(there, rest, value);
  const gone =
    next === undefined || (value === undefined && rest.length > 0 && isEmpty(next) && name === 'annotations');
  return (gone ? others : { ...others, [name]: next }) as T;
}
