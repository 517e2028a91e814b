import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { createPki, type Pki, writeKubeconfig } from './pki.ts';
import { freePort } from '../free-port.ts';
import { failed, type ManagedProcess, startProcess } from './processes.ts';
import type { Watchdog } from './watchdog.ts';

export interface ControlPlaneOptions {
  readonly dir: string;
  readonly tools: Readonly<Record<'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler', string>>;
  readonly watchdog: Watchdog;
  /** Unix socket of the node's CONNECT proxy: the API server reaches pods, services and the node by it. */
  readonly egressSocket?: string;
  readonly log: (line: string) => void;
}

export interface ControlPlane {
  readonly server: string;
  readonly kubeconfig: string;
  /** For the node: full rights, its own name in the audit log. */
  readonly nodeKubeconfig: string;
  readonly pki: Pki;
  readonly auditLog: string;
  readonly version: string;
  readonly processes: readonly ManagedProcess[];
  stop(): Promise<void>;
}

/** How long a part may take to come up; measured 3.9 s for all on two cores, so this only ends what hangs. */
const START_LIMIT_MS = 90_000;

/** etcd, API server, controller manager and scheduler on free loopback ports, with certificates of their own. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir, tools, watchdog } = options;
  await mkdir(join(dir, 'logs'), { recursive: true, mode: 0o700 });
  const pki = await createPki(join(dir, 'pki'));
  const processes: ManagedProcess[] = [];
  const start = (name: keyof typeof tools, args: readonly string[]): ManagedProcess => {
    const process = startProcess({ name, command: tools[name], args, dir, watchdog });
    processes.push(process);
    options.log(`${name} started (pid ${process.pid})`);
    return process;
  };
  const stop = async (): Promise<void> => {
    // The API server drains for a while unless it is told that its clients are gone: last started, first stopped.
    for (const process of [...processes].reverse()) await process.stop(process.name === 'etcd' ? 1_000 : 700);
  };
  try {
    const [clientPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()];
    const etcdUrl = `https://127.0.0.1:${clientPort}`;
    start('etcd', etcdArgs(dir, pki, etcdUrl, peerPort));
    const apiServer = start('kube-apiserver', await apiServerArgs(options, pki, etcdUrl, apiPort));
    const server = `https://127.0.0.1:${apiPort}`;
    const version = await waitReady(server, pki, apiServer);
    const kubeconfigs = await writeKubeconfigs(dir, pki, server);
    start('kube-controller-manager', controllerManagerArgs(pki, kubeconfigs.controllerManager));
    start('kube-scheduler', schedulerArgs(kubeconfigs.scheduler));
    const auditLog = join(dir, 'logs', 'audit.jsonl');
    return {
      server,
      kubeconfig: kubeconfigs.admin,
      nodeKubeconfig: kubeconfigs.node,
      pki,
      auditLog,
      version,
      processes,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function etcdArgs(dir: string, pki: Pki, url: string, peerPort: number): string[] {
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
    `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
    `--cert-file=${pki.etcd.cert}`,
    `--key-file=${pki.etcd.key}`,
    `--trusted-ca-file=${pki.ca}`,
    '--client-cert-auth=true',
    // A sandbox that loses power is started anew: nothing in it is worth the disk's latency.
    '--unsafe-no-fsync=true',
    '--log-level=warn',
  ];
}

async function apiServerArgs(options: ControlPlaneOptions, pki: Pki, etcdUrl: string, port: number): Promise<string[]> {
  const { dir } = options;
  const auditPolicy = join(dir, 'audit-policy.json');
  await writeFile(auditPolicy, JSON.stringify(AUDIT_POLICY), { mode: 0o600 });
  const args = [
    `--etcd-servers=${etcdUrl}`,
    `--etcd-cafile=${pki.ca}`,
    `--etcd-certfile=${pki.etcdClient.cert}`,
    `--etcd-keyfile=${pki.etcdClient.key}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    // Loopback is refused as an endpoint of the `kubernetes` Service, so it gets the sandbox's made-up pod network.
    '--advertise-address=10.244.0.1',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    `--client-ca-file=${pki.ca}`,
    `--tls-cert-file=${pki.apiServer.cert}`,
    `--tls-private-key-file=${pki.apiServer.key}`,
    '--authorization-mode=RBAC',
    '--anonymous-auth=false',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${pki.serviceAccountKey}`,
    `--kubelet-client-certificate=${pki.kubeletClient.cert}`,
    `--kubelet-client-key=${pki.kubeletClient.key}`,
    `--kubelet-certificate-authority=${pki.ca}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--allow-privileged=true',
    '--enable-aggregator-routing=true',
    `--audit-policy-file=${auditPolicy}`,
    `--audit-log-path=${join(dir, 'logs', 'audit.jsonl')}`,
    '--audit-log-maxsize=50',
    '--audit-log-maxbackup=1',
    '--shutdown-delay-duration=0s',
    '--profiling=false',
  ];
  if (options.egressSocket !== undefined) {
    const egress = join(dir, 'egress.json');
    await writeFile(egress, JSON.stringify(egressSelector(options.egressSocket)), { mode: 0o600 });
    args.push(`--egress-selector-config-file=${egress}`);
  }
  return args;
}

/** Who changed what, for tests that count effects; bodies are left out, so that no Secret is ever in it. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    {
      level: 'None',
      users: ['system:apiserver', 'system:kube-scheduler', 'system:kube-controller-manager', 'backstay-sandbox-node'],
    },
    {
      level: 'None',
      resources: [{ group: 'coordination.k8s.io' }, { group: 'events.k8s.io' }, { group: '', resources: ['events'] }],
    },
    { level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'None' },
  ],
};

/**
 * The API server dials pods and the node through the sandbox's own proxy, because pod addresses are made up. By a Unix
 * socket: over TCP the API server wants TLS for it, and ends in a nil pointer without.
 */
