import type { KubeObject } from '../../../model/index.ts';
import type { Container, EnvVar, KeyRef } from '../pods/pod-types.ts';
import { expand } from './expand.ts';
import { fieldValue, type PodFacts, resourceValue } from './field-ref.ts';

export type SourceKind = 'ConfigMap' | 'Secret';

/** Data of a ConfigMap or Secret that was read beforehand; undefined when there is no such object. */
export type SourceLookup = (kind: SourceKind, name: string) => Readonly<Record<string, string>> | undefined;

export type EnvResult =
  | { readonly ok: true; readonly env: Readonly<Record<string, string>> }
  /** `missing` is what to wait for; a key can only appear when its object changes. */
  | {
      readonly ok: false;
      readonly message: string;
      readonly missing?: { readonly kind: SourceKind; readonly name: string };
    };

/** Every ConfigMap and Secret that the container's environment refers to, each once. */
export function envSources(container: Container): readonly { readonly kind: SourceKind; readonly name: string }[] {
  const found = new Map<string, { kind: SourceKind; name: string }>();
  const add = (kind: SourceKind, ref: { readonly name: string } | undefined): void => {
    if (ref !== undefined) found.set(`${kind}/${ref.name}`, { kind, name: ref.name });
  };
  for (const from of container.envFrom ?? []) {
    add('ConfigMap', from.configMapRef);
    add('Secret', from.secretRef);
  }
  for (const { valueFrom } of container.env ?? []) {
    add('ConfigMap', valueFrom?.configMapKeyRef);
    add('Secret', valueFrom?.secretKeyRef);
  }
  return [...found.values()];
}

/** The environment of a container, in the order the API promises: envFrom first, then env, each seeing what came before. */
export function resolveEnv(container: Container, facts: PodFacts, lookup: SourceLookup): EnvResult {
  const env: Record<string, string> = {};
  for (const from of container.envFrom ?? []) {
    for (const [kind, ref] of [
      ['ConfigMap', from.configMapRef],
      ['Secret', from.secretRef],
    ] as const) {
      if (ref === undefined) continue;
      const data = lookup(kind, ref.name);
      if (data === undefined) {
        if (ref.optional === true) continue;
        return notFound(kind, ref.name);
      }
      for (const [key, value] of Object.entries(data)) {
        if (validName(key)) env[`${from.prefix ?? ''}${key}`] = value;
      }
    }
  }
  for (const variable of container.env ?? []) {
    const resolved = valueOf(variable, env, container, facts, lookup);
    if (typeof resolved === 'object') return resolved;
    if (resolved !== undefined) env[variable.name] = resolved;
  }
  return { ok: true, env };
}

type EnvFailure = Extract<EnvResult, { ok: false }>;

function valueOf(
  variable: EnvVar,
  env: Readonly<Record<string, string>>,
  container: Container,
  facts: PodFacts,
  lookup: SourceLookup,
): string | undefined | EnvFailure {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? '', (name) => env[name]);
  if (from.configMapKeyRef) return keyed('ConfigMap', from.configMapKeyRef, facts, lookup);
  if (from.secretKeyRef) return keyed('Secret', from.secretKeyRef, facts, lookup);
  if (from.fieldRef) {
    const path = from.fieldRef.fieldPath;
    return fieldValue(path, facts) ?? { ok: false, message: `fieldPath ${path} is not supported` };
  }
  if (from.resourceFieldRef) {
    const ref = from.resourceFieldRef;
    return (
      resourceValue(ref, container, facts) ?? { ok: false, message: `unsupported container resource : ${ref.resource}` }
    );
  }
  return '';
}

function keyed(kind: SourceKind, ref: KeyRef, facts: PodFacts, lookup: SourceLookup): string | undefined | EnvFailure {
  const data = lookup(kind, ref.name);
  const value = data?.[ref.key];
  if (value !== undefined) return value;
  if (ref.optional === true) return undefined;
  if (data === undefined) return notFound(kind, ref.name);
  const namespace = facts.pod.metadata.namespace ?? 'default';
  return {
    ok: false,
    message: `couldn't find key ${ref.key} in ${kind} ${namespace}/${ref.name}`,
    missing: { kind, name: ref.name },
  };
}

function notFound(kind: SourceKind, name: string): EnvFailure {
  return { ok: false, message: `${kind.toLowerCase()} "${name}" not found`, missing: { kind, name } };
}

function validName(key: string): boolean {
  return key.length > 0 && !key.includes('=') && !key.includes('\0');
}

/** Text values of a ConfigMap's `data`, or of a Secret's, decoded. */
export function textData(object: KubeObject): Readonly<Record<string, string>> {
  const data = (object['data'] ?? {}) as Readonly<Record<string, string>>;
  if (object.kind !== 'Secret') return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}

/** The same as bytes, for files; a ConfigMap's `binaryData` included. */
export function binaryData(object: KubeObject): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const text = (object['data'] ?? {}) as Readonly<Record<string, string>>;
  const encoding = object.kind === 'Secret' ? 'base64' : 'utf8';
  for (const [key, value] of Object.entries(text)) files.set(key, Buffer.from(value, encoding));
  const binary = (object['binaryData'] ?? {}) as Readonly<Record<string, string>>;
  for (const [key, value] of Object.entries(binary)) files.set(key, Buffer.from(value, 'base64'));
  return files;
}
