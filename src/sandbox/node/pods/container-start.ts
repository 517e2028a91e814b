import { backOff, type BackOffState, goDuration } from './back-off.ts';
import type { PodHost } from './context.ts';
import type { Gate } from './gate.ts';
import { type Launch, planLaunch } from './launch.ts';
import type { Container } from './pod-types.ts';
import { envSources, resolveEnv, type SourceKind, textData } from '../env/resolve.ts';
import type { PulledImage } from '../images/catalog.ts';

/** What the steps before a container's start say and wait on. */
export interface StartSteps {
  readonly host: PodHost;
  readonly container: () => Container;
  waiting(reason: string, message?: string): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Woken when the container is to stop, its image changes, or what it waits for may be there. */
  readonly gate: Gate;
  stopping(): boolean;
}

/** Resolves with the image once there is one; undefined when the container is to stop first. */
export async function pullImage(steps: StartSteps): Promise<PulledImage | undefined> {
  let state: BackOffState | undefined;
  let triedName: string | undefined;
  while (!steps.stopping()) {
    const name = steps.container().image ?? '';
    if (name !== triedName) state = undefined;
    triedName = name;
    const result = steps.host.node.catalog.pull(name);
    if (result.ok) {
      steps.event('Normal', 'Pulled', `Container image "${name}" already present on machine`);
      return result.pulled;
    }
    steps.waiting(result.reason, result.message);
    if (result.reason === 'InvalidImageName') {
      steps.event('Warning', 'InspectFailed', result.message);
      steps.event('Warning', 'Failed', 'Error: InvalidImageName');
      await steps.gate.pause();
      continue;
    }
    steps.event('Normal', 'Pulling', `Pulling image "${name}"`);
    steps.event('Warning', 'Failed', `Failed to pull image "${name}": ${result.message}`);
    steps.event('Warning', 'Failed', 'Error: ErrImagePull');
    const { baseMs } = steps.host.node.backOff;
    // A pull has no free second try: a kubelet backs off from the first failure on.
    state = backOff(state ?? { waitMs: 0, at: Date.now() }, Date.now(), steps.host.node.backOff);
    await steps.gate.pause(Math.min(250, baseMs / 2));
    if (steps.stopping() || steps.container().image !== name) continue;
    steps.waiting('ImagePullBackOff', `Back-off pulling image "${name}": ErrImagePull: ${result.message}`);
    steps.event('Normal', 'BackOff', `Back-off pulling image "${name}"`);
    steps.event('Warning', 'Failed', 'Error: ImagePullBackOff');
    await steps.gate.pause(state.waitMs);
  }
  return undefined;
}

/** Resolves with what to start once every ConfigMap and Secret is there; undefined when the container is to stop first. */
export async function resolveLaunch(steps: StartSteps, pulled: PulledImage): Promise<Launch | undefined> {
  const { host } = steps;
  const namespace = host.pod().metadata.namespace ?? 'default';
  while (!steps.stopping()) {
    steps.gate.clear();
    const container = steps.container();
    const sources = envSources(container);
    // Subscribed before reading, so that an object that appears in between is not missed.
    const unsubscribe = sources.map(({ kind, name }) =>
      host.node.config.onChange(kind, namespace, name, () => steps.gate.wake()),
    );
    try {
      const found = new Map<string, Readonly<Record<string, string>>>();
      const read = async ({ kind, name }: { kind: SourceKind; name: string }): Promise<void> => {
        const object = await host.node.config.read(kind, namespace, name);
        if (object !== undefined) found.set(`${kind}/${name}`, textData(object));
      };
      await Promise.all(sources.map(read));
      const facts = {
        pod: host.pod(),
        podIP: host.podIP,
        hostIP: host.node.hostIP,
        allocatable: host.node.allocatable,
      };
      const resolved = resolveEnv(container, facts, (kind, name) => found.get(`${kind}/${name}`));
      if (resolved.ok) {
        steps.gate.clear();
        return launchOf(steps, pulled, resolved.env);
      }
      steps.waiting('CreateContainerConfigError', resolved.message);
      steps.event('Warning', 'Failed', `Error: ${resolved.message}`);
      await steps.gate.pause();
    } catch (error) {
      host.node.log(
        `${host.pod().metadata.name}: the environment of ${container.name} could not be read: ${String(error)}`,
      );
      await steps.gate.pause(1000);
    } finally {
      for (const stop of unsubscribe) stop();
    }
  }
  return undefined;
}

function launchOf(steps: StartSteps, pulled: PulledImage, env: Readonly<Record<string, string>>): Launch {
  const { host } = steps;
  return planLaunch({
    pod: host.pod(),
    container: steps.container(),
    pulled,
    env,
    hostEnv: host.node.hostEnv,
    podIP: host.podIP,
    proxy: host.node.proxy,
    dataDir: host.podDir,
    faultsFile: host.faultsFile,
    volumes: host.volumes,
    node: host.node.node,
    preload: host.node.preload,
  });
}

/** The words of a crash loop, in status and event. */
export function crashLoopMessage(waitMs: number, container: string, host: PodHost): string {
  const { name, namespace = 'default', uid = '' } = host.pod().metadata;
  return `back-off ${goDuration(waitMs)} restarting failed container=${container} pod=${name}_${namespace}(${uid})`;
}
