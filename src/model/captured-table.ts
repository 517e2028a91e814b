/** One thing that lies outside captured form: what, of which kinds, why, and what a write does with it. */
export interface OutsideRow {
  /** `*` for every kind. */
  readonly kind: string;
  /** Pattern as in field-path.ts. */
  readonly path: string;
  readonly why: string;
  /**
   * `keep`: a write takes it from the live object. `server`: the server sets it whatever is written.
   * `drop`: a write leaves it out, so that it goes.
   */
  readonly onWrite: 'keep' | 'server' | 'drop';
  /** Outside only if so; always when absent. */
  readonly when?: Condition;
}

/** `empty`: an empty map, list or null. `held`: Backstay paused it. `assigned`: an address, not `None`. */
export type Condition = 'empty' | 'held' | 'assigned' | 'single-family';

const row = (
  kind: string,
  path: string,
  onWrite: OutsideRow['onWrite'],
  why: string,
  when?: Condition,
): OutsideRow => ({
  kind,
  path,
  why,
  onWrite,
  ...(when === undefined ? {} : { when }),
});

/** Annotation that marks a rollout paused by a run; its value is the run. */
export const PAUSED_BY = 'backstay.dev/paused-by';

const POD_TEMPLATES = ['spec.template', 'spec.jobTemplate.spec.template'] as const;
const BOOKKEEPING = 'bookkeeping of a tool or controller';
const ABSENT = 'the API server treats it as absent';

/**
 * Everything that lies outside captured form. Order matters: a row may look only at what an earlier one left, and the
 * rows about emptiness come last, for earlier ones empty maps.
 */
