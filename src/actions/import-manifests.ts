import { BackstayError, isBackstayError } from '../errors/index.ts';
import {
  capturedForm,
  type Digest,
  groupOf,
  isCaptured,
  type KubeObject,
  keyOf,
  matchesPattern,
  type ObjectKey,
  roleOf,
  type Sighting,
  type Stack,
} from '../model/index.ts';
import type {
  Clock,
  Cluster,
  Credentials,
  NewSnapshot,
  ReadManifests,
  SecretHasher,
  SnapshotStore,
} from '../ports/index.ts';
import { contentOf } from './capture.ts';
import { credentialsNeeded, withCredentials } from './import-credentials.ts';
import { resolveFlags } from './inventory-flags.ts';
import { imagesOf } from './inventory-pods.ts';
import {
  type Manifest,
  type ManifestPlace,
  type ManifestProblem,
  manifestsInvalid,
  parseManifests,
} from './manifest-files.ts';

export interface ImportOptions {
  readonly directory: string;
  readonly labels?: readonly string[];
  readonly note?: string;
  /** Store it without a signature when the signing key is not at hand. @default false */
  readonly allowUnsigned?: boolean;
}

export interface ImportDeps {
  readonly stack: Stack;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly clock: Pick<Clock, 'now'>;
  readonly readManifests: ReadManifests;
  /** Says which kinds are namespaced. Absent or unreachable: a built-in table does, and what it does not know is assumed so. */
  readonly cluster?: Pick<Cluster, 'kindOf'>;
  /** Gives what `${credential:NAME}` in a Secret's `stringData` stands for; without it there may be none. */
  readonly credentials?: Credentials;
}

export interface ImportResult {
  readonly kind: 'imported';
  readonly id: Digest;
  readonly sighting: Sighting;
  readonly objects: number;
  readonly left: readonly { readonly key: ObjectKey; readonly reason: string; readonly place: ManifestPlace }[];
  /** Data stores among the objects: a plan leaves them alone unless the database is in its scope. */
  readonly dataStores: readonly ObjectKey[];
  readonly warnings: readonly string[];
}

/** Kinds of the API server's own that have no namespace. */
const CLUSTER_SCOPED = new Set([
  ...['Namespace', 'Node', 'PersistentVolume', 'ComponentStatus'].map((kind) => `/${kind}`),
  ...['CustomResourceDefinition'].map((kind) => `apiextensions.k8s.io/${kind}`),
  ...['APIService'].map((kind) => `apiregistration.k8s.io/${kind}`),
  ...['ClusterRole', 'ClusterRoleBinding'].map((kind) => `rbac.authorization.k8s.io/${kind}`),
  ...['StorageClass', 'VolumeAttachment', 'CSIDriver', 'CSINode', 'VolumeAttributesClass'].map(
    (kind) => `storage.k8s.io/${kind}`,
  ),
  ...['PriorityClass'].map((kind) => `scheduling.k8s.io/${kind}`),
  ...['RuntimeClass'].map((kind) => `node.k8s.io/${kind}`),
  ...['IngressClass', 'ServiceCIDR', 'IPAddress'].map((kind) => `networking.k8s.io/${kind}`),
  ...['FlowSchema', 'PriorityLevelConfiguration'].map((kind) => `flowcontrol.apiserver.k8s.io/${kind}`),
  ...['DeviceClass', 'ResourceSlice'].map((kind) => `resource.k8s.io/${kind}`),
  ...['CertificateSigningRequest', 'ClusterTrustBundle'].map((kind) => `certificates.k8s.io/${kind}`),
  ...[
    'MutatingWebhookConfiguration',
    'ValidatingWebhookConfiguration',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
    'MutatingAdmissionPolicy',
    'MutatingAdmissionPolicyBinding',
  ].map((kind) => `admissionregistration.k8s.io/${kind}`),
]);

/**
 * Makes a snapshot from a directory of plain manifests. It names no cluster, and its checks were never asked: it is not known
 * good until a run proves it. Fields that a server would fill in are filled in when it is planned.
 * Errors: MANIFESTS_INVALID (every problem with its file, line and column), KEY_MISSING, USAGE (a label that cannot be one);
 * with credentials to fill in, ENGINE_FAILED and TOOL_MISSING.
 */
export async function importManifests(options: ImportOptions, deps: ImportDeps): Promise<ImportResult> {
  const { stack, store, hasher } = deps;
  const parsed = parseManifests(await deps.readManifests(options.directory));
  const placed = await giveNamespaces(parsed.manifests, deps);
  const { taken, left, problems } = sift(placed.manifests, stack);
  const needed = credentialsNeeded(taken, deps.credentials !== undefined);
  const all = [...parsed.problems, ...problems, ...needed.problems];
  if (all.length > 0) throw manifestsInvalid(all);
  if (taken.length === 0) throw nothing(options.directory, left);
  const filled = await withCredentials(taken, needed.names, deps.credentials);
  const objects = filled.map(({ object }) => capturedForm(object, stack.foreign));
  const byKey = new Map(objects.map((object) => [keyOf(object), object]));
  const { content, secrets } = contentOf(
    { objects, flags: resolveFlags(stack, byKey), images: imagesOf(byKey, new Map()) },
    stack,
    hasher,
  );
  const sighting = await putSigned(
    store,
    stack.name,
    {
      content,
      secrets,
      record: {
        capturedAt: new Date(deps.clock.now()).toISOString(),
        reason: 'import',
        labels: options.labels ?? [],
        checks: [],
        verdict: 'unknown',
        ...(options.note === undefined ? {} : { note: options.note }),
      },
    },
    options.allowUnsigned === true,
  );
  return {
    kind: 'imported',
    id: sighting.record.id,
    sighting,
    objects: objects.length,
    left,
    dataStores: objects.filter((object) => roleOf(object, stack) === 'data').map((object) => keyOf(object)),
    warnings: placed.warnings,
  };
}

