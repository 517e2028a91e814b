import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(PROJECT, 'bin', 'backstay');

export interface Ended {
  /** 128 and the signal's number when a signal ended the process, as a shell counts. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Over the machine's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A command that is still at work. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when the text has been said on stderr; rejects when the command ends without it. */
  said(text: string): Promise<void>;
}

/** A person's machine: state, keys, snapshots and project of its own, and the published CLI as a process. */
export interface Machine {
  readonly dir: string;
  readonly stateDir: string;
  readonly snapshotsDir: string;
  readonly configDir: string;
  readonly projectDir: string;
  /** The environment of every command. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything that a command was told and said, in the order of their ends. */
  readonly transcript: readonly string[];
  /** The command's end, whatever its exit code. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** @throws TypeError with all that it said, when the command ends with anything but 0. */
  ok(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Result of a command as JSON; other exit codes than 0 throw as `ok` does. */
  json<T>(args: readonly string[], options?: RunOptions): Promise<T>;
  /** A command that is expected to fail: its exit code and its error as JSON. */
  refused(args: readonly string[], options?: RunOptions): Promise<Refused>;
  start(args: readonly string[], options?: RunOptions): Running;
  /** Writes a stack file into the machine's own project. */
  stack(name: string, yaml: string): Promise<void>;
  remove(): Promise<void>;
}

export interface Refused {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly stderr: string;
}

export interface MachineOptions {
  /** @default a temporary project with an empty `stacks/` */
  readonly projectDir?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The environment of the test run without what would change how the CLI behaves or looks. */
function surroundings(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !/^(NODE_|VITEST|BACKSTAY_.*_DIR$|BACKSTAY_SERVER$|BACKSTAY_TOKEN|NO_COLOR$|FORCE_COLOR$|KUBECONFIG$|PULUMI_)/.test(
        name,
      ),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

export async function machine(options: MachineOptions = {}): Promise<Machine> {
  const dir = await mkdtemp(join(tmpdir(), 'backstay-machine-'));
  const projectDir = options.projectDir ?? join(dir, 'project');
  const [stateDir, snapshotsDir, configDir] = [join(dir, 'state'), join(dir, 'snapshots'), join(dir, 'config')];
  await Promise.all(
    [join(projectDir, 'stacks'), join(dir, 'tmp')].map(async (each) => await mkdir(each, { recursive: true })),
  );
  const transcript: string[] = [];
  const env: Record<string, string> = {
    ...surroundings(),
    BACKSTAY_PROJECT_DIR: projectDir,
    BACKSTAY_STATE_DIR: stateDir,
    BACKSTAY_SNAPSHOTS_DIR: snapshotsDir,
    BACKSTAY_CONFIG_DIR: configDir,
    BACKSTAY_USER: 'tester',
    // What a command leaves in temporary folders is looked at, too.
    TMPDIR: join(dir, 'tmp'),
    ...options.env,
  };

  const start = (args: readonly string[], { env: more = {}, cwd = projectDir }: RunOptions = {}): Running => {
    const child = spawn(BIN, [...args], { cwd, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        transcript.push(`$ backstay ${args.join(' ')}\n${stdout}\n${stderr}`);
        resolve({ code: code ?? 128 + (signal === 'SIGKILL' ? 9 : 15), stdout, stderr });
      });
    });
    const said = async (text: string): Promise<void> =>
      await new Promise((resolve, reject) => {
        const look = (): void => {
          if (stderr.includes(text)) resolve();
        };
        child.stderr.on('data', look);
        child.once('close', () => reject(new TypeError(`it ended without saying "${text}":\n${stderr}`)));
        look();
      });
    return { child, ended, said };
  };
  const run = async (args: readonly string[], how?: RunOptions): Promise<Ended> => await start(args, how).ended;
  const ok = async (args: readonly string[], how?: RunOptions): Promise<Ended> => {
    const ended = await run(args, how);
    if (ended.code === 0) return ended;
    throw new TypeError(`backstay ${args.join(' ')} ended with ${ended.code}\n${ended.stdout}\n${ended.stderr}`);
  };
  return {
    dir,
    stateDir,
    snapshotsDir,
    configDir,
    projectDir,
    env,
    transcript,
    start,
    run,
    ok,
    json: async <T>(args: readonly string[], how?: RunOptions) =>
      JSON.parse((await ok([...args, '--output', 'json'], how)).stdout) as T,
    refused: async (args, how) => {
      const { code: exit, stdout, stderr } = await run([...args, '--output', 'json'], how);
      if (exit === 0) throw new TypeError(`backstay ${args.join(' ')} was expected to fail\n${stdout}\n${stderr}`);
      const error = JSON.parse(stdout) as Partial<Refused> & { kind?: string };
      return { code: '', message: '', next: '', details: {}, ...error, exit, stderr };
    },
    stack: async (name, yaml) => await writeFile(join(projectDir, 'stacks', `Pulumi.${name}.yaml`), yaml),
    remove: async () => await rm(dir, { recursive: true, force: true }),
  };
}
