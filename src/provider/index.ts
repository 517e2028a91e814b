import type { ForeignField, ObjectKey } from '../model/index.ts';
import type { Cluster, EngineProgress, Permit } from '../ports/index.ts';
import { createEngineLog } from './engine-log.ts';
import { kubernetesPlugin } from './kubernetes/plugin.ts';
import { type Outcome, Session } from './kubernetes/session.ts';
import { servePlugin } from './plugin-server.ts';
import { standalone, type Surroundings } from './standalone.ts';
import { randomPlugin } from './random/plugin.ts';

export type { Outcome } from './kubernetes/session.ts';

export interface ProviderOptions {
  readonly cluster: Cluster;
  /** Undefined, as for plain `pulumi up`: everything but deleting what holds data or other objects. */
  readonly permit?: Permit | undefined;
  readonly foreign?: readonly ForeignField[] | undefined;
  /** Milliseconds to wait for each object; 0: do not wait. */
  readonly readyTimeoutMs: number;
  readonly onProgress?: ((progress: EngineProgress) => void) | undefined;
  /** Ends every wait. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningProvider {
  /** For PULUMI_DEBUG_PROVIDERS, by which the engine attaches instead of starting plugins. */
  readonly debugProviders: string;
  readonly ports: { readonly kubernetes: number; readonly random: number };
  /** What became of each object so far. */
  readonly outcomes: ReadonlyMap<ObjectKey, Outcome>;
  close(): Promise<void>;
}

/** Serves the packages `kubernetes` and `random` on loopback, for one run of the engine. */
export async function startProvider(options: ProviderOptions): Promise<RunningProvider> {
  const log = createEngineLog();
  const session = new Session({
    cluster: options.cluster,
    permit: options.permit,
    foreign: options.foreign ?? [],
    readyTimeoutMs: options.readyTimeoutMs,
    onProgress: options.onProgress ?? (() => undefined),
    log,
  });
  const servers = await Promise.all([
    servePlugin(kubernetesPlugin(session), log, options.signal),
    servePlugin(randomPlugin, log, options.signal),
  ]);
  const [kubernetes, random] = servers;
  return {
    debugProviders: `kubernetes:${kubernetes.port},random:${random.port}`,
    ports: { kubernetes: kubernetes.port, random: random.port },
    outcomes: session.outcomes,
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
      log.close();
    },
  };
}

/** Serves the package `random` alone: what it makes stands in the state, and no cluster is needed for it. */
export async function startRandomProvider(): Promise<Pick<RunningProvider, 'debugProviders' | 'close'>> {
  const log = createEngineLog();
  const server = await servePlugin(randomPlugin, log);
  return {
    debugProviders: `random:${server.port}`,
    close: async () => {
      await server.close();
      log.close();
    },
  };
}

export interface PackageOptions {
  /** Address of the engine that started us. */
  readonly engine: string;
  /** What a stack's file says about where and how; asked when the first resource names its stack. */
  readonly surroundingsOf: (stack: string) => Promise<Surroundings>;
}

/** Serves one package as a plugin process of its own, for plain `pulumi up`. */
export async function servePackage(
  name: 'kubernetes' | 'random',
  options: PackageOptions,
): Promise<{ readonly port: number }> {
  const log = createEngineLog();
  log.connect(options.engine);
  return await servePlugin(name === 'random' ? randomPlugin : standalone(options.surroundingsOf, log), log);
}
