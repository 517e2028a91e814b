import { groupOf, type KubeObject, type ObjectKey } from '../model/index.ts';

/** What a pod template reads from a ConfigMap or Secret: the whole of it, or single keys. */
export interface Read {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  /** Absent: all keys. */
  readonly key?: string;
}

type Fields = Readonly<Record<string, unknown>>;

const WITH_TEMPLATE: Readonly<Record<string, string>> = {
  Deployment: 'apps',
  StatefulSet: 'apps',
  DaemonSet: 'apps',
  ReplicaSet: 'apps',
  ReplicationController: '',
  Rollout: 'argoproj.io',
};

/** Kinds that replace their pods when their template changes, one after another and by themselves. */
export const ROLLING_KINDS: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout']);

/** Whether the object makes long-running pods. Jobs and CronJobs do not: they are never restarted. */
export function isWorkload(object: KubeObject): boolean {
  return WITH_TEMPLATE[object.kind] === groupOf(object.apiVersion);
}

/** The pod template of a workload, CronJob's and Job's included; undefined for what makes no pods. */
export function podTemplateOf(object: KubeObject): KubeObject | undefined {
  const spec = map(object.spec);
  const holder = object.kind === 'CronJob' ? map(map(spec.jobTemplate).spec) : spec;
  const template = holder.template;
  if (typeof template !== 'object' || template === null) return undefined;
  return isWorkload(object) || groupOf(object.apiVersion) === 'batch' ? (template as KubeObject) : undefined;
}

/** Every image of a pod template, init containers included. */
export function imagesOf(object: KubeObject): readonly { readonly container: string; readonly image: string }[] {
  const spec = podSpecOf(object);
  return [...items(spec?.initContainers), ...items(spec?.containers)].flatMap((container) =>
    typeof container.image === 'string' ? [{ container: String(container.name), image: container.image }] : [],
  );
}

/** ConfigMaps and Secrets that the pods read: envFrom, env, volumes, projected volumes, pull secrets, CSI references. */
export function readsOf(object: KubeObject): readonly Read[] {
  const spec = podSpecOf(object);
  if (spec === undefined) return [];
  const found: Read[] = [];
  const add = (kind: Read['kind'], name: unknown, key?: unknown): void => {
    if (typeof name === 'string') found.push({ kind, name, ...(typeof key === 'string' ? { key } : {}) });
  };
  for (const container of [...items(spec.initContainers), ...items(spec.containers)]) {
    for (const source of items(container.envFrom)) {
      add('ConfigMap', map(source.configMapRef).name);
      add('Secret', map(source.secretRef).name);
    }
    for (const variable of items(container.env)) {
      const from = map(variable.valueFrom);
      add('ConfigMap', map(from.configMapKeyRef).name, map(from.configMapKeyRef).key);
      add('Secret', map(from.secretKeyRef).name, map(from.secretKeyRef).key);
    }
  }
  for (const volume of items(spec.volumes)) {
    addSource(volume, 'secretName', add);
    for (const source of items(map(volume.projected).sources)) addSource(source, 'name', add);
    add('Secret', map(map(volume.csi).nodePublishSecretRef).name);
  }
  return found;
}

type Add = (kind: Read['kind'], name: unknown, key?: unknown) => void;

function addSource(holder: Fields, secretName: string, add: Add): void {
  for (const [kind, source, name] of [
    ['ConfigMap', map(holder.configMap), 'name'],
    ['Secret', map(holder.secret), secretName],
  ] as const) {
    const chosen = items(source.items);
    if (chosen.length === 0) add(kind, source[name]);
    for (const { key } of chosen) add(kind, source[name], key);
  }
}

/** Key of what is read; a pod reads only from its own namespace. */
export function readKey(read: Read, namespace: string | undefined): ObjectKey {
  return `core/${read.kind}/${namespace ?? '-'}/${read.name}` as ObjectKey;
}

/** The service account that the pods run as, where one is named. */
export function serviceAccountOf(object: KubeObject): string | undefined {
  const name = podSpecOf(object)?.serviceAccountName;
  return typeof name === 'string' && name !== 'default' ? name : undefined;
}

/** Names of the pull secrets: an application does not run without them, but no pod reads their content. */
export function pullSecretsOf(object: KubeObject): readonly string[] {
  return items(podSpecOf(object)?.imagePullSecrets).flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
}

/** Whether a label selector (`matchLabels` and `matchExpressions`, or a Service's plain map) picks the pods of a workload. */
export function selects(selector: unknown, workload: KubeObject): boolean {
  const labels = map(podTemplateOf(workload)?.metadata).labels as Readonly<Record<string, string>> | undefined;
  return labels !== undefined && matchesLabels(selector, labels);
}

/** Whether a label selector picks what has these labels; one that says nothing picks nothing. */
export function matchesLabels(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  if (typeof selector !== 'object' || selector === null) return false;
  const { matchLabels, matchExpressions, ...plain } = selector as Fields;
  const isPlain = matchLabels === undefined && matchExpressions === undefined;
  const wanted = isPlain ? plain : map(matchLabels);
  if (isPlain && Object.keys(plain).length === 0) return false;
  return (
    Object.entries(wanted).every(([key, value]) => labels[key] === value) &&
    items(matchExpressions).every((expression) => matches(expression, labels))
  );
}

function matches({ key, operator, values }: Fields, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[String(key)];
  const among = Array.isArray(values) && value !== undefined && values.includes(value);
  if (operator === 'In') return among;
  if (operator === 'NotIn') return !among;
  return operator === 'Exists' ? value !== undefined : value === undefined;
}

function podSpecOf(object: KubeObject): Fields | undefined {
  const template = podTemplateOf(object);
  return template === undefined ? undefined : map(template.spec);
}

function map(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function items(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(map) : [];
}

/** Whether a Deployment's last change is still on its way to the pods, failing or not. */
export function isRollingOut(object: KubeObject): boolean {
  if (object.kind !== 'Deployment') return false;
  const status = map(object.status);
  const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
  const spec = map(object.spec);
  const wanted = typeof spec.replicas === 'number' ? spec.replicas : 1;
  const updated = number(status.updatedReplicas);
  if (number(status.observedGeneration) < number(object.metadata.generation)) return true;
  return updated < wanted || number(status.replicas) > updated;
}
