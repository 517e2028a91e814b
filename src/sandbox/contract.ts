/**
 * What the parts of the sandbox agree on: where things are, what an image is, and what a pod's process finds in its
 * environment. docs/architecture/sandbox.md explains it at length.
 */

/** Written to `<dir>/sandbox.json` once everything is ready; removed by `down`. */
export interface SandboxInfo {
  readonly format: 1;
  readonly dir: string;
  /** Process id of the supervisor; it ends everything it started, also when it is killed. */
  readonly supervisor: number;
  readonly server: string;
  readonly kubeconfig: string;
  /** Where Ingresses are served: `127.0.0.1:PORT`. */
  readonly ingress: string;
  readonly startedAt: string;
  readonly serverVersion: string;
  readonly fakeNodes: number;
}

/**
 * Pods get an address in 10.244.0.0/16 as the API server sees it. The process really listens on the same address with
 * 127 in front (10.244.0.7 → 127.244.0.7): API servers refuse loopback addresses in Endpoints, and Linux answers for
 * all of 127.0.0.0/8 without any set-up, root or not.
 */
export function localAddressOf(podIP: string): string {
  return podIP.replace(/^10\./, '127.');
}

/** Environment that the node gives to every pod process beside the pod's own. */
export const POD_ENV = {
  /** The loopback address to listen on. Node programs need not care: the preload binds 0.0.0.0, :: and localhost there. */
  address: 'BACKSTAY_POD_ADDRESS',
  /** `127.0.0.1:PORT` of the node's HTTP CONNECT proxy, by which names such as `gateway.production.svc:80` are reached. */
  proxy: 'BACKSTAY_POD_PROXY',
  /** JSON file with the faults that `backstay sandbox fault` set for the pod's workload; may be absent. */
  faults: 'BACKSTAY_POD_FAULTS',
  /** A folder of the pod's own for files; kept over container restarts, removed with the pod. */
  data: 'BACKSTAY_POD_DATA',
  namespace: 'BACKSTAY_POD_NAMESPACE',
  /** Tag of the image that is run. */
  imageTag: 'BACKSTAY_IMAGE_TAG',
} as const;

/** Content of a faults file. All parts are optional; an empty object means healthy. */
export interface Faults {
  /** Added to every answer, milliseconds. */
  readonly delayMs?: number;
  /** Share of requests that fail with 500, 0 to 1. */
  readonly errorRate?: number;
  /** The process says that its model (or database) is gone. */
  readonly unavailable?: boolean;
}

/** One image name that the sandbox can run. */
export interface SandboxImage {
  /** `medical-kg-rev/gateway`, without tag. */
  readonly repository: string;
  /** Tags that exist; any other ends in ImagePullBackOff. */
  readonly tags: readonly string[];
  /** Absolute path of the program's module; run by this Node with the preload, unless the container has a `command`. */
  readonly entry: string;
  readonly args?: readonly string[];
  /** Environment baked into the image; the pod's own wins. */
  readonly env?: Readonly<Record<string, string>>;
  /** The process must not run as root (PostgreSQL): the program itself drops privileges for its child. */
  readonly note?: string;
}
