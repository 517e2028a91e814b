import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { connectCluster } from '../../src/adapters/kubernetes/index.ts';
import { healthOf } from '../../src/health/index.ts';
import { capturedForm, digestOf, type KubeObject, refOf } from '../../src/model/index.ts';
import type { ApiKind, Cluster } from '../../src/ports/index.ts';
import { ChaosDatabase, type LoggingServer } from './database.ts';
import { AuditLog } from './effects.ts';
import { objectsOf } from './objects.ts';
import { type Ended, spawned, type Spawned } from './processes.ts';
import { type Receivers, startReceivers } from './receivers.ts';

const BIN = fileURLToPath(new URL('../../bin/backstay', import.meta.url));
const KINDS = [
  ['v1', 'ConfigMap'],
  ['v1', 'Secret'],
  ['apps/v1', 'Deployment'],
] as const;

export interface WorldOptions {
  readonly kubeconfig: string;
  readonly auditLog: string;
  /** Data is taken back instead of objects, and the journal is in Postgres as well: on this server. */
  readonly server?: LoggingServer;
}

/** A machine with a stack of its own on a cluster that others may share. */
export class World {
  readonly stack: string;
  readonly namespace: string;
  readonly dir: string;
  readonly stateDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cluster: Cluster;
  readonly audit: AuditLog;
  readonly receivers: Receivers;
  readonly database: ChaosDatabase | undefined;
  #backup = '';

  static async make(options: WorldOptions): Promise<World> {
    const [dir, cluster, receivers] = await Promise.all([
      mkdtemp(join(tmpdir(), 'backstay-chaos-')),
      connectCluster({ kubeconfig: options.kubeconfig, userAgent: 'chaos' }),
      startReceivers(),
    ]);
    const world = new World(options, dir, cluster, receivers);
    await world.#setUp();
    return world;
  }

