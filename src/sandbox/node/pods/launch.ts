import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { POD_ENV } from '../../contract.ts';
import { localAddressOf } from '../../contract.ts';
import { expand } from '../env/expand.ts';
import type { PulledImage } from '../images/catalog.ts';
import type { Container, Pod } from './pod-types.ts';

/** What a process of a pod is started with. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface LaunchInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly pulled: PulledImage;
  /** The container's own environment, resolved. */
  readonly env: Readonly<Record<string, string>>;
  /** Basics of the machine: PATH, HOME and the like. Nothing else of the sandbox's environment reaches a pod. */
  readonly hostEnv: Readonly<Record<string, string>>;
  readonly podIP: string;
  readonly proxy: string;
  readonly dataDir: string;
  readonly faultsFile: string;
  /** Folder of every volume, by name. */
  readonly volumes: ReadonlyMap<string, string>;
  readonly node: string;
  readonly preload: string;
}

/** Turns a container into a local process: the image's program under this Node, or the container's own command. */
export function planLaunch(input: LaunchInput): Launch {
  const { container, pulled } = input;
  const mounts = mountsOf(container, input.volumes);
  const env = launchEnv(input, mounts);
  const text = (value: string): string =>
    toMounts(
      expand(value, (name) => env[name]),
      mounts,
    );
  const own = container.args?.map(text);
  const workingDir = container.workingDir === undefined ? undefined : toMounts(container.workingDir, mounts);
  const cwd = workingDir !== undefined && existsSync(workingDir) ? workingDir : input.dataDir;
  if (container.command !== undefined && container.command.length > 0) {
    return { ...commandLine([...container.command.map(text), ...(own ?? [])], input), cwd, env };
  }
  const args = own ?? (pulled.image.args ?? []).map(text);
  return { file: input.node, args: ['--import', input.preload, pulled.image.entry, ...args], cwd, env };
}

/** A command as a container would run it: `node` is this Node, with the preload. */
export function commandLine(
  command: readonly string[],
  input: Pick<LaunchInput, 'node' | 'preload'>,
): { readonly file: string; readonly args: readonly string[] } {
  const [file = '', ...args] = command;
  return file === 'node' ? { file: input.node, args: ['--import', input.preload, ...args] } : { file, args };
}

function launchEnv(input: LaunchInput, mounts: readonly Mount[]): Record<string, string> {
  const { pod, pulled } = input;
  const env: Record<string, string> = { ...input.hostEnv, HOSTNAME: pod.spec.hostname ?? pod.metadata.name };
  // An image may add to what its base has, as `ENV PATH=/app/bin:$PATH` does.
  for (const [name, value] of Object.entries(pulled.image.env ?? {}))
    env[name] = toMounts(
      expand(value, (known) => input.hostEnv[known]),
      mounts,
    );
  for (const [name, value] of Object.entries(input.env)) env[name] = toMounts(value, mounts);
  for (const [name, folder] of input.volumes) env[volumeVariable(name)] = folder;
  env[POD_ENV.address] = localAddressOf(input.podIP);
  env[POD_ENV.proxy] = input.proxy;
  env[POD_ENV.faults] = input.faultsFile;
  env[POD_ENV.data] = input.dataDir;
  env[POD_ENV.namespace] = pod.metadata.namespace ?? 'default';
  env[POD_ENV.imageTag] = pulled.tag;
  return env;
}

/** `BACKSTAY_VOLUME_APP_CONFIG` for the volume `app-config`. */
export function volumeVariable(volume: string): string {
  return `BACKSTAY_VOLUME_${volume.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
}

interface Mount {
  readonly pattern: RegExp;
  readonly folder: string;
}

function mountsOf(container: Container, volumes: ReadonlyMap<string, string>): readonly Mount[] {
  return (container.volumeMounts ?? [])
    .flatMap(({ name, mountPath, subPath }) => {
      const folder = volumes.get(name);
      const path = mountPath.replace(/\/+$/, '');
      if (folder === undefined || path === '') return [];
      return [{ path, folder: subPath === undefined ? folder : join(folder, subPath) }];
    })
    .sort((a, b) => b.path.length - a.path.length)
    .map(({ path, folder }) => ({
      pattern: new RegExp(`(^|[=:,;\\s"'])${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?=$|[/:,;\\s"'])`, 'g'),
      folder,
    }));
}

/**
 * A local process has no mount namespace, so `/etc/app` is not where the volume is: paths below a mountPath that stand in
 * command, args, env and workingDir are pointed at the volume's real folder.
 */
function toMounts(text: string, mounts: readonly Mount[]): string {
  return mounts.reduce(
    (value, { pattern, folder }) => value.replace(pattern, (_whole, before: string) => `${before}${folder}`),
    text,
  );
}
