import { BackstayError } from '../../errors/index.ts';
import {
  displayName,
  type JsonObject,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type ObjectMeta,
} from '../../model/index.ts';
import type { Path } from '../codec.ts';

/** Where the API version of a type token differs from the object's own: the core group has no name in the API. */
export function apiVersionOfType(type: string): string {
  const version = type.split(':')[1] ?? '';
  return version === 'core/v1' ? 'v1' : version;
}

/** Why a type of the package cannot be served here; undefined when it can. */
export function unservedType(type: string): string | undefined {
  const [, module = '', kind = ''] = type.split(':');
  if (/^(helm\.sh|yaml|kustomize)/.test(module)) return `${type} is served by the official plugin only`;
  // Every built-in kind has a `…List` and `…Patch` twin in the SDK; a custom resource whose kind ends so is not refused.
  const builtIn = !module.includes('.') || module.split('/')[0]?.endsWith('.k8s.io') === true;
  return builtIn && /^.+(List|Patch)$/.test(kind) ? `${type} stands for no object of its own` : undefined;
}

/** The object that a resource's inputs describe. The type fills in what the inputs leave out. */
export function objectOf(properties: JsonObject, type: string): KubeObject {
  const metadata = (properties['metadata'] ?? {}) as unknown as ObjectMeta;
  const fields = Object.entries(properties).filter(([name]) => !name.startsWith('__') && name !== 'status');
  return {
    ...Object.fromEntries(fields),
    apiVersion: typeof properties['apiVersion'] === 'string' ? properties['apiVersion'] : apiVersionOfType(type),
    kind: typeof properties['kind'] === 'string' ? properties['kind'] : (type.split(':')[2] ?? ''),
    metadata,
  };
}

/** `NAMESPACE/NAME` or `NAME`, as the official plugin has it. */
export function idOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** `deployment/gateway in production`, for messages. */
export function said(object: KubeObject | ObjectKey): string {
  const key = typeof object === 'string' ? object : keyOf(object);
  const namespace = key.split('/')[2];
  return namespace === undefined || namespace === '-' ? displayName(key) : `${displayName(key)} in ${namespace}`;
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * A resource's outputs in the official plugin's shape: the live object and three notes of the provider. Whichever plugin
 * comes next goes on with the field manager noted here.
 */
export function outputsOf(
  live: KubeObject,
  inputs: JsonObject,
  manager: string,
  initialApiVersion: string,
): JsonObject {
  return {
    ...(live as unknown as JsonObject),
    __fieldManager: manager,
    __initialApiVersion: initialApiVersion,
    __inputs: inputs,
  };
}

/** What of inputs or outputs is secret: what the program said, and everything that a Secret holds, copies included. */
export function secretPaths(kind: string, inputSecrets: readonly Path[]): readonly Path[] {
  const own: readonly Path[] =
    kind === 'Secret' ? [['data'], ['stringData'], ['metadata', 'annotations', LAST_APPLIED]] : [];
  return [...own, ...inputSecrets];
}

export function outputSecrets(kind: string, inputSecrets: readonly Path[]): readonly Path[] {
  const paths = secretPaths(kind, inputSecrets);
  return [...paths, ...paths.map((path) => ['__inputs', ...path])];
}

export function recordedManager(state: JsonObject): string | undefined {
  const manager = state['__fieldManager'];
  return typeof manager === 'string' && manager !== '' ? manager : undefined;
}

/** Throws OBJECT_REFUSED: an object without a name cannot be found again. */
export function requireName(object: KubeObject): void {
  if (typeof object.metadata.name === 'string' && object.metadata.name !== '') return;
  throw new BackstayError('OBJECT_REFUSED', `A ${object.kind} has no metadata.name.`, { next: 'Give it a name.' });
}
