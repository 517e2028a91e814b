import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { run, type Timed, tryRun } from './process-times.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(ROOT, 'bin', 'backstay');
/** kwok nodes: room for far more pods than any bench makes. */
const FAKE_NODES = 3;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/**
 * A person's machine for one bench: project, keys, state and snapshots in a temporary folder, and a sandbox that is
 * started when the first measurement needs one.
 */
export class Home {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'backstay-bench-'));
  readonly env: NodeJS.ProcessEnv;
  readonly #say: (line: string) => void;
  #sandbox: Promise<{ readonly kubeconfig: string; readonly ingress: string }> | undefined;

  constructor(say: (line: string) => void) {
    this.#say = say;
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(BACKSTAY_\w+_DIR|KUBECONFIG|NODE_OPTIONS|PULUMI_\w+)$/.test(name),
    );
    this.env = {
      ...Object.fromEntries(inherited),
      NO_COLOR: '1',
      BACKSTAY_PROJECT_DIR: join(this.dir, 'project'),
      BACKSTAY_STATE_DIR: join(this.dir, 'state'),
      BACKSTAY_CONFIG_DIR: join(this.dir, 'config'),
      BACKSTAY_SNAPSHOTS_DIR: join(this.dir, 'snapshots'),
    };
    mkdirSync(join(this.dir, 'project', 'stacks'), { recursive: true });
    mkdirSync(join(this.dir, 'state'), { recursive: true });
  }

  /** Runs the published CLI as a process. Throws with what it said when it fails. */
  async cli(args: readonly string[], env: NodeJS.ProcessEnv = this.env): Promise<Timed> {
    return await run(BIN, args, env);
  }

  async json<T>(args: readonly string[], env: NodeJS.ProcessEnv = this.env): Promise<T> {
    return JSON.parse((await this.cli([...args, '--output', 'json'], env)).stdout) as T;
  }

  async succeeds(args: readonly string[], env: NodeJS.ProcessEnv = this.env): Promise<boolean> {
    return (await tryRun(BIN, args, env)).code === 0;
  }

  /** A stack of one namespace without checks and hooks: only Backstay itself and the cluster are measured. */
  async stack(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const settings = { namespaces: [name], capture: { include: [`Namespace/${name}`] }, requireReason: false, ...more };
    const config = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`backstay:${key}`, value]));
    writeFileSync(join(this.dir, 'project', 'stacks', `Pulumi.${name}.yaml`), stringify({ config }));
    await this.cli(['keys', 'init', name]);
  }

  /** A folder with the objects as one manifest file. */
  manifests(name: string, objects: readonly Manifest[]): string {
    const folder = join(this.dir, 'manifests', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'objects.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    return folder;
  }

  /** Up once, with fake nodes; from then on `env` has its KUBECONFIG. */
  sandbox(): Promise<{ readonly kubeconfig: string; readonly ingress: string }> {
    this.#sandbox ??= this.#start();
    return this.#sandbox;
  }

  async #start(): Promise<{ readonly kubeconfig: string; readonly ingress: string }> {
    this.#say('starting a sandbox with fake nodes');
    // A start that was cut off half way would leave a sandbox that nobody knows of.
    await run(BIN, ['sandbox', 'up', '--fake-nodes', String(FAKE_NODES)], this.env, { whole: true });
    const { info } = await this.json<{ info: { kubeconfig: string; ingress: string } }>(['sandbox', 'status']);
    this.env['KUBECONFIG'] = info.kubeconfig;
    return info;
  }

  async remove(): Promise<void> {
    // Also after a start that failed: `down` of what is not up does nothing.
    if (this.#sandbox !== undefined) await run(BIN, ['sandbox', 'down'], this.env, { whole: true });
    rmSync(this.dir, { recursive: true, force: true });
  }
}
