import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Launch } from './launch.ts';

export interface ProcessExit {
  /** 128 + N for signal N, as a container runtime reports it. */
  readonly exitCode: number;
  readonly signal?: number;
  /** The process could not be started at all. */
  readonly startError?: string;
}

export interface PodProcess {
  readonly pid: number | undefined;
  /** Resolves when the process has ended, its group is gone and its output has been read. */
  readonly exited: Promise<ProcessExit>;
  /** To the whole group; nothing happens when it is gone. */
  signal(name: NodeJS.Signals): void;
}

export interface ProcessHooks {
  output(stream: 'stdout' | 'stderr', chunk: Buffer): void;
  started(pid: number): void;
  ended(pid: number): void;
}

/** How long output may still come after the process itself has ended (a grandchild can hold the pipe). */
const DRAIN_MS = 500;

/** Starts a process in a group of its own, so that everything that it starts ends with it. */
export function startPodProcess(launch: Launch, hooks: ProcessHooks): PodProcess {
  const child: ChildProcess = spawn(launch.file, [...launch.args], {
    cwd: launch.cwd,
    env: { ...launch.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  let over = false;
  const signal = (name: NodeJS.Signals): void => {
    if (pid === undefined || (over && name !== 'SIGKILL')) return;
    try {
      process.kill(-pid, name);
    } catch {
      // The group is gone already.
    }
  };
  child.stdout?.on('data', (chunk: Buffer) => hooks.output('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => hooks.output('stderr', chunk));
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (pid === undefined) resolve({ exitCode: 128, startError: startError(launch, error) });
    });
    child.once('exit', (code, name) => {
      over = true;
      // What the first process started dies with it, as everything in a container does.
      signal('SIGKILL');
      if (pid !== undefined) hooks.ended(pid);
      const number = name === null ? undefined : constants.signals[name];
      const exit = number === undefined ? { exitCode: code ?? 0 } : { exitCode: 128 + number, signal: number };
      const timer = setTimeout(() => resolve(exit), DRAIN_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(exit);
      });
    });
  });
  if (pid !== undefined) hooks.started(pid);
  return { pid, exited, signal };
}

function startError(launch: Launch, error: NodeJS.ErrnoException): string {
  const why = error.code === 'ENOENT' ? 'executable file not found in $PATH' : error.message;
  return `failed to create containerd task: failed to create shim task: exec: "${launch.file}": ${why}`;
}

/** Runs a command beside a container and returns what it said; killed with its group when the time is up. */
export async function runToEnd(
  launch: Launch,
  timeoutMs: number,
  hooks: Pick<ProcessHooks, 'started' | 'ended'>,
): Promise<{ exitCode: number; output: string }> {
  let output = '';
  const running = startPodProcess(launch, {
    ...hooks,
    output: (_stream, chunk) => {
      if (output.length < 64 * 1024) output += chunk.toString('utf8');
    },
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    running.signal('SIGKILL');
  }, timeoutMs);
  const exit = await running.exited;
  clearTimeout(timer);
  if (exit.startError !== undefined) return { exitCode: 126, output: exit.startError };
  return { exitCode: exit.exitCode, output: late ? `command timed out after ${timeoutMs / 1000}s` : output.trim() };
}
