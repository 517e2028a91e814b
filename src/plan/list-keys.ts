/**
 * How the items of a list are told apart. Kubernetes merges most lists by key and not by place; comparing them by place
 * would show every item after a removed one as changed.
 */
export interface ListKey {
  /** The key fields of an item, as text; undefined when the item has none (the list is then compared by place). */
  readonly of: (item: Readonly<Record<string, unknown>>) => Readonly<Record<string, string>> | undefined;
  /** Whether the order of the items means something beyond their keys. */
  readonly ordered: 'no' | 'yes' | 'when-referring';
}

type Keys = Readonly<Record<string, string>>;
type Item = Readonly<Record<string, unknown>>;

/** The first field is needed; the others are added where they are there and differ from their default. */
function by(field: string, more: Readonly<Record<string, string>> = {}): ListKey['of'] {
  return (item) => {
    const first = scalar(item[field]);
    if (first === undefined) return undefined;
    const keys: Record<string, string> = { [field]: first };
    for (const [name, ordinary] of Object.entries(more)) {
      const value = scalar(item[name]);
      if (value !== undefined && value !== ordinary) keys[name] = value;
    }
    return keys;
  };
}

const NEVER_ORDINARY = '';
const unordered = (of: ListKey['of']): ListKey => ({ of, ordered: 'no' });
const ordered = (of: ListKey['of']): ListKey => ({ of, ordered: 'yes' });

/** `configMap=x` or `secret=x`, whichever kind of source the item names; `prefix` tells two uses of one source apart. */
function byRef(item: Item): Keys | undefined {
  for (const [field, name] of Object.entries(item)) {
    if (typeof name !== 'object' || name === null) continue;
    const ref = scalar((name as Item).name);
    const prefix = scalar(item.prefix);
    const kind = field.replace(/Ref$/, '');
    if (ref !== undefined) return { [kind]: ref, ...(prefix === undefined ? {} : { prefix }) };
    if (kind === 'downwardAPI' || kind === 'serviceAccountToken') return { source: kind };
  }
  return undefined;
}

function byPort(item: Item): Keys | undefined {
  return by('containerPort', { protocol: 'TCP' })(item) ?? by('port', { protocol: 'TCP' })(item);
}

function byMetadataName(item: Item): Keys | undefined {
  return by('name')((item.metadata ?? {}) as Item);
}

/**
 * Lists of Kubernetes' own kinds, by the name of the field that holds them. env: its order is without meaning unless a
 * value refers to another variable as $(NAME), because only variables defined before it are expanded. envFrom: the later
 * source wins. initContainers: they run one after another.
 */
const KNOWN: Readonly<Record<string, ListKey>> = {
  containers: unordered(by('name')),
  initContainers: ordered(by('name')),
  ephemeralContainers: unordered(by('name')),
  volumes: unordered(by('name')),
  env: { of: by('name'), ordered: 'when-referring' },
  envFrom: ordered(byRef),
  ports: unordered(byPort),
  volumeMounts: unordered(by('mountPath')),
  volumeDevices: unordered(by('devicePath')),
  volumeClaimTemplates: unordered(byMetadataName),
  items: unordered(by('key', { path: NEVER_ORDINARY })),
  sources: unordered(byRef),
  imagePullSecrets: unordered(by('name')),
  secrets: unordered(by('name')),
  hostAliases: unordered(by('ip')),
  tolerations: unordered(by('key', { operator: 'Equal', value: NEVER_ORDINARY, effect: NEVER_ORDINARY })),
  topologySpreadConstraints: unordered(by('topologyKey', { whenUnsatisfiable: NEVER_ORDINARY })),
  readinessGates: unordered(by('conditionType')),
  resourceClaims: unordered(by('name')),
  schedulingGates: unordered(by('name')),
  sysctls: unordered(by('name')),
  subjects: unordered(by('name', { kind: NEVER_ORDINARY, namespace: NEVER_ORDINARY })),
  ownerReferences: unordered(by('name', { kind: NEVER_ORDINARY })),
  paths: unordered(by('path', { pathType: NEVER_ORDINARY })),
  tls: unordered(by('secretName')),
  webhooks: unordered(by('name')),
  parentRefs: unordered(by('name', { namespace: NEVER_ORDINARY, sectionName: NEVER_ORDINARY })),
  listeners: unordered(by('name')),
  versions: unordered(by('name')),
};

/** Ingress rules go by host; the rules of every other kind (RBAC, routes, policies) have no key and mean their order. */
const INGRESS_RULES = unordered((item) => by('host')(item) ?? { host: '*' });

/** Fields that custom resources commonly key their lists by. Their order is kept, because nothing is known about it. */
const LIKELY: readonly ListKey[] = ['name', 'key', 'id', 'host', 'path'].map((field) => ordered(by(field)));

/**
 * The key of the list under `field`, when it separates the items of both sides; else undefined: compare by place.
 * Two items of one key (which the API server lets pass in some lists) are only told apart by place.
 */
export function listKeyFor(
  kind: string,
  field: string,
  ...sides: readonly (readonly unknown[])[]
): ListKey | undefined {
  const known = field === 'rules' ? (kind === 'Ingress' ? INGRESS_RULES : undefined) : KNOWN[field];
  if (field === 'rules' && known === undefined) return undefined;
  const candidates = known === undefined ? LIKELY : [known, ...LIKELY];
  return candidates.find((candidate) => sides.every((items) => separates(candidate, items)));
}

function separates(key: ListKey, items: readonly unknown[]): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return false;
    const keys = key.of(item as Item);
    if (keys === undefined) return false;
    const text = keyText(keys);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

/** One text for one key. */
export function keyText(keys: Keys): string {
  let text = '';
  for (const name in keys) text += `${name}=${JSON.stringify(keys[name])},`;
  return text;
}

/** Whether any item's text refers to a variable, as `$(NAME)` does. `$$(` is an escaped one. */
export function refersToVariables(items: readonly unknown[]): boolean {
  return items.some((item) => {
    const value = (item as { value?: unknown } | null)?.value;
    return typeof value === 'string' && /(^|[^$])(\$\$)*\$\([A-Za-z_]/.test(value);
  });
}

function scalar(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