/** Namespaced objects without a namespace get the stack's first, as `kubectl apply -n` would give it; cluster-scoped ones lose theirs. */
async function giveNamespaces(
  manifests: readonly Manifest[],
  { stack, cluster }: ImportDeps,
): Promise<{ readonly manifests: readonly Manifest[]; readonly warnings: readonly string[] }> {
  const warnings: string[] = [];
  const scopes = new Map<string, boolean>();
  let reachable = cluster;
  const isNamespaced = async ({ apiVersion, kind }: KubeObject): Promise<boolean> => {
    try {
      const served = await reachable?.kindOf(apiVersion, kind);
      if (served !== undefined) return served.namespaced;
    } catch (error) {
      if (!isBackstayError(error) || !error.code.startsWith('CLUSTER_')) throw error;
      reachable = undefined;
      warnings.push(
        `The cluster could not be asked which kinds have namespaces (${error.code}); a built-in table was used.`,
      );
    }
    return !CLUSTER_SCOPED.has(`${groupOf(apiVersion)}/${kind}`);
  };
  const done: Manifest[] = [];
  for (const { object, place } of manifests) {
    const type = `${object.apiVersion} ${object.kind}`;
    const namespaced = scopes.get(type) ?? (await isNamespaced(object));
    scopes.set(type, namespaced);
    const { namespace, ...metadata } = object.metadata;
    const home = namespaced ? { namespace: namespace ?? stack.namespaces[0] ?? 'default' } : {};
    done.push({ object: { ...object, metadata: { ...metadata, ...home } }, place });
  }
  return { manifests: done, warnings };
}

interface Sifted {
  readonly taken: readonly Manifest[];
  readonly left: ImportResult['left'];
  readonly problems: readonly ManifestProblem[];
}

function sift(manifests: readonly Manifest[], stack: Stack): Sifted {
  const taken: Manifest[] = [];
  const left: { key: ObjectKey; reason: string; place: ManifestPlace }[] = [];
  const problems: ManifestProblem[] = [];
  const seen = new Map<ObjectKey, ManifestPlace>();
  for (const manifest of manifests) {
    const { object, place } = manifest;
    const key = keyOf(object);
    const first = seen.get(key);
    if (first !== undefined) {
      problems.push({
        ...place,
        message: `${key} is given a second time; the first is in ${first.file}:${first.line}`,
      });
      continue;
    }
    seen.set(key, place);
    const reason = reasonToLeave(object, stack);
    const { namespace } = object.metadata;
    if (reason !== undefined) left.push({ key, reason, place });
    else if (namespace !== undefined && !stack.namespaces.includes(namespace)) {
      problems.push({
        ...place,
        message: `${key} is in the namespace ${namespace}; the stack has ${stack.namespaces.join(', ')}`,
      });
    } else taken.push(manifest);
  }
  return { taken, left, problems };
}

function reasonToLeave(object: KubeObject, { capture }: Stack): string | undefined {
  const answer = isCaptured(object);
  if (!answer.captured) return answer.reason;
  if (capture.exclude.some((pattern) => matchesPattern(pattern, object))) return 'excluded by the stack file';
  const isIncluded =
    object.metadata.namespace !== undefined || capture.include.some((pattern) => matchesPattern(pattern, object));
  return isIncluded ? undefined : 'not included by the stack file';
}

async function putSigned(
  store: SnapshotStore,
  stack: string,
  entry: NewSnapshot,
  allowUnsigned: boolean,
): Promise<Sighting> {
  try {
    return await store.put(stack, entry);
  } catch (error) {
    if (!isBackstayError(error, 'KEY_MISSING')) throw error;
    // Another key may be the missing one: then this fails again, and says so.
    if (allowUnsigned) return await store.put(stack, { ...entry, sign: false });
    throw new BackstayError('KEY_MISSING', error.message, {
      next: `${error.next} To import without a signature, pass --allow-unsigned.`,
      details: error.details,
      cause: error,
    });
  }
}

function nothing(directory: string, left: ImportResult['left']): BackstayError {
  const reasons = left.map(({ key, reason }) => `${key}: ${reason}`);
  const why = reasons.length === 0 ? 'It holds no objects.' : `Left out: ${reasons.join('; ')}.`;
  return new BackstayError('MANIFESTS_INVALID', `Nothing in ${directory} belongs to the stack. ${why}`, {
    at: { file: directory },
  });
}
