import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { connectCluster } from '../../adapters/kubernetes/index.ts';
import type { SandboxImage } from '../contract.ts';
import { MARK } from '../watchdog.ts';
import { ConfigSource } from './env/config-source.ts';
import { ImageCatalog } from './images/catalog.ts';
import { type KubeletCerts, startKubeletServer } from './kubelet/server.ts';
import type { ConnectProxy } from './network/connect-proxy.ts';
import { startConnectProxy } from './network/connect-proxy.ts';
import { startNetwork } from './network/index.ts';
import { backOffOptions } from './pods/back-off.ts';
import { IpPool } from './pods/ip-pool.ts';
import { PodManager } from './pods/pod-manager.ts';
import { ALLOCATABLE, register } from './registration.ts';
import { EventRecorder } from './status/events.ts';
import { startStorage } from './storage.ts';

export interface NodeOptions {
  readonly kubeconfig: string;
  readonly name: string;
  /** The sandbox's folder: pods, logs, volumes and faults are kept below it. */
  readonly dir: string;
  readonly images: readonly SandboxImage[];
  readonly certs: KubeletCerts;
  /** The proxy that the API server was given. Without one the node starts its own. */
  readonly connectProxy?: ConnectProxy;
  /** @default a free port */
  readonly ingressPort?: number;
  /** First wait of a crash loop or a failed pull, milliseconds; a kubelet has 10,000. @default 1000 */
  readonly backoffBaseMs?: number;
  readonly log: (line: string) => void;
  /** Called for every process group started, so that a watchdog can end it if this process is killed. */
  readonly onChild?: (pid: number) => void;
  readonly onChildExit?: (pid: number) => void;
  /** Where the pods' basic variables (PATH, HOME …) come from. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface RunningNode {
  /** `127.0.0.1:PORT`. */
  readonly ingress: string;
  readonly connectProxy: string;
  readonly kubeletPort: number;
  /** Ends every pod's processes and stops serving; objects stay as they are. At most about 2 seconds. */
  stop(): Promise<void>;
}

/** The machine is one host to the cluster: 127.0.0.1 is where the API server finds the kubelet. */
const HOST_IP = '127.0.0.1';

/** Of the sandbox's own environment only this reaches a pod. */
const HOST_VARIABLES = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'NODE_EXTRA_CA_CERTS',
  'NODE_COMPILE_CACHE',
  // Where images find the programs that were fetched once.
  'BACKSTAY_CACHE_DIR',
  'XDG_CACHE_HOME',
  'BACKSTAY_OFFLINE',
];

/** How long pods get to end by themselves when the node stops, milliseconds. */
const STOP_MS = 1500;

/**
 * A Kubernetes node on this machine: it runs pods as local processes and routes Services and Ingresses to them.
 * Throws SANDBOX_FAILED when a port or every pod network is taken, and what the cluster client throws.
 */
export async function runNode(options: NodeOptions): Promise<RunningNode> {
  const { log } = options;
  const dir = resolve(options.dir);
  // Nothing runs yet: what an earlier life of the node left of its pods is of no use. Claims outlive it.
  await Promise.all(
    ['pods', 'pod-logs'].map(async (name) => await rm(join(dir, name), { recursive: true, force: true })),
  );
  await mkdir(join(dir, 'faults'), { recursive: true, mode: 0o700 });
  const cluster = await connectCluster({ kubeconfig: options.kubeconfig, userAgent: 'backstay-sandbox-node' });
  const abort = new AbortController();
  const undo: (() => unknown)[] = [async () => await cluster.close(), () => abort.abort()];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const addresses = await IpPool.claim();
    undo.push(async () => await addresses.close());
    const proxy = options.connectProxy ?? (await startConnectProxy());
    if (options.connectProxy === undefined) undo.push(async () => await proxy.close());
    const network = await startNetwork({ cluster, ingressPort: options.ingressPort ?? 0, signal: abort.signal, log });
    undo.push(async () => await network.close());
    proxy.setResolver(network.table);
    await startStorage({ cluster, dir: join(dir, 'claims'), signal: abort.signal, log });
    const events = new EventRecorder(cluster, options.name, log);
    const config = new ConfigSource(cluster);
    await config.start(abort.signal, log);
    const pods = new PodManager({
      nodeName: options.name,
      hostIP: HOST_IP,
      cluster,
      catalog: new ImageCatalog(options.images),
      config,
      events,
      addresses,
      dir,
      proxy: proxy.address,
      hostEnv: hostEnv(options.env, dir),
      allocatable: ALLOCATABLE,
      node: process.execPath,
      preload: new URL('../preload.mjs', import.meta.url).href,
      backOff: backOffOptions(options.backoffBaseMs ?? 1000),
      log,
      childStarted: options.onChild ?? (() => undefined),
      childEnded: options.onChildExit ?? (() => undefined),
    });
    const kubelet = await startKubeletServer(options.certs, pods);
    undo.push(async () => await kubelet.close());
    const registration = await register({
      cluster,
      name: options.name,
      hostIP: HOST_IP,
      kubeletPort: kubelet.port,
      podCidr: addresses.cidr,
      images: options.images.flatMap(({ repository, tags }) => tags.map((tag) => `${repository}:${tag}`)),
      log,
    });
    undo.push(() => registration.stop());
    undo.push(async () => await pods.stop(STOP_MS));
    undo.push(() => events.close());
    await pods.start(abort.signal);
    log(`node ${options.name} is ready: pods on ${addresses.cidr}, ingress ${network.ingress}, proxy ${proxy.address}`);
    return { ingress: network.ingress, connectProxy: proxy.address, kubeletPort: kubelet.port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function hostEnv(env: NodeOptions['env'], dir: string): Record<string, string> {
  const kept: Record<string, string> = { [MARK]: dir };
  for (const name of HOST_VARIABLES) {
    const value = env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
