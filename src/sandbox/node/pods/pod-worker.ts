import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isBackstayError } from '../../../errors/index.ts';
import { PodLogs } from '../logs/pod-logs.ts';
import { buildPodStatus } from '../status/pod-status.ts';
import { StatusWriter } from '../status/status-writer.ts';
import { rfc3339 } from '../status/time.ts';
import { claimFolder } from '../storage.ts';
import { ContainerRunner, graceMs } from './container-runner.ts';
import type { NodeContext, PodHost } from './context.ts';
import { faultsFileOf } from './faults.ts';
import { Gate } from './gate.ts';
import type { Container, ContainerStatus, Pod, PodCondition } from './pod-types.ts';
import { podName, uidOf } from './pod-types.ts';
import { prepareVolumes, volumeSources } from './volumes.ts';

/** One pod on this node, from its binding to its removal. */
export class PodWorker {
  readonly logs: PodLogs;
  /** Resolves when nothing of the pod is left on this machine. */
  readonly done: Promise<void>;
  readonly #node: NodeContext;
  readonly #podDir: string;
  readonly #startTime: string;
  readonly #podIP: string | undefined;
  readonly #writer: StatusWriter;
  readonly #gate = new Gate();
  readonly #init: readonly ContainerRunner[];
  readonly #main: readonly ContainerRunner[];
  readonly #runs = new Map<ContainerRunner, Promise<unknown>>();
  readonly #volumes = new Map<string, string>();
  #unsubscribe: readonly (() => void)[] = [];
  #pod: Pod;
  #conditions: readonly PodCondition[];
  #failed: { reason: string; message: string } | undefined;
  #over = false;
  #ending = false;
  #gone = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(pod: Pod, node: NodeContext) {
    this.#pod = pod;
    this.#node = node;
    this.#conditions = pod.status?.conditions ?? [];
    this.#startTime = pod.status?.startTime ?? rfc3339(Date.now());
    this.#podDir = join(node.dir, 'pods', uidOf(pod));
    this.#podIP = node.addresses.take();
    this.logs = new PodLogs(join(node.dir, 'pod-logs'), pod);
    this.#writer = new StatusWriter(node.cluster, pod, () => this.#status(), node.log);
    const host: PodHost = {
      node,
      podIP: this.#podIP ?? '',
      podDir: this.#podDir,
      faultsFile: faultsFileOf(node.dir, pod),
      logs: this.logs,
      volumes: this.#volumes,
      pod: () => this.#pod,
      changed: () => this.#writer.changed(),
    };
    const before = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    const runner = (container: Container, kind: ContainerRunner['kind']): ContainerRunner =>
      new ContainerRunner(host, container.name, kind, statusNamed(before, container.name));
    this.#init = (pod.spec.initContainers ?? []).map((container) =>
      runner(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init'),
    );
    this.#main = pod.spec.containers.map((container) => runner(container, 'main'));
    this.done = this.#live();
  }

  get pod(): Pod {
    return this.#pod;
  }

  get podIP(): string | undefined {
    return this.#podIP;
  }

  runner(container: string): ContainerRunner | undefined {
    return [...this.#main, ...this.#init].find((candidate) => candidate.name === container);
  }

  /** The object changed. A deletion timestamp begins the end. */
  update(pod: Pod): void {
    const before = this.#pod;
    this.#pod = pod;
    if (pod.metadata.deletionTimestamp !== undefined) {
      this.#end((pod.metadata.deletionGracePeriodSeconds ?? graceMs(pod) / 1000) * 1000);
      return;
    }
    for (const runner of [...this.#init, ...this.#main]) runner.update(before, pod);
    if ((pod.spec.readinessGates?.length ?? 0) > 0) this.#writer.changed();
  }

  /** The object is gone already (deleted by force): nothing to write, everything ends soon. */
  abandon(): void {
    this.halt(1000);
  }

  /** Ends every process; nothing more is written about the pod. */
  halt(grace: number): void {
    this.#gone = true;
    this.#writer.close();
    this.#end(grace);
  }

  async #live(): Promise<void> {
    this.#writer.changed();
    try {
      if (this.#podIP === undefined) {
        this.#fail('OutOfAddresses', 'Pod was rejected: the node has no free pod address.');
      } else {
        this.#startDeadline();
        await this.#run();
      }
    } catch (error) {
      this.#node.log(`${podName(this.#pod)}: ${String(error)}`);
      this.#fail('NodeError', `The sandbox's node could not run the pod: ${String(error)}`);
    }
    for (const runner of [...this.#main, ...this.#init]) runner.stop(graceMs(this.#pod));
    await Promise.all(this.#runs.values());
    clearTimeout(this.#deadline);
    for (const stop of this.#unsubscribe) stop();
    this.#over = true;
    await this.#writer.flush();
    // A finished pod (a Job's) stays with its status and logs until somebody deletes it.
    while (!this.#ending) await this.#gate.pause();
    await this.#cleanUp();
  }

  async #run(): Promise<void> {
    await mkdir(this.#podDir, { recursive: true, mode: 0o700 });
    if (!(await this.#mount())) return;
    for (const runner of this.#init) {
      if (this.#ending) return;
      const run = this.#start(runner);
      if (runner.kind === 'sidecar') {
        await runner.startedOnce;
        continue;
      }
      const ended = await run;
      if (ended?.exitCode !== 0) return;
    }
    if (this.#ending) return;
    await Promise.all(this.#main.map((runner) => this.#start(runner)));
  }

  #start(runner: ContainerRunner): ReturnType<ContainerRunner['run']> {
    const run = runner.run();
    this.#runs.set(
      runner,
      run.catch(() => undefined),
    );
    return run;
  }

  /** Makes the volumes; waits for objects that are missing. False when the pod ends first. */
  async #mount(): Promise<boolean> {
    const namespace = this.#pod.metadata.namespace ?? 'default';
    const sources = volumeSources(this.#pod.spec.volumes ?? []);
    let mounted = false;
    const onChange = (): void => {
      if (mounted) void this.#refreshVolumes();
      else this.#gate.wake();
    };
    this.#unsubscribe = sources.map(({ kind, name }) => this.#node.config.onChange(kind, namespace, name, onChange));
    while (!this.#ending) {
      this.#gate.clear();
      const result = await prepareVolumes(this.#volumeInput());
      if (result.ok) {
        for (const [name, folder] of result.folders) this.#volumes.set(name, folder);
        mounted = true;
        return true;
      }
      const message = `MountVolume.SetUp failed for volume "${result.volume}" : ${result.message}`;
      this.#node.events.record({ pod: this.#pod, type: 'Warning', reason: 'FailedMount', message });
      await this.#gate.pause();
    }
    return false;
  }

  /** Files of ConfigMaps and Secrets follow their object; environment variables never do. */
  async #refreshVolumes(): Promise<void> {
    if (this.#over || this.#ending) return;
    await prepareVolumes(this.#volumeInput()).catch((error: unknown) =>
      this.#node.log(`${podName(this.#pod)}: ${String(error)}`),
    );
  }

  #volumeInput(): Parameters<typeof prepareVolumes>[0] {
    const { hostIP, allocatable, config, cluster } = this.#node;
    const facts = { pod: this.#pod, podIP: this.#podIP ?? '', hostIP, allocatable };
    return {
      facts,
      config,
      podDir: this.#podDir,
      claim: async (namespace, name) => await claimFolder(cluster, namespace, name),
    };
  }

  #startDeadline(): void {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    if (seconds === undefined) return;
    const left = Date.parse(this.#startTime) + seconds * 1000 - Date.now();
    this.#deadline = setTimeout(
      () => {
        this.#fail('DeadlineExceeded', 'Pod was active on the node longer than the specified deadline');
        for (const runner of [...this.#main, ...this.#init]) runner.stop(graceMs(this.#pod));
      },
      Math.max(0, left),
    );
  }

  #fail(reason: string, message: string): void {
    this.#failed = { reason, message };
    this.#writer.changed();
  }

  #end(grace: number): void {
    this.#ending = true;
    this.#gate.wake();
    for (const runner of this.#main) runner.stop(grace);
    // Sidecars serve the others to the end: they stop when those are gone.
    const mains = Promise.all(this.#main.flatMap((runner) => this.#runs.get(runner) ?? []));
    void mains.then(() => {
      for (const runner of [...this.#init].reverse()) runner.stop(grace);
    });
  }

  async #cleanUp(): Promise<void> {
    if (!this.#gone) await removePod(this.#node, this.#pod);
    if (this.#podIP !== undefined) this.#node.addresses.give(this.#podIP);
    await rm(this.#podDir, { recursive: true, force: true }).catch(() => undefined);
    await this.logs.remove().catch(() => undefined);
    this.#node.events.forget(uidOf(this.#pod));
  }

  #status(): ReturnType<typeof buildPodStatus> {
    const status = buildPodStatus({
      pod: this.#pod,
      podIP: this.#podIP,
      hostIP: this.#node.hostIP,
      startTime: this.#startTime,
      containers: this.#main.map((runner) => runner.status()),
      initContainers: this.#init.map((runner) => runner.status()),
      ...(this.#failed === undefined ? {} : { failed: this.#failed }),
      ending: this.#over && this.#ending,
      before: this.#conditions,
      now: Date.now(),
    });
    this.#conditions = status.conditions;
    return status;
  }
}

/** The last word on a pod: its object goes, without grace, and only if it is still the same pod. */
export async function removePod(node: NodeContext, pod: Pod): Promise<void> {
  const { name, namespace = 'default' } = pod.metadata;
  try {
    await node.cluster.delete(
      { apiVersion: 'v1', kind: 'Pod', namespace, name },
      { uid: uidOf(pod), gracePeriodSeconds: 0 },
    );
  } catch (error) {
    if (!isBackstayError(error, 'OBJECT_MOVED')) node.log(`${podName(pod)} could not be removed: ${String(error)}`);
  }
}

function statusNamed(statuses: readonly ContainerStatus[], name: string): ContainerStatus | undefined {
  return statuses.find((status) => status.name === name);
}