export const OUTSIDE_CAPTURED_FORM: readonly OutsideRow[] = [
  row('*', 'status', 'server', 'what controllers saw, not what was asked for'),
  row('*', 'metadata.uid', 'server', 'identity in this API server'),
  row('*', 'metadata.resourceVersion', 'server', 'counts writes'),
  row('*', 'metadata.generation', 'server', 'counts changes'),
  row('*', 'metadata.creationTimestamp', 'server', 'when, not what'),
  row('*', 'metadata.deletionTimestamp', 'server', 'when, not what'),
  row('*', 'metadata.deletionGracePeriodSeconds', 'server', 'when, not what'),
  row('*', 'metadata.managedFields', 'server', 'who wrote, not what'),
  row('*', 'metadata.selfLink', 'server', 'derived from the name'),
  row('*', 'metadata.generateName', 'server', 'used once, when it was made'),
  row('*', 'metadata.ownerReferences', 'keep', 'a UID of another life gets the object garbage-collected'),
  row('*', 'metadata.finalizers[=foregroundDeletion]', 'server', 'a deletion in progress'),
  row('*', 'metadata.finalizers[=orphan]', 'server', 'a deletion in progress'),
  row(
    'Secret',
    'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]',
    'drop',
    'repeats secret values in clear',
  ),
  row('*', 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]', 'keep', BOOKKEEPING),
  row('*', 'metadata.annotations["kubectl.kubernetes.io/restartedAt"]', 'keep', 'a restart is an act, not a state'),
  row('Deployment', 'spec.paused', 'keep', 'held by a run that is under way', 'held'),
  row('Rollout', 'spec.paused', 'keep', 'held by a run that is under way', 'held'),
  row('*', 'metadata.annotations["backstay.dev/*"]', 'keep', 'our own bookkeeping'),
  row('*', 'metadata.labels["backstay.dev/*"]', 'keep', 'our own bookkeeping'),
  ...POD_TEMPLATES.flatMap((template) => [
    row(
      '*',
      `${template}.metadata.annotations["kubectl.kubernetes.io/restartedAt"]`,
      'keep',
      'a restart is an act, not a state',
    ),
    row('*', `${template}.metadata.annotations["backstay.dev/*"]`, 'keep', 'our own bookkeeping'),
    row('*', `${template}.metadata.labels["backstay.dev/*"]`, 'keep', 'our own bookkeeping'),
    row('*', `${template}.metadata.creationTimestamp`, 'server', ABSENT, 'empty'),
  ]),
  row('CronJob', 'spec.jobTemplate.metadata.creationTimestamp', 'server', ABSENT, 'empty'),
  row('*', 'spec.volumeClaimTemplates[*].status', 'server', 'what controllers saw, not what was asked for'),
  row('*', 'spec.volumeClaimTemplates[*].metadata.creationTimestamp', 'server', ABSENT, 'empty'),
  row(
    '*',
    'metadata.annotations["deployment.kubernetes.io/*"]',
    'keep',
    'revision counted by the Deployment controller',
  ),
  row(
    '*',
    'metadata.annotations["deprecated.daemonset.template.generation"]',
    'keep',
    'revision counted by the server',
  ),
  row('Rollout', 'metadata.annotations["rollout.argoproj.io/*"]', 'keep', 'revision counted by Argo Rollouts'),
  row('Service', 'spec.selector["rollouts-pod-template-hash"]', 'keep', 'set by Argo Rollouts while it moves traffic'),
  row('Service', 'metadata.annotations["argo-rollouts.argoproj.io/managed-by-rollouts"]', 'keep', BOOKKEEPING),
  row('Service', 'spec.clusterIPs', 'keep', 'assigned by the cluster', 'assigned'),
  row('Service', 'spec.clusterIP', 'keep', 'assigned by the cluster', 'assigned'),
  row('Service', 'spec.ports[*].nodePort', 'keep', 'assigned by the cluster'),
  row('Service', 'spec.healthCheckNodePort', 'keep', 'assigned by the cluster'),
  row('Service', 'spec.ipFamilies', 'keep', 'follows from the cluster when there is one', 'single-family'),
  row('Service', 'metadata.finalizers[=service.kubernetes.io/load-balancer-cleanup]', 'keep', BOOKKEEPING),
  row('PersistentVolumeClaim', 'spec.volumeName', 'keep', 'bound by the cluster'),
  row('PersistentVolumeClaim', 'metadata.annotations["pv.kubernetes.io/*"]', 'keep', 'bound by the cluster'),
  row('PersistentVolumeClaim', 'metadata.annotations["volume.kubernetes.io/*"]', 'keep', 'bound by the cluster'),
  row(
    'PersistentVolumeClaim',
    'metadata.annotations["volume.beta.kubernetes.io/storage-provisioner"]',
    'keep',
    'bound by the cluster',
  ),
  row('PersistentVolumeClaim', 'metadata.finalizers[=kubernetes.io/pvc-protection]', 'keep', BOOKKEEPING),
  row('PersistentVolume', 'metadata.finalizers[=kubernetes.io/pv-protection]', 'keep', BOOKKEEPING),
  row('PersistentVolume', 'spec.claimRef.uid', 'keep', 'identity in this API server'),
  row('PersistentVolume', 'spec.claimRef.resourceVersion', 'keep', 'counts writes'),
  row('Namespace', 'spec.finalizers', 'keep', BOOKKEEPING),
  row('ServiceAccount', 'secrets', 'keep', 'tokens made by the cluster'),
  row('Secret', 'metadata.annotations["kubernetes.io/service-account.uid"]', 'keep', 'identity in this API server'),
  row(
    'HorizontalPodAutoscaler',
    'metadata.annotations["autoscaling.alpha.kubernetes.io/*"]',
    'keep',
    'what controllers saw',
  ),
  ...['metadata', ...POD_TEMPLATES.map((template) => `${template}.metadata`)].flatMap((metadata) =>
    ['labels', 'annotations', 'finalizers'].map((field) => row('*', `${metadata}.${field}`, 'server', ABSENT, 'empty')),
  ),
  ...['ConfigMap', 'Secret'].flatMap((kind) =>
    ['data', 'binaryData', 'immutable'].map((field) => row(kind, field, 'server', ABSENT, 'empty')),
  ),
];
