import type { JsonObject } from './json.ts';

/** A Kubernetes object as raw JSON: every field the API server sent, known to us or not. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
  readonly [field: string]: unknown;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion?: string;
  readonly time?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: JsonObject;
  readonly subresource?: string;
}

/** What names an object for one API server. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

declare const keyBrand: unique symbol;
/**
 * Names an object across API versions: `group/Kind/namespace/name`, `core` for the core group and `-` for no namespace,
 * as in `apps/Deployment/production/gateway` and `core/Namespace/-/production`. It is also the Pulumi resource name.
 */
export type ObjectKey = string & { readonly [keyBrand]: true };

export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

export function keyOf(object: KubeObject | ObjectRef): ObjectKey {
  const { name, namespace } = 'metadata' in object ? object.metadata : object;
  return `${groupOf(object.apiVersion) || 'core'}/${object.kind}/${namespace ?? '-'}/${name}` as ObjectKey;
}

export interface KeyParts {
  /** Empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export function partsOf(key: ObjectKey): KeyParts {
  const [group = '', kind = '', namespace = '-', ...name] = key.split('/');
  return {
    group: group === 'core' ? '' : group,
    kind,
    ...(namespace === '-' ? {} : { namespace }),
    name: name.join('/'),
  };
}

export function refOf(object: KubeObject): ObjectRef {
  const { name, namespace } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** Short name for people: `deployment/gateway`, as kubectl prints it. */
export function displayName(key: ObjectKey): string {
  const { kind, name } = partsOf(key);
  return `${kind.toLowerCase()}/${name}`;
}
