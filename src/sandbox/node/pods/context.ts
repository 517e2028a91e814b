import type { Cluster } from '../../../ports/index.ts';
import type { ConfigSource } from '../env/config-source.ts';
import type { ImageCatalog } from '../images/catalog.ts';
import type { PodLogs } from '../logs/pod-logs.ts';
import type { EventRecorder } from '../status/events.ts';
import type { BackOffOptions } from './back-off.ts';
import type { IpPool } from './ip-pool.ts';
import type { Pod } from './pod-types.ts';

/** What every pod of a node shares. */
export interface NodeContext {
  readonly nodeName: string;
  readonly hostIP: string;
  readonly cluster: Cluster;
  readonly catalog: ImageCatalog;
  readonly config: ConfigSource;
  readonly events: EventRecorder;
  readonly addresses: IpPool;
  /** The sandbox's folder; pods, logs, claims and faults are below it. */
  readonly dir: string;
  /** `127.0.0.1:PORT` of the CONNECT proxy. */
  readonly proxy: string;
  readonly hostEnv: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
  /** Path of the Node that runs the images, and URL of the module that it loads first. */
  readonly node: string;
  readonly preload: string;
  readonly backOff: BackOffOptions;
  readonly log: (line: string) => void;
  readonly childStarted: (pid: number) => void;
  readonly childEnded: (pid: number) => void;
}

/** What a container needs of its pod. */
export interface PodHost {
  readonly node: NodeContext;
  readonly podIP: string;
  readonly podDir: string;
  readonly faultsFile: string;
  readonly logs: PodLogs;
  readonly volumes: ReadonlyMap<string, string>;
  /** The newest known object. */
  pod(): Pod;
  /** A container's status is no longer what it was. */
  changed(): void;
}
