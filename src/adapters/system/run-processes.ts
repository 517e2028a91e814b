import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, readlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError } from '../../errors/index.ts';
import type { CommandProcesses, RunMark, RunProcess, RunProcesses, RunStart } from '../../ports/index.ts';
import { statOf } from './orphans.ts';

export interface RunProcessesOptions {
  /** Of the service: what its stacks need is in it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Passed on as they were given to the service. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** With them a process would ask a service, this one maybe, for what it is there to do itself. */
const OF_A_CLIENT = ['BACKSTAY_SERVER', 'BACKSTAY_TOKEN', 'BACKSTAY_TOKEN_FILE'];

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/**
 * Each run in a process group of its own, with no pipe to us: it goes on when this process ends, whatever ends it. What it says
 * goes into a file.
 */
export function createRunProcesses(options: RunProcessesOptions): RunProcesses & CommandProcesses {
  const begin = async (what: string, args: readonly string[], request: RunStart): Promise<RunProcess> => {
    const { child, ended } = await launched(what, args, request, options);
    child.unref();
    return { mark: await markOf(child.pid ?? 0), ended };
  };
  return {
    start: async (run, request) => await begin(run, ['resume', run, '--yes'], request),
    command: async (args, request) => await begin(args.join(' '), args, request),
    self: async () => await markOf(process.pid),
    find: async (mark) => {
      if (mark.machine === '' || mark.machine !== (await thisMachine())) return 'elsewhere';
      return (await isThere(mark)) ? 'at work' : 'gone';
    },
    stop: async (mark) => {
      if (mark.machine !== (await thisMachine()) || !(await isThere(mark))) return false;
      try {
        // To itself alone: what it started is for it to end.
        return process.kill(mark.pid, 'SIGTERM');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
        throw error;
      }
    },
  };
}

async function launched(
  what: string,
  command: readonly string[],
  { user, log, without }: RunStart,
  { env, cwd, kubeconfig, context }: RunProcessesOptions,
): Promise<{ readonly child: ChildProcess; readonly ended: Promise<void> }> {
  await mkdir(dirname(log), { recursive: true, mode: 0o700 });
  const file = await open(log, 'a', 0o600);
  try {
    // Whoever reads the end of the file knows by this line which start it is of.
    await file.write(`${JSON.stringify({ kind: 'Start', run: what, user, at: new Date().toISOString() })}\n`);
    const where = [
      ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
      ...(context === undefined ? [] : ['--context', context]),
    ];
    const args = [PROGRAM, ...where, ...command, '--output', 'jsonl'];
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      cwd,
      env: { ...withoutNames(env, [...without, ...OF_A_CLIENT]), BACKSTAY_USER: user },
      stdio: ['ignore', file.fd, file.fd],
      detached: true,
    });
    // Both are listened for before anything else is awaited: an error that nobody hears ends the service, an end is told once.
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await once(child, 'spawn').catch((error: unknown) => {
      throw unstartable(what, error);
    });
    child.on('error', () => undefined);
    return { child, ended };
  } finally {
    await file.close();
  }
}

function withoutNames(
  env: RunProcessesOptions['env'],
  names: readonly string[],
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

async function markOf(pid: number): Promise<RunMark> {
  return { machine: await thisMachine(), pid, started: (await statOf(pid))?.started ?? 0 };
}

async function isThere({ pid, started }: RunMark): Promise<boolean> {
  return (await statOf(pid))?.started === started;
}

function unstartable(what: string, cause: unknown): BackstayError {
  return new BackstayError('TOOL_MISSING', `The process of ${what} cannot be started.`, { cause });
}

let machine: Promise<string> | undefined;

/** Its boot and its process namespace: numbers of processes mean something only there. Empty where that cannot be told. */
async function thisMachine(): Promise<string> {
  machine ??= Promise.all([readFile('/proc/sys/kernel/random/boot_id', 'utf8'), readlink('/proc/self/ns/pid')]).then(
    ([boot, namespace]) => `${boot.trim()}/${namespace}`,
    () => '',
  );
  return await machine;
}
