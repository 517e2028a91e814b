import {
  type DataStoreSetting,
  displayName,
  type KubeObject,
  keyOf,
  type Plan,
  roleOf,
  type Stack,
} from '../model/index.ts';

/** Where the server of a journal, or of snapshots, is, as its URL says. */
export interface JournalAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

export interface JournalSurroundings {
  readonly plan: Plan;
  readonly stack: Pick<Stack, 'namespaces' | 'roles' | 'stores'>;
  /** Live Services and Pods of the stack's namespaces. */
  readonly services: readonly KubeObject[];
  readonly pods: readonly KubeObject[];
}

/**
 * What of the plan a journal lies in, in words; undefined: in nothing of it. A run that took its own journal back would
 * forget what it has done. Only what the address says is seen: a port-forward, a NodePort or a name in DNS outside the
 * cluster leads in unnoticed.
 */
export function journalInside(address: JournalAddress, around: JournalSurroundings): string | undefined {
  const { plan, stack } = around;
  const host = address.host.toLowerCase().replace(/\.$/, '');
  const [services, pods] = [
    around.services.filter((service) => leadsTo(service, host, stack.namespaces)),
    around.pods.filter((pod) => isPod(pod, host)),
  ];
  const store = stack.stores.find((one) => isRestored(one, plan) && isSame(one, { ...address, host }));
  if (store !== undefined) return `database ${address.database}, which the plan takes back as store ${store.name}`;
  const changed = new Map(plan.changes.map((change) => [change.key, change.action]));
  for (const service of services) {
    const action = changed.get(keyOf(service));
    if (action !== undefined) return `${displayName(keyOf(service))}, which the plan would ${action}`;
  }
  for (const workload of inScope(plan)) {
    const labels = podLabels(workload);
    if (labels === undefined) continue;
    const serves = services.some(
      (service) => namespaceOf(service) === namespaceOf(workload) && selects(service, labels),
    );
    const runs = pods.some(
      (pod) => namespaceOf(pod) === namespaceOf(workload) && includes(pod.metadata.labels, labels),
    );
    if (!serves && !runs) continue;
    const name = displayName(keyOf(workload));
    const action = changed.get(keyOf(workload));
    if (action !== undefined) return `${name}, which the plan would ${action}`;
    if (plan.scope.kind === 'database' && roleOf(workload, stack) === 'data') {
      return `${name}, which the scope of the plan takes back`;
    }
  }
  return undefined;
}

const RESTORES: ReadonlySet<string> = new Set(['db-restore', 'db-restore-in-place', 'db-swap', 'db-unswap', 'migrate']);

function isRestored({ name }: DataStoreSetting, { steps }: Plan): boolean {
  return steps.some(({ action }) => RESTORES.has(action.kind) && 'store' in action && action.store === name);
}

function isSame({ connection }: DataStoreSetting, address: JournalAddress): boolean {
  const { host = 'localhost', port = 5432, database } = connection;
  return machine(host) === machine(address.host) && port === address.port && database === address.database;
}

/** All of loopback is one machine. */
function machine(host: string): string {
  const plain = host.toLowerCase().replace(/\.$/, '');
  return plain === 'localhost' || plain === '::1' || plain.startsWith('127.') ? 'localhost' : plain;
}

/** By any of its names (`db`, `db.ns`, `db.ns.svc`, `db.ns.svc.cluster.local`, `db-0.db.ns.svc…`) or addresses. */
function leadsTo(service: KubeObject, host: string, namespaces: readonly string[]): boolean {
  const { name } = service.metadata;
  const namespace = namespaceOf(service);
  const labels = host.split('.');
  const svc = labels.indexOf('svc');
  const short = svc > 0 ? labels.slice(0, svc) : labels;
  if (svc < 0 && short.length === 1) return short[0] === name && namespaces.includes(namespace);
  if (short.at(-1) === namespace && short.at(-2) === name && (svc > 0 || short.length <= 3)) return true;
  return addressesOf(service).has(host);
}

function addressesOf({ spec, status }: KubeObject): ReadonlySet<string> {
  const { clusterIP, clusterIPs, externalIPs, externalName } = (spec ?? {}) as ServiceSpec;
  const ingress = ((status ?? {}) as ServiceStatus).loadBalancer?.ingress ?? [];
  const all = [clusterIP, externalName, ...(clusterIPs ?? []), ...(externalIPs ?? [])];
  const given = [...all, ...ingress.flatMap(({ ip, hostname }) => [ip, hostname])];
  return new Set(
    given.filter((one) => one !== undefined && one !== '' && one !== 'None').map((one) => one!.toLowerCase()),
  );
}

interface ServiceSpec {
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly externalIPs?: readonly string[];
  readonly externalName?: string;
}

interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
}

/** `10.1.2.3`, or `10-1-2-3.ns.pod.cluster.local`. */
function isPod({ status }: KubeObject, host: string): boolean {
  const { podIP, podIPs = [] } = (status ?? {}) as { podIP?: string; podIPs?: readonly { ip?: string }[] };
  const [first = '', , kind] = host.split('.');
  const asked = kind === 'pod' ? first.replaceAll('-', '.') : host;
  return [podIP, ...podIPs.map(({ ip }) => ip)].some((ip) => ip !== undefined && ip === asked);
}

/** What the plan brings, and what it takes away or changes as it was. */
function inScope({ desired, changes }: Plan): readonly KubeObject[] {
  return [...desired, ...changes.flatMap(({ live }) => (live === undefined ? [] : [live]))];
}

function podLabels({ spec }: KubeObject): Labels | undefined {
  return (spec as { readonly template?: { readonly metadata?: { readonly labels?: Labels } } } | undefined)?.template
    ?.metadata?.labels;
}

type Labels = Readonly<Record<string, string>>;

function selects({ spec }: KubeObject, labels: Labels): boolean {
  const selector = (spec as { readonly selector?: Labels } | undefined)?.selector;
  return selector !== undefined && Object.keys(selector).length > 0 && includes(labels, selector);
}

function includes(labels: Labels | undefined, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => labels?.[name] === value);
}

function namespaceOf({ metadata }: KubeObject): string {
  return metadata.namespace ?? 'default';
}