function egressSelector(socket: string): object {
  return {
    apiVersion: 'apiserver.k8s.io/v1beta1',
    kind: 'EgressSelectorConfiguration',
    egressSelections: [
      { name: 'cluster', connection: { proxyProtocol: 'HTTPConnect', transport: { uds: { udsName: socket } } } },
    ],
  };
}

/** The client limits are raised because with the defaults the controller manager is the slow part of a large roll-out. */
const CLIENT_LIMITS = ['--kube-api-qps=400', '--kube-api-burst=800', '--leader-elect=false', '--profiling=false'];

function controllerManagerArgs(pki: Pki, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    '--secure-port=0',
    '--controllers=*,-cloud-node-lifecycle-controller,-node-route-controller,-service-lb-controller',
    `--service-account-private-key-file=${pki.serviceAccountKey}`,
    `--root-ca-file=${pki.ca}`,
    '--use-service-account-credentials=true',
    '--concurrent-deployment-syncs=20',
    '--concurrent-replicaset-syncs=20',
    ...CLIENT_LIMITS,
  ];
}

function schedulerArgs(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, '--secure-port=0', ...CLIENT_LIMITS];
}

async function writeKubeconfigs(
  dir: string,
  pki: Pki,
  server: string,
): Promise<Record<'admin' | 'node' | 'controllerManager' | 'scheduler', string>> {
  const ca = await readFile(pki.ca);
  const write = async (name: string, pair: { cert: string; key: string }): Promise<string> => {
    const file = join(dir, name);
    const [cert, key] = await Promise.all([readFile(pair.cert), readFile(pair.key)]);
    await writeKubeconfig(file, { server, ca, cert, key, user: name.replace('.kubeconfig', '') });
    return file;
  };
  return {
    admin: await write('kubeconfig', pki.admin),
    node: await write('node.kubeconfig', pki.node),
    controllerManager: await write('controller-manager.kubeconfig', pki.controllerManager),
    scheduler: await write('scheduler.kubeconfig', pki.scheduler),
  };
}

/** Asks /readyz until it says yes: there is nothing to watch before an API server is there. Returns its version. */
async function waitReady(server: string, pki: Pki, process: ManagedProcess): Promise<string> {
  const [ca, cert, key] = await Promise.all([readFile(pki.ca), readFile(pki.admin.cert), readFile(pki.admin.key)]);
  const dispatcher = new Agent({ connect: { ca, cert, key } });
  let ended: string | undefined;
  void process.exited.then((how) => (ended = how));
  const deadline = Date.now() + START_LIMIT_MS;
  try {
    for (;;) {
      if (ended !== undefined) throw await failed(process, `ended (${ended})`);
      if (Date.now() > deadline) throw await failed(process, 'was not ready in time');
      const ready = await request(`${server}/readyz`, { dispatcher }).then(
        async (answer) => (await answer.body.dump(), answer.statusCode === 200),
        () => false,
      );
      if (ready) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const answer = await request(`${server}/version`, { dispatcher });
    const { gitVersion } = (await answer.body.json()) as { gitVersion: string };
    return gitVersion;
  } finally {
    await dispatcher.close();
  }
}
