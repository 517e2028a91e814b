import { canonicalJson } from './json.ts';
import type { KubeObject } from './object.ts';
import type { HttpTarget } from './stack.ts';

/** Annotation on the object that holds the flag of the maintenance mode: for which run it is on, and what it was before. */
export const MAINTENANCE = 'backstay.dev/maintenance';

/** How a stack says that it is closed for a while: one of its flags. */
export interface MaintenanceSetting {
  /** Name of one of the stack's flags. */
  readonly flag: string;
  readonly on: string;
  /** What it is set to where nobody knows what it was. */
  readonly off: string;
  /** Restarted, for they read the flag when they start. Absent: those whose environment comes from where it stands. */
  readonly workloads?: readonly string[];
  /** Answers so while it is on, and not so while it is off. Absent: the flag and its readers are believed. */
  readonly check?: {
    readonly target: HttpTarget;
    readonly accept: readonly number[];
    /** Milliseconds until it has to answer so. */
    readonly timeoutMs: number;
  };
}

/** Where a flag stands within its object. */
export type FlagPlace =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'env'; readonly container: string; readonly env: string };

interface Memory {
  readonly run: string;
  readonly place: FlagPlace;
  readonly on: string;
  /** Null: it was not set. */
  readonly was: string | null;
}

export type Turning =
  | { readonly kind: 'write'; readonly object: KubeObject; readonly was: string | null; readonly left?: string }
  /** `by`: the run that turned it on; absent where it was no run. */
  | { readonly kind: 'nothing'; readonly why: string; readonly ours: boolean; readonly by?: string };

/** What the flag is set to; undefined: not set, or not by a plain value. */
export function flagValue(object: KubeObject, place: FlagPlace): string | undefined {
  if (place.kind === 'key') return (object['data'] as Readonly<Record<string, string>> | undefined)?.[place.key];
  return variablesOf(object, place)?.findLast(({ name }) => name === place.env)?.value;
}

/** On for this run. What a dead run has turned on is taken over; what no run has turned on stays whose it is. */
export function turnOn(object: KubeObject, place: FlagPlace, on: string, run: string): Turning {
  const memory = memoryOf(object);
  const now = flagValue(object, place) ?? null;
  if (memory !== undefined && isOn(object, memory)) {
    if (memory.run === run) return { kind: 'nothing', why: 'is on already', ours: true, by: run };
    const left = `was on since run ${memory.run}, which did not turn it off`;
    return { kind: 'write', object: remembering(object, { ...memory, run }), was: memory.was, left };
  }
  if (now === on) return { kind: 'nothing', why: 'was turned on by somebody else, and stays on', ours: false };
  return { kind: 'write', object: turned(object, { run, place, on, was: now }), was: now };
}

/** As it was before this run; what somebody has set meanwhile stays. */
export function turnOff(object: KubeObject, run: string): Turning {
  const memory = memoryOf(object);
  if (memory === undefined) return { kind: 'nothing', why: 'was not turned on by this run', ours: false };
  if (memory.run !== run)
    return { kind: 'nothing', why: `was turned on by run ${memory.run}`, ours: false, by: memory.run };
  const left = isOn(object, memory) ? {} : { left: 'was set by somebody else meanwhile and stays so' };
  return { kind: 'write', object: beforeMaintenance(object), was: memory.was, ...left };
}

/** The run for which it is on. */
export function maintainedBy(object: KubeObject): string | undefined {
  return memoryOf(object)?.run;
}

/** The object as it was before the maintenance, and will be after it. */
export function beforeMaintenance(object: KubeObject): KubeObject {
  const memory = memoryOf(object);
  if (memory === undefined) return object;
  const free = remembering(object, undefined);
  return isOn(object, memory) ? setFlag(free, memory.place, memory.was) : free;
}

/** `target` with the maintenance that `live` is in: what it says of the flag itself is what the flag will be. */
export function maintainedLike(live: KubeObject, target: KubeObject): KubeObject {
  const memory = memoryOf(live);
  if (memory === undefined) return target;
  const free = remembering(target, undefined);
  if (!isOn(live, memory) || !hasPlace(free, memory.place)) return free;
  const was = flagValue(free, memory.place) ?? null;
  return was === memory.on ? free : turned(free, { ...memory, was });
}

function turned(object: KubeObject, memory: Memory): KubeObject {
  return remembering(setFlag(object, memory.place, memory.on), memory);
}

function isOn(object: KubeObject, { place, on }: Memory): boolean {
  return flagValue(object, place) === on;
}

/** An annotation that cannot be read says nothing that could be given back. */
function memoryOf({ metadata }: KubeObject): Memory | undefined {
  const text = metadata.annotations?.[MAINTENANCE];
  if (text === undefined) return undefined;
  try {
    const memory = JSON.parse(text) as Partial<Memory> | null;
    return typeof memory?.run === 'string' && memory.place !== undefined ? (memory as Memory) : undefined;
  } catch {
    return undefined;
  }
}

function remembering(object: KubeObject, memory: Memory | undefined): KubeObject {
  const { annotations, ...rest } = object.metadata;
  const { [MAINTENANCE]: _, ...others } = annotations ?? {};
  const kept = memory === undefined ? others : { ...others, [MAINTENANCE]: canonicalJson(memory) };
  const metadata = Object.keys(kept).length === 0 ? rest : { ...rest, annotations: kept };
  return { ...object, metadata };
}

interface Variable {
  readonly name: string;
  readonly value?: string;
}
interface Container {
  readonly name: string;
  readonly env?: readonly Variable[];
}
type Values = Readonly<Record<string, unknown>>;
interface WithTemplate {
  readonly template?: { readonly spec?: { readonly containers?: readonly Container[] } };
}

function variablesOf(object: KubeObject, place: Extract<FlagPlace, { kind: 'env' }>): Container['env'] {
  return containersOf(object).find(({ name }) => name === place.container)?.env;
}

function containersOf(object: KubeObject): readonly Container[] {
  return (object['spec'] as WithTemplate | undefined)?.template?.spec?.containers ?? [];
}

function hasPlace(object: KubeObject, place: FlagPlace): boolean {
  return place.kind === 'key' || containersOf(object).some(({ name }) => name === place.container);
}

/** Null takes it away, with the map or list that this leaves empty. */
export function setFlag(object: KubeObject, place: FlagPlace, value: string | null): KubeObject {
  if (place.kind === 'key') {
    const { data, ...rest } = object as KubeObject & { readonly data?: Readonly<Record<string, string>> };
    const { [place.key]: _, ...others } = data ?? {};
    const next = value === null ? others : { ...others, [place.key]: value };
    return Object.keys(next).length === 0 ? rest : { ...rest, data: next };
  }
  const containers = containersOf(object).map((container) =>
    container.name === place.container ? withVariable(container, place.env, value) : container,
  );
  const spec = object['spec'] as Values & { readonly template: Values & { readonly spec: Values } };
  return { ...object, spec: { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } } };
}

/** In its place, for a list in another order is another template. */
function withVariable({ env = [], ...rest }: Container, name: string, value: string | null): Container {
  const there = env.some((variable) => variable.name === name);
  const next =
    value === null
      ? env.filter((variable) => variable.name !== name)
      : there
        ? env.map((variable) => (variable.name === name ? { name, value } : variable))
        : [...env, { name, value }];
  return next.length === 0 ? rest : { ...rest, env: next };
}
