import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { MARK, type Watchdog } from './watchdog.ts';

export interface ManagedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended, however. */
  readonly exited: Promise<string>;
  /** SIGTERM to its group, SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface StartOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly dir: string;
  readonly watchdog: Watchdog;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a server of the sandbox in its own process group, its output in `<dir>/logs/<name>.log`. */
export function startProcess(options: StartOptions): ManagedProcess {
  const logFile = join(options.dir, 'logs', `${options.name}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const child: ChildProcess = spawn(options.command, [...options.args], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: options.dir, [MARK]: options.dir, ...options.env },
  });
  closeSync(log);
  const { pid } = child;
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  if (pid === undefined)
    throw new BackstayError('SANDBOX_FAILED', `${options.name} could not be started from ${options.command}.`);
  options.watchdog.add(pid);
  void exited.then(() => options.watchdog.remove(pid));
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch {
      // Gone already: that is what was wanted.
    }
  };
  return {
    name: options.name,
    pid,
    logFile,
    exited,
    async stop(graceMs) {
      signalGroup('SIGTERM');
      const timer = setTimeout(() => signalGroup('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The error for a part that ended or never became ready, with the end of its log. */
export async function failed(process: Pick<ManagedProcess, 'name' | 'logFile'>, why: string): Promise<BackstayError> {
  const text = await readFile(process.logFile, 'utf8').catch(() => '');
  const tail = text.trimEnd().split('\n').slice(-8).join('\n');
  return new BackstayError('SANDBOX_FAILED', `${process.name} ${why}. The end of its log:\n${tail}`, {
    next: `Read ${process.logFile}.`,
    details: { part: process.name, log: process.logFile },
  });
}
