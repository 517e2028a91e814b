import { createHash, randomUUID } from 'node:crypto';
import type { PulledImage } from '../images/catalog.ts';
import type { ContainerLog } from '../logs/container-log.ts';
import { type ProbeKind, Prober } from '../probes/prober.ts';
import { rfc3339 } from '../status/time.ts';
import { backOff, type BackOffState } from './back-off.ts';
import { crashLoopMessage, pullImage, resolveLaunch, type StartSteps } from './container-start.ts';
import type { PodHost } from './context.ts';
import { Gate } from './gate.ts';
import { runHook } from './hooks.ts';
import { commandLine, type Launch } from './launch.ts';
import type { Container, ContainerState, ContainerStatus, Handler, Pod, Probe, TerminatedState } from './pod-types.ts';
import { podName } from './pod-types.ts';
import { type PodProcess, type ProcessExit, runToEnd, startPodProcess } from './process.ts';
import { endProcess, killAfter } from './termination.ts';

export type ContainerKind = 'main' | 'init' | 'sidecar';

interface Running {
  readonly process: PodProcess;
  readonly launch: Launch;
  readonly prober: Prober;
  killing: boolean;
}

/** One container of one pod: starts it, watches it, starts it again by the pod's policy, and says how it stands. */
export class ContainerRunner {
  readonly name: string;
  readonly kind: ContainerKind;
  readonly #host: PodHost;
  #state: ContainerState = { waiting: { reason: 'PodInitializing' } };
  #lastState: ContainerState = {};
  #started = false;
  #ready = false;
  #restarts: number;
  #imageID = '';
  #containerID: string | undefined;
  #running: Running | undefined;
  #stopping = false;
  readonly #gate = new Gate();
  readonly #steps: StartSteps;
  #startedOnce: () => void = () => undefined;
  /** Resolves when the container has started (its startup probe too), or will never. For sidecars. */
  readonly startedOnce: Promise<void>;

