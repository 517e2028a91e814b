import { groupOf, type KubeObject } from './object.ts';

/** Kinds that hold no state to go back to. `group` `*`: every group. */
export const KINDS_NEVER_CAPTURED: readonly { readonly group: string; readonly kind: string; readonly why: string }[] =
  [
    { group: '', kind: 'Pod', why: 'made by workloads' },
    { group: 'apps', kind: 'ReplicaSet', why: 'made by Deployments' },
    { group: 'apps', kind: 'ControllerRevision', why: 'made by StatefulSets and DaemonSets' },
    { group: 'batch', kind: 'Job', why: 'evidence, never run again' },
    { group: '*', kind: 'Event', why: 'evidence' },
    { group: '', kind: 'Endpoints', why: 'made by Services' },
    { group: 'discovery.k8s.io', kind: 'EndpointSlice', why: 'made by Services' },
    { group: 'coordination.k8s.io', kind: 'Lease', why: 'held by running programs' },
    { group: 'coordination.k8s.io', kind: 'LeaseCandidate', why: 'held by running programs' },
    { group: 'metrics.k8s.io', kind: '*', why: 'measured' },
    { group: 'custom.metrics.k8s.io', kind: '*', why: 'measured' },
    { group: 'external.metrics.k8s.io', kind: '*', why: 'measured' },
    { group: 'argoproj.io', kind: 'AnalysisRun', why: 'evidence' },
    { group: 'argoproj.io', kind: 'Experiment', why: 'evidence' },
    { group: 'cert-manager.io', kind: 'CertificateRequest', why: 'made by Certificates' },
    { group: 'acme.cert-manager.io', kind: '*', why: 'made by Certificates' },
    { group: 'cilium.io', kind: 'CiliumEndpoint', why: 'made by pods' },
    { group: 'wgpolicyk8s.io', kind: '*', why: 'measured' },
    { group: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', why: 'a backup must outlive what it backs up' },
  ];

export interface CapturableKind {
  readonly group: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** Whether objects of a kind can be state at all: listable, writable and not in the table above. */
export function isCapturedKind(kind: CapturableKind): boolean {
  if (!kind.verbs.includes('list') || !kind.verbs.includes('create')) return false;
  return !KINDS_NEVER_CAPTURED.some(
    (row) => (row.group === '*' || row.group === kind.group) && (row.kind === '*' || row.kind === kind.kind),
  );
}

export type Captured = { readonly captured: true } | { readonly captured: false; readonly reason: string };

/** ConfigMaps that the cluster or a mesh puts into every namespace. */
const CLUSTER_CONFIG_MAPS = new Set(['kube-root-ca.crt', 'openshift-service-ca.crt', 'istio-ca-root-cert']);
const CLUSTER_SECRET_TYPES = new Map([
  ['helm.sh/release.v1', "Helm's own record of a release"],
  ['kubernetes.io/service-account-token', 'a token made by the cluster'],
  ['bootstrap.kubernetes.io/token', 'a token made by the cluster'],
]);

/** Whether one object is part of a stack's state, and if not, why. */
export function isCaptured(object: KubeObject): Captured {
  const reason = reasonAgainst(object);
  return reason === undefined ? { captured: true } : { captured: false, reason };
}

function reasonAgainst(object: KubeObject): string | undefined {
  const { kind, metadata } = object;
  const group = groupOf(object.apiVersion);
  const never = KINDS_NEVER_CAPTURED.find(
    (row) => (row.group === '*' || row.group === group) && (row.kind === '*' || row.kind === kind),
  );
  if (never !== undefined) return never.why;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner !== undefined) return `owned by ${owner.kind.toLowerCase()}/${owner.name}`;
  if (metadata.deletionTimestamp !== undefined) return 'being deleted';
  if (metadata.labels?.['app.kubernetes.io/name'] === 'backstay') return "Backstay's own";
  if (group !== '') return undefined;
  if (kind === 'Secret') return CLUSTER_SECRET_TYPES.get(object['type'] as string);
  if (kind === 'ConfigMap') {
    if (CLUSTER_CONFIG_MAPS.has(metadata.name)) return 'put into every namespace by the cluster';
    if (metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] !== undefined)
      return 'held by a running program';
  }
  if (kind === 'ServiceAccount' && metadata.name === 'default' && isUntouched(object))
    return 'made by the cluster, untouched';
  return undefined;
}

function isUntouched(account: KubeObject): boolean {
  const { labels = {}, annotations = {} } = account.metadata;
  const pullSecrets = (account['imagePullSecrets'] ?? []) as readonly unknown[];
  return (
    Object.keys(labels).length === 0 &&
    Object.keys(annotations).length === 0 &&
    pullSecrets.length === 0 &&
    account['automountServiceAccountToken'] === undefined
  );
}
