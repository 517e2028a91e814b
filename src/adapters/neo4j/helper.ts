import { randomBytes } from 'node:crypto';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { Json, JsonObject, KubeObject } from '../../model/index.ts';
import type { Cluster, ExecOptions, ExecResult } from '../../ports/index.ts';
import { podsGone } from './pods-gone.ts';
import type { PodSpec } from './volume.ts';

/** On helpers and their pods: the workload whose files they are for. */
const OF = 'backstay.dev/neo4j-files';
/** On the pod: the Job that it is of. */
const HELPER = 'backstay.dev/helper';
const CONTAINER = 'files';
/** Where the volume is mounted, for the scripts that run in it. */
export const DATA = 'BACKSTAY_DATA';
/** Calls that one helper lives for at most, each as long as the limit of a call. */
const CALLS = 6;

export interface HelperOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly workload: string;
  /** Of the server. */
  readonly spec: PodSpec;
  /** Of the server's own pods. */
  readonly labels: Readonly<Record<string, string>>;
  readonly container: PodSpec['containers'][number];
  readonly claim: string;
  readonly mount: string;
  readonly limitMs: number;
}

/** A pod of its own with the server's volume and the server's image, in which Neo4j's programs are run. */
export interface Helper {
  /** Persistent volume claim that it has mounted. */
  readonly claim: string;
  /** @throws TIMEOUT, EXEC_UNAVAILABLE */
  run(
    script: string,
    args: readonly string[],
    io?: Pick<ExecOptions, 'stdin' | 'onStdout' | 'signal'>,
  ): Promise<ExecResult>;
}

/**
 * Starts a Job for the work and removes it afterwards. Helpers that a killed process left are ended first, with what they were
 * still writing. @throws TIMEOUT saying what its pod waits for, STORE_FAILED when that ends by itself, OBJECT_REFUSED
 */
export async function withHelper<T>(
  options: HelperOptions,
  work: (helper: Helper) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { cluster, namespace, workload, claim, limitMs } = options;
  await sweep(options);
  signal?.throwIfAborted();
  const job = jobFor(options);
  const { name } = job.metadata;
  await cluster.create(job);
  try {
    const pod = await running(options, name, signal);
    return await work({
      claim,
      run: async (script, args, { signal: own, ...io } = {}) => {
        const limit = AbortSignal.timeout(limitMs);
        const command = ['sh', '-c', script, 'sh', ...args];
        const stop = own === undefined ? limit : AbortSignal.any([limit, own]);
        try {
          return await cluster.exec({ namespace, pod, container: CONTAINER, command, signal: stop, ...io });
        } catch (error) {
          if (!limit.aborted || own?.aborted === true) throw error;
          throw new BackstayError('TIMEOUT', `a program in pod ${pod} did not end within ${limitMs} ms`, {
            cause: error,
            details: { workload, pod },
          });
        }
      },
    });
  } finally {
    await end(options, name);
  }
}

/** Why no helper could be made, in words; undefined: the API server would take it. */
export async function refusalOf(options: HelperOptions): Promise<string | undefined> {
  try {
    await options.cluster.create(jobFor(options), { dryRun: true });
    return undefined;
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return `a Job that reaches the volume cannot be made: ${error.message}`;
  }
}

/** With what the server's own pods have: image, user, what they tolerate, and the node while one of them is there. */
function jobFor(options: HelperOptions): KubeObject {
  const { namespace, workload, spec, labels, container, claim, mount, limitMs } = options;
  const name = `${workload.slice(0, 40)}-backstay-${randomBytes(4).toString('hex')}`;
  const { image, imagePullPolicy, securityContext, volumeMounts = [] } = container;
  const subPath = volumeMounts.find((one) => one.mountPath.replace(/\/+$/, '') === mount.replace(/\/+$/, ''))?.subPath;
  const seconds = Math.ceil((CALLS * limitMs) / 1000);
  const { securityContext: podSecurity, imagePullSecrets, tolerations, nodeSelector } = spec;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace, labels: { [OF]: workload } },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: seconds,
      ttlSecondsAfterFinished: 60,
      template: {
        metadata: { labels: { [OF]: workload, [HELPER]: name } },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          automountServiceAccountToken: false,
          ...present({ securityContext: podSecurity, imagePullSecrets, tolerations, nodeSelector }),
          affinity: nearTo(labels),
          containers: [
            {
              name: CONTAINER,
              ...present({ image, imagePullPolicy, securityContext }),
              command: ['sleep', String(seconds)],
              env: [{ name: DATA, value: mount }],
              volumeMounts: [{ name: 'data', mountPath: mount, ...present({ subPath }) }],
            },
          ],
          volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
        },
      },
    },
  };
}