  constructor(host: PodHost, name: string, kind: ContainerKind, before: ContainerStatus | undefined) {
    this.#host = host;
    this.name = name;
    this.kind = kind;
    // A container that ran in an earlier life of the node counts on.
    this.#restarts = before?.containerID === undefined ? 0 : before.restartCount + 1;
    const last = before?.state.terminated ?? before?.lastState.terminated;
    if (last !== undefined) this.#lastState = { terminated: last };
    this.startedOnce = new Promise((resolve) => (this.#startedOnce = resolve));
    this.#steps = {
      host,
      gate: this.#gate,
      container: () => this.#container(),
      waiting: (reason, message) => this.#set({ waiting: { reason, ...(message === undefined ? {} : { message }) } }),
      event: (type, reason, message) => this.#event(type, reason, message),
      stopping: () => this.#stopping,
    };
    const hasInit = (host.pod().spec.initContainers?.length ?? 0) > 0;
    if (kind !== 'init' && !hasInit) this.#state = { waiting: { reason: 'ContainerCreating' } };
  }

  status(): ContainerStatus {
    return {
      name: this.name,
      image: this.#container().image ?? '',
      imageID: this.#imageID,
      ready: this.kind === 'init' ? this.#state.terminated?.exitCode === 0 : this.#ready,
      started: this.#started,
      restartCount: this.#restarts,
      state: this.#state,
      lastState: this.#lastState,
      ...(this.#containerID === undefined ? {} : { containerID: this.#containerID }),
    };
  }

  /** The exec of probes, hooks and the kubelet's own exec. Undefined when the container is not running. */
  launchOf(command: readonly string[]): Launch | undefined {
    const launch = this.#running?.launch;
    return launch && { ...launch, ...commandLine(command, this.#host.node) };
  }

  /** Runs until the container will not be started again; resolves with how it ended last, if it ever ran. */
  async run(): Promise<TerminatedState | undefined> {
    let state: BackOffState | undefined;
    let launchedBefore = false;
    while (!this.#stopping) {
      const pulled = await pullImage(this.#steps);
      const launch = pulled && (await resolveLaunch(this.#steps, pulled));
      if (pulled === undefined || launch === undefined) break;
      if (launchedBefore) this.#restarts += 1;
      const ended = await this.#runOnce(launch, pulled).catch((error: unknown) => this.#notCreated(error));
      launchedBefore ||= ended !== undefined;
      if (this.#stopping || (ended !== undefined && !this.#restartsAfter(ended))) break;
      state = backOff(state, Date.now(), this.#host.node.backOff);
      if (ended === undefined) await this.#gate.pause(Math.max(state.waitMs, this.#host.node.backOff.baseMs));
      else await this.#crashLoop(state);
    }
    this.#startedOnce();
    return this.#state.terminated ?? this.#lastState.terminated;
  }

  /** Ends the container for good: preStop, SIGTERM, and SIGKILL after the grace. Called again it shortens the grace. */
  stop(graceMs: number): void {
    const first = !this.#stopping;
    this.#stopping = true;
    if (first && this.#running !== undefined) this.#event('Normal', 'Killing', `Stopping container ${this.name}`);
    void this.#kill(graceMs);
    this.#gate.wake();
  }

  /** The pod's object changed: another image restarts the container, as a kubelet does. */
  update(before: Pod, after: Pod): void {
    const image = findContainer(after, this.name)?.image;
    if (image === findContainer(before, this.name)?.image) return;
    this.#gate.wake();
    if (this.#running === undefined) return;
    this.#event('Normal', 'Killing', `Container ${this.name} definition changed, will be restarted`);
    void this.#kill(graceMs(after));
  }

  async #runOnce(launch: Launch, pulled: PulledImage): Promise<TerminatedState> {
    const { node, logs } = this.#host;
    const log = await logs.begin(this.name, this.#restarts);
    const startedAt = rfc3339(Date.now());
    this.#imageID = pulled.imageID;
    this.#containerID = `backstay://${createHash('sha256').update(randomUUID()).digest('hex')}`;
    this.#event('Normal', 'Created', `Container created`);
    const process = startPodProcess(launch, {
      output: (stream, chunk) => log.write(stream, chunk),
      started: node.childStarted,
      ended: node.childEnded,
    });
    const running: Running = { process, launch, prober: this.#prober(), killing: false };
    if (process.pid !== undefined) this.#begin(running, startedAt);
    if (this.#stopping) void this.#kill(0);
    const exit = await process.exited;
    running.prober.stop();
    log.end();
    this.#running = undefined;
    this.#started = false;
    this.#ready = false;
    const terminated = this.#terminated(exit, startedAt, log);
    if (exit.startError !== undefined) this.#event('Warning', 'Failed', `Error: ${exit.startError}`);
    this.#set({ terminated });
    return terminated;
  }

  /** The machine itself refused (no descriptors, no disk): that is not the program's failure, so it is tried again. */
  #notCreated(error: unknown): undefined {
    const message = error instanceof Error ? error.message : String(error);
    this.#set({ waiting: { reason: 'CreateContainerError', message } });
    this.#event('Warning', 'Failed', `Error: ${message}`);
  }

  #begin(running: Running, startedAt: string): void {
    this.#running = running;
    this.#set({ running: { startedAt } });
    this.#event('Normal', 'Started', 'Container started');
    const postStart = this.#container().lifecycle?.postStart;
    if (postStart === undefined) return running.prober.start();
    void runHook(postStart, this.#target(), graceMs(this.#host.pod())).then((outcome) => {
      if (this.#running !== running) return;
      if (outcome.ok) return running.prober.start();
      this.#event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${outcome.message}`);
      void this.#kill(graceMs(this.#host.pod()));
    });
  }

  #prober(): Prober {
    return new Prober(this.#target(), {
      started: () => {
        this.#started = true;
        this.#startedOnce();
        this.#host.changed();
      },
      ready: (ready) => {
        this.#ready = ready;
        this.#host.changed();
      },
      unhealthy: (kind, message) => this.#event('Warning', 'Unhealthy', `${kind} probe failed: ${message}`),
      dead: (kind, probe) => this.#dead(kind, probe),
    });
  }

  #dead(kind: ProbeKind, probe: Probe): void {
    if (this.#stopping) return;
    this.#event('Normal', 'Killing', `Container ${this.name} failed ${kind.toLowerCase()} probe, will be restarted`);
    const own = probe.terminationGracePeriodSeconds;
    void this.#kill(own === undefined ? graceMs(this.#host.pod()) : own * 1000);
  }

  async #kill(grace: number): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    if (running.killing) return await killAfter(running.process, grace);
    running.killing = true;
    const hook = this.#container().lifecycle?.preStop;
    const preStop = async (handler: Handler): Promise<void> => {
      const outcome = await runHook(handler, this.#target(), grace);
      if (!outcome.ok) this.#event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${outcome.message}`);
    };
    await endProcess(running.process, grace, hook && (async () => await preStop(hook)));
  }

  async #crashLoop(state: BackOffState): Promise<void> {
    if (state.waitMs === 0) return;
    this.#set({
      waiting: { reason: 'CrashLoopBackOff', message: crashLoopMessage(state.waitMs, this.name, this.#host) },
    });
    const { name, namespace = 'default', uid = '' } = this.#host.pod().metadata;
    this.#event(
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${this.name} in pod ${name}_${namespace}(${uid})`,
    );
    await this.#gate.pause(state.waitMs);
  }

  #restartsAfter(ended: TerminatedState): boolean {
    const policy = this.#host.pod().spec.restartPolicy ?? 'Always';
    if (this.kind === 'sidecar') return true;
    if (this.kind === 'init') return ended.exitCode !== 0 && policy !== 'Never';
    return policy === 'Always' || (policy === 'OnFailure' && ended.exitCode !== 0);
  }

  #terminated(exit: ProcessExit, startedAt: string, log: ContainerLog): TerminatedState {
    const fallback = this.#container().terminationMessagePolicy === 'FallbackToLogsOnError' && exit.exitCode !== 0;
    const tail = fallback
      ? log
          .lines()
          .slice(-80)
          .map((line) => line.text)
          .join('\n')
          .slice(-2048)
      : '';
    const message = exit.startError ?? tail;
    return {
      exitCode: exit.exitCode,
      ...(exit.signal === undefined ? {} : { signal: exit.signal }),
      reason: exit.startError !== undefined ? 'StartError' : exit.exitCode === 0 ? 'Completed' : 'Error',
      ...(message === '' ? {} : { message }),
      startedAt,
      finishedAt: rfc3339(Date.now()),
      ...(this.#containerID === undefined ? {} : { containerID: this.#containerID }),
    };
  }

  #target(): ConstructorParameters<typeof Prober>[0] {
    return {
      container: this.#container(),
      podIP: this.#host.podIP,
      exec: async (command, timeoutMs) => {
        const launch = this.launchOf(command);
        if (launch === undefined) return { exitCode: 1, output: 'container not running' };
        const { childStarted, childEnded } = this.#host.node;
        return await runToEnd(launch, timeoutMs, { started: childStarted, ended: childEnded });
      },
    };
  }

  #container(): Container {
    const found = findContainer(this.#host.pod(), this.name);
    if (found === undefined) throw new TypeError(`${podName(this.#host.pod())} has no container ${this.name}`);
    return found;
  }

  #set(state: ContainerState): void {
    const before = this.#state.terminated;
    if (state.terminated === undefined && before !== undefined) this.#lastState = { terminated: before };
    this.#state = state;
    this.#host.changed();
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#host.node.events.record({
      pod: this.#host.pod(),
      container: this.name,
      init: this.kind !== 'main',
      type,
      reason,
      message,
    });
  }
}

function findContainer(pod: Pod, name: string): Container | undefined {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((container) => container.name === name);
}

export function graceMs(pod: Pod): number {
  return (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}