  private constructor(options: WorldOptions, dir: string, cluster: Cluster, receivers: Receivers) {
    this.stack = this.namespace = `chaos-${randomBytes(3).toString('hex')}`;
    this.dir = dir;
    this.stateDir = join(dir, 'state');
    this.cluster = cluster;
    this.receivers = receivers;
    this.audit = new AuditLog(options.auditLog);
    this.database = options.server === undefined ? undefined : new ChaosDatabase(options.server);
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(BACKSTAY_\w+|KUBECONFIG|NODE_OPTIONS|PULUMI_\w+|VITEST\w*)$/.test(name),
    );
    this.env = {
      ...Object.fromEntries(inherited),
      NO_COLOR: '1',
      KUBECONFIG: options.kubeconfig,
      BACKSTAY_USER: 'chaos',
      BACKSTAY_PROJECT_DIR: join(dir, 'project'),
      BACKSTAY_STATE_DIR: this.stateDir,
      BACKSTAY_CONFIG_DIR: join(dir, 'config'),
      BACKSTAY_SNAPSHOTS_DIR: join(dir, 'snapshots'),
      CHAOS_WEBHOOK: `${receivers.url}/webhook`,
      CHAOS_TOKEN: receivers.token,
      ...this.database?.env,
    };
  }

  /** Where the command hook leaves a line for each time that it ran to its end. */
  get commandLog(): string {
    return join(this.dir, 'command.log');
  }

  async #setUp(): Promise<void> {
    const project = join(this.dir, 'project', 'stacks');
    const manifests = join(this.dir, 'manifests');
    await Promise.all([mkdir(project, { recursive: true }), mkdir(manifests), writeFile(this.commandLog, '')]);
    await this.cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } });
    const config = Object.fromEntries(
      Object.entries(settingsOf(this)).map(([name, value]) => [`backstay:${name}`, value]),
    );
    await writeFile(join(project, `Pulumi.${this.stack}.yaml`), stringify({ config }));
    const items = objectsOf(this.namespace, 'good');
    await writeFile(join(manifests, 'good.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await this.database?.make();
    await this.ok(['keys', 'init', this.stack]);
    await this.ok(['import-manifests', this.stack, manifests, '--as', 'good']);
    if (this.database === undefined) return;
    await this.#resetObjects();
    const { stdout } = await this.ok(['db', 'backup', this.stack, '--output', 'json']);
    this.#backup = (JSON.parse(stdout) as { readonly id: string }).id;
  }

  /** What the first process of a run is told, without the flags that all of them have. */
  get begin(): readonly string[] {
    const to =
      this.database === undefined
        ? ['rollback', this.stack, '--to', 'good']
        : ['db', 'restore', this.stack, this.#backup];
    return [...to, '--reason', 'chaos'];
  }

  /** Runs a command in a process group of its own. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Spawned {
    return spawned(BIN, args, { ...this.env, ...env });
  }

  async ok(args: readonly string[]): Promise<Ended> {
    const ended = await this.start(args).ended;
    if (ended.code !== 0) throw new TypeError(`backstay ${args.join(' ')}\n${ended.stderr}${ended.stdout}`);
    return ended;
  }

  /** Puts the bad version in place, as somebody with kubectl would, and waits until its pods are there. */
  async reset(): Promise<void> {
    if (this.database !== undefined) return await this.database.damage();
    await this.#resetObjects();
  }

  async #resetObjects(): Promise<void> {
    const wanted = objectsOf(this.namespace, 'bad');
    const live = await this.#objects();
    const worker = live.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'worker');
    const names = new Set(wanted.map(nameOf));
    const gone = live.filter((object) => !names.has(nameOf(object)) || object === worker);
    for (const object of gone) await this.cluster.delete(refOf(object), { propagation: 'Background' });
    for (const object of wanted) await this.cluster.apply(object, { fieldManager: 'kubectl', force: true });
    for (const object of wanted) if (object.kind === 'Deployment') await this.#rolledOut(object);
  }

  /** The captured form of every object, as one digest a name. Ours and the cluster's own bookkeeping is outside it. */
  async form(): Promise<ReadonlyMap<string, string>> {
    const [objects, data] = await Promise.all([this.#objects(), this.database?.form()]);
    return new Map([
      ...objects.map((object) => [nameOf(object), digestOf(capturedForm(object))] as const),
      ...(data ?? []),
    ]);
  }

  /** Who holds the stack's lease; empty when nobody does. */
  async holder(): Promise<string> {
    const ref = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'default' };
    const lease = await this.cluster.get({ ...ref, name: `backstay-${this.stack}` });
    return (lease?.['spec'] as { holderIdentity?: string | null } | undefined)?.holderIdentity ?? '';
  }

  async forgetLease(): Promise<void> {
    const ref = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'default' };
    await this.cluster.delete({ ...ref, name: `backstay-${this.stack}` });
  }

  async commandRuns(): Promise<readonly string[]> {
    return (await readFile(this.commandLog, 'utf8')).split('\n').filter((line) => line !== '');
  }

  async #objects(): Promise<readonly KubeObject[]> {
    const lists = await Promise.all(
      KINDS.map(async ([apiVersion, kind]) => await this.cluster.list(await this.#kind(apiVersion, kind), this)),
    );
    return lists.flatMap(({ items }) => items).filter(({ metadata }) => metadata.name !== 'kube-root-ca.crt');
  }

  async #rolledOut({ metadata: { name } }: KubeObject): Promise<void> {
    const signal = AbortSignal.timeout(60_000);
    const over = new AbortController();
    const kind = await this.#kind('apps/v1', 'Deployment');
    const where = { namespace: this.namespace, name, signal: AbortSignal.any([signal, over.signal]) };
    for await (const event of this.cluster.watch(kind, where)) {
      if (event.type === 'synced' || event.type === 'deleted' || healthOf(event.object).state !== 'ready') continue;
      over.abort();
      return;
    }
    throw new TypeError(`${name} did not roll out in time`);
  }

  async #kind(apiVersion: string, kind: string): Promise<ApiKind> {
    const found = await this.cluster.kindOf(apiVersion, kind);
    if (found === undefined) throw new TypeError(`${kind} is not served`);
    return found;
  }

  async remove(): Promise<void> {
    await this.cluster.delete({ apiVersion: 'v1', kind: 'Namespace', name: this.namespace });
    await Promise.all([this.cluster.close(), this.receivers.close()]);
    await rm(this.dir, { recursive: true, force: true });
  }
}

const nameOf = ({ kind, metadata }: KubeObject): string => `${kind}/${metadata.name}`;

/** Hooks of every kind that leaves a mark outside, and a check that decides about the end. */
function settingsOf({ namespace, receivers, commandLog, database }: World): Readonly<Record<string, unknown>> {
  const http = (path: string) => ({ kind: 'http', target: { url: `${receivers.url}${path}` } });
  const logged = `echo "$BACKSTAY_RUN" >> ${commandLog}`;
  return {
    namespaces: [namespace],
    requireReason: false,
    readyTimeout: '1m',
    ...(database === undefined ? {} : { stores: [database.setting] }),
    hooks: [
      { name: 'pause', phase: 'frozen', action: http('/pause'), reverse: http('/unpause') },
      { name: 'log', phase: 'frozen', action: { kind: 'command', command: ['sh', '-c', logged] } },
      { name: 'resume', phase: 'resumed', action: http('/resume') },
      {
        name: 'announce',
        phase: 'completed',
        action: { kind: 'announce', webhook: { env: 'CHAOS_WEBHOOK' }, text: '{{stack}} is back at {{to}}' },
      },
      {
        name: 'ticket',
        phase: 'completed',
        action: {
          kind: 'ticket',
          api: receivers.url,
          repository: 'team/stack',
          token: { env: 'CHAOS_TOKEN' },
          title: '{{stack}} was rolled back',
          body: 'Find the cause.',
        },
      },
    ],
    checks: [{ name: 'rolled-out', kind: 'rollout', when: ['after'] }],
  };
}