/** What is there. */
function present(given: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

/** A volume of one node is mounted by pods of that node alone. Preferred only: while the server is stopped there is none. */
function nearTo(labels: Readonly<Record<string, string>>): JsonObject {
  const term = { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' };
  return { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] } };
}

async function sweep(options: HelperOptions): Promise<void> {
  const { cluster, namespace, workload, limitMs } = options;
  const kind = await cluster.kindOf('batch/v1', 'Job');
  if (kind === undefined) throw new BackstayError('KIND_UNKNOWN', 'this server knows no Job');
  const { items } = await cluster.list(kind, { namespace, labelSelector: `${OF}=${workload}` });
  for (const { metadata } of items) await drop(options, metadata.name);
  if (items.length > 0) await podsGone(cluster, namespace, { [OF]: workload }, limitMs, 'of an earlier helper');
}

/** Its pod is gone as well: what mounts the volume may keep the server from it. */
async function end(options: HelperOptions, name: string): Promise<void> {
  await drop(options, name);
  await podsGone(options.cluster, options.namespace, { [HELPER]: name }, options.limitMs, 'of the helper');
}

async function drop({ cluster, namespace }: HelperOptions, name: string): Promise<void> {
  await cluster.delete({ apiVersion: 'batch/v1', kind: 'Job', namespace, name }, { propagation: 'Background' });
}

interface PodStatus {
  readonly phase?: string;
  readonly conditions?: readonly { readonly status: string; readonly message?: string }[];
  readonly containerStatuses?: readonly {
    readonly state?: {
      readonly running?: object;
      readonly waiting?: { readonly reason?: string; readonly message?: string };
    };
  }[];
}

async function running(
  { cluster, namespace, limitMs }: HelperOptions,
  job: string,
  signal?: AbortSignal,
): Promise<string> {
  const kind = await cluster.kindOf('v1', 'Pod');
  if (kind === undefined) throw new BackstayError('KIND_UNKNOWN', 'this server knows no Pod');
  const limit = AbortSignal.timeout(limitMs);
  const over = new AbortController();
  const stop = AbortSignal.any([limit, over.signal, ...(signal === undefined ? [] : [signal])]);
  let waits = 'no pod of it was made';
  for await (const event of cluster.watch(kind, { namespace, labelSelector: `${HELPER}=${job}`, signal: stop })) {
    if (event.type === 'synced') continue;
    const { metadata, ...object } = event.object;
    const status = (object['status'] ?? {}) as PodStatus;
    const [{ state } = {}] = status.containerStatuses ?? [];
    if (state?.running !== undefined) {
      over.abort();
      return metadata.name;
    }
    if (status.phase === 'Failed' || status.phase === 'Succeeded' || event.type === 'deleted')
      throw new BackstayError('STORE_FAILED', `the pod ${metadata.name} that was to reach the volume has ended`);
    waits = waitsFor(status) ?? waits;
  }
  signal?.throwIfAborted();
  throw new BackstayError('TIMEOUT', `the Job ${job} was not running after ${limitMs} ms: ${waits}`, {
    next: 'A volume that one pod alone may mount (ReadWriteOncePod) cannot be reached beside its server.',
  });
}

function waitsFor({ conditions = [], containerStatuses = [] }: PodStatus): string | undefined {
  const waiting = containerStatuses[0]?.state?.waiting;
  if (waiting !== undefined) return [waiting.reason, waiting.message].filter(Boolean).join(': ');
  return conditions.find(({ status, message }) => status === 'False' && message !== undefined)?.message;
}
