import { isBackstayError } from '../errors/index.ts';
import type { Reached } from '../health/diagnose/types.ts';
import { type KubeObject, keyOf, type ObjectKey, roleOf, type Stack } from '../model/index.ts';
import type { Cluster } from '../ports/index.ts';
import type { Inventory } from './inventory.ts';

export interface DatabaseAddress {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Where programs of a stack look for what: from connection strings, wherever they stand; passwords are not kept. */
const CONNECTION =
  /\b(postgres(?:ql)?|mysql|mariadb|rediss?|mongodb|neo4j|bolt|amqps?)(?:\+\w+)?:\/\/(?:[^@/\s"']*@)?([A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?/g;
const PORTS: Readonly<Record<string, number>> = {
  postgres: 5432,
  postgresql: 5432,
  mysql: 3306,
  mariadb: 3306,
  redis: 6379,
  rediss: 6379,
  mongodb: 27017,
  neo4j: 7687,
  bolt: 7687,
  amqp: 5672,
  amqps: 5671,
};

/** Data stores that the stack declares, else those that its objects name. Pure. */
export function databasesOf(stack: Stack, objects: readonly KubeObject[]): readonly DatabaseAddress[] {
  if (stack.doctor.databases.length > 0) return stack.doctor.databases;
  const found = objects.flatMap((object) =>
    textsOf(object).flatMap((text) =>
      [...text.matchAll(CONNECTION)].map(([, scheme = '', host = '', port]) => ({
        name: `${scheme} ${host}:${port ?? PORTS[scheme] ?? '?'}`,
        host,
        port: Number(port ?? PORTS[scheme]),
      })),
    ),
  );
  return [...new Map(found.map((one) => [`${one.host}:${one.port}`, one])).values()];
}

function textsOf(object: KubeObject): readonly string[] {
  const data = Object.values((object['data'] ?? {}) as Readonly<Record<string, unknown>>).map(String);
  if (object.kind === 'ConfigMap') return data;
  if (object.kind === 'Secret') return data.map((value) => Buffer.from(value, 'base64').toString('utf8'));
  return object['spec'] === undefined ? [] : [JSON.stringify(object['spec'])];
}

/** Names that must resolve: declared ones, the Services of the stack, and hosts of data stores. Pure. */
export function namesOf(
  stack: Stack,
  objects: readonly KubeObject[],
  databases: readonly DatabaseAddress[],
): readonly string[] {
  const services = objects
    .filter(({ kind, apiVersion }) => kind === 'Service' && apiVersion === 'v1')
    .map(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc`);
  const hosts = databases.map(({ host }) => host).filter((host) => !/^[\d.]+$/.test(host));
  return [...new Set([...stack.doctor.hosts, ...hosts, ...services.slice(0, SERVICES_ASKED)])];
}

/** They are all answered by one name server: a few say what all would. */
const SERVICES_ASKED = 3;
const NOT_THERE = [126, 127];

type Tool = (...words: readonly string[]) => readonly string[];

const RESOLVE = `require('node:dns').lookup(process.argv[1],(e)=>{if(e){console.error(e.code);process.exit(2)}})`;
const CONNECT = `const s=require('node:net').connect(process.argv[2],process.argv[1],()=>process.exit(0));s.on('error',(e)=>{console.error(e.code);process.exit(2)});setTimeout(()=>{console.error('no answer');process.exit(2)},3000)`;

/** In this order: the first that a container has is asked. None of them goes through a shell with a name in its text. */
const RESOLVERS: readonly Tool[] = [
  (host) => ['node', '-e', RESOLVE, host ?? ''],
  (host) => ['getent', 'hosts', host ?? ''],
  (host) => ['python3', '-c', 'import socket,sys; socket.getaddrinfo(sys.argv[1], None)', host ?? ''],
  (host) => ['nslookup', host ?? ''],
];
const CONNECTORS: readonly Tool[] = [
  (host, port) => ['node', '-e', CONNECT, host ?? '', port ?? ''],
  (host, port) => ['nc', '-z', '-w', '3', host ?? '', port ?? ''],
  (host, port) => [
    'python3',
    '-c',
    'import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)',
    host ?? '',
    port ?? '',
  ],
  (host, port) => ['bash', '-c', 'exec 3<>"/dev/tcp/$0/$1"', host ?? '', port ?? ''],
];

interface Place {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export interface Inside {
  readonly resolves: (host: string) => Promise<Reached>;
  readonly connects: (address: DatabaseAddress) => Promise<Reached>;
}

/** Asks from inside of a pod of the stack; undefined when none of them runs. */
export function insideOf(
  cluster: Cluster,
  stack: Stack,
  inventory: Pick<Inventory, 'pods' | 'live'>,
  signal: AbortSignal,
): Inside | undefined {
  const place = placeOf(stack, inventory);
  if (place === undefined) return undefined;
  const known = new Map<readonly Tool[], number>();
  const ask = async (name: string, tools: readonly Tool[], words: readonly string[]): Promise<Reached> => {
    const where = `pod ${place.pod}`;
    for (let index = known.get(tools) ?? 0; index < tools.length; index += 1) {
      const command = tools[index]?.(...words) ?? [];
      const result = await cluster.exec({ ...place, command, signal }).catch((error: unknown) => error);
      if (isBackstayError(result) || result instanceof Error || typeof result !== 'object' || result === null) {
        const why = signal.aborted ? 'no answer in time' : result instanceof Error ? result.message : String(result);
        return { name, reached: 'unknown', said: why };
      }
      const { exitCode, stderr } = result as { readonly exitCode: number; readonly stderr: string };
      if (NOT_THERE.includes(exitCode)) continue;
      known.set(tools, index);
      if (exitCode === 0) return { name, reached: true, said: `answers ${where}` };
      const said = stderr.trim().split('\n').at(-1) ?? '';
      return { name, reached: false, said: `does not answer ${where}${said === '' ? '' : `: ${said}`}` };
    }
    return { name, reached: 'unknown', said: `${where} has no program that could ask` };
  };
  return {
    resolves: async (host) => await ask(host, RESOLVERS, [host]),
    connects: async ({ name, host, port }) => {
      const answer = await ask(name, CONNECTORS, [host, String(port)]);
      return answer.reached === 'unknown' ? await throughProxy(cluster, place, { name, host, port }, answer) : answer;
    },
  };
}

/** A running container of the application, in the stack's first namespace where there is one. */
function placeOf(stack: Stack, { pods, live }: Pick<Inventory, 'pods' | 'live'>): Place | undefined {
  const rank = (workload: ObjectKey, pod: KubeObject): number => {
    const object = live.get(workload);
    const isData = object !== undefined && roleOf(object, stack) === 'data';
    return (isData ? 2 : 0) + (pod.metadata.namespace === stack.namespaces[0] ? 0 : 1);
  };
  const running = [...pods]
    .flatMap(([workload, own]) => own.map((pod) => ({ pod, rank: rank(workload, pod), container: runningIn(pod) })))
    .flatMap(({ container, ...rest }) => (container === undefined ? [] : [{ ...rest, container }]))
    .sort((a, b) => a.rank - b.rank || (keyOf(a.pod) < keyOf(b.pod) ? -1 : 1));
  const [first] = running;
  if (first === undefined) return undefined;
  const { name, namespace = 'default' } = first.pod.metadata;
  return { namespace, pod: name, container: first.container };
}

function runningIn(pod: KubeObject): string | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  const { containerStatuses = [] } = (pod['status'] ?? {}) as {
    readonly containerStatuses?: readonly { readonly name: string; readonly state?: { readonly running?: object } }[];
  };
  return containerStatuses.find(({ state }) => state?.running !== undefined)?.name;
}

/**
 * What the API server finds at the Service, where no pod can be asked. It speaks HTTP, which no data store does: any
 * answer but a refused connection means that something listens.
 */
async function throughProxy(
  cluster: Cluster,
  { namespace: home }: Place,
  { name, host, port }: DatabaseAddress,
  without: Reached,
): Promise<Reached> {
  const [service = '', namespace = home, ...rest] = host.split('.');
  if (rest.length > 0 && rest[0] !== 'svc') return without;
  try {
    await cluster.proxy({ namespace, service, port, method: 'GET', path: '/', signal: AbortSignal.timeout(PROXY_MS) });
    return { name, reached: true, said: 'answers the API server' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (/malformed HTTP|EOF|reset by peer/i.test(message))
      return { name, reached: true, said: 'listens, as seen from the API server' };
    if (/refused|no endpoints/i.test(message)) return { name, reached: false, said: message };
    return without;
  }
}

const PROXY_MS = 3_000;
