import { type ChildProcess, spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError, type ErrorCode } from '../errors/index.ts';
import type { Faults, SandboxInfo } from './contract.ts';
import { faultsFile } from './node/pods/faults.ts';
import { infoFileOf, type SupervisorConfig } from './supervisor-config.ts';
import type { SupervisorMessage } from './supervisor-main.ts';

export interface SandboxUpOptions extends SupervisorConfig {
  /** The sandbox ends with this process, however it ends. @default false: it outlives the command. */
  readonly attached?: boolean;
  readonly onProgress?: (line: string) => void;
}

export type SandboxStatus =
  | { readonly state: 'up'; readonly info: SandboxInfo }
  | { readonly state: 'down' }
  /** The supervisor was killed: what it started is gone, only the file is left. */
  | { readonly state: 'dead'; readonly info: SandboxInfo };

/** Starts a sandbox, or returns the one that is up in the folder. Errors: SANDBOX_FAILED. */
export async function sandboxUp(
  options: SandboxUpOptions,
): Promise<{ readonly info: SandboxInfo; readonly started: boolean; readonly child?: ChildProcess }> {
  const status = await sandboxStatus(options.dir);
  if (status.state === 'up') return { info: status.info, started: false };
  const { attached = false, onProgress, ...config } = options;
  const { dir } = config;
  // What an earlier sandbox left is of no use: its certificates and its data belong together and are made anew.
  await rm(dir, { recursive: true, force: true });
  await mkdir(join(dir, 'logs'), { recursive: true, mode: 0o700 });
  const configFile = join(dir, 'config.json');
  await writeFile(configFile, JSON.stringify(config), { mode: 0o600 });
  const log = await open(join(dir, 'logs', 'supervisor.log'), 'a', 0o600);
  const main = fileURLToPath(new URL('./supervisor-main.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', main, configFile, attached ? 'attached' : 'detached'],
    {
      detached: true,
      stdio: [attached ? 'pipe' : 'ignore', log.fd, log.fd, 'ipc'],
      cwd: dir,
    },
  );
  await log.close();
  try {
    await untilReady(child, onProgress, join(dir, 'logs', 'supervisor.log'));
  } finally {
    if (child.connected) child.disconnect();
  }
  child.unref();
  (child.stdin as { unref?: () => void } | null)?.unref?.();
  return { info: await readInfo(dir), started: true, child };
}

function untilReady(child: ChildProcess, onProgress: SandboxUpOptions['onProgress'], logFile: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: SupervisorMessage) => {
      if (message.kind === 'progress') onProgress?.(message.line);
      else if (message.kind === 'ready') resolve();
      else
        reject(
          new BackstayError(
            message.code as ErrorCode,
            message.message,
            message.next === '' ? {} : { next: message.next },
          ),
        );
    });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(
        new BackstayError('SANDBOX_FAILED', `The sandbox ended while it started (${signal ?? `exit code ${code}`}).`, {
          next: `Read ${logFile}.`,
        }),
      ),
    );
  });
}

/** Stops the sandbox of the folder and waits until nothing of it runs. */
export async function sandboxDown(dir: string): Promise<'stopped' | 'was-down'> {
  const status = await sandboxStatus(dir);
  if (status.state === 'down') return 'was-down';
  if (status.state === 'dead') {
    await rm(infoFileOf(dir), { force: true });
    return 'was-down';
  }
  const { supervisor } = status.info;
  // The supervisor removes its file as its last act, so the file's end is the event to wait for.
  await new Promise<void>((resolve) => {
    const watcher = watch(dir, () => void check());
    const check = async (): Promise<void> => {
      const now = await sandboxStatus(dir);
      if (now.state === 'up') return;
      watcher.close();
      resolve();
    };
    process.kill(supervisor, 'SIGTERM');
    void check();
  });
  await rm(infoFileOf(dir), { force: true });
  return 'stopped';
}

export async function sandboxStatus(dir: string): Promise<SandboxStatus> {
  let info: SandboxInfo;
  try {
    info = await readInfo(dir);
  } catch {
    return { state: 'down' };
  }
  return { state: (await isSupervisor(info.supervisor)) ? 'up' : 'dead', info };
}

async function readInfo(dir: string): Promise<SandboxInfo> {
  return JSON.parse(await readFile(infoFileOf(dir), 'utf8')) as SandboxInfo;
}

/** Process ids are used again; where the system tells what a process is, it is asked. */
async function isSupervisor(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  return commandLine === undefined || commandLine.includes('supervisor-main');
}

/** Makes every pod of a workload slow, failing or without its model; an empty object makes it healthy again. */
export async function setFaults(dir: string, namespace: string, workload: string, faults: Faults): Promise<void> {
  const status = await sandboxStatus(dir);
  if (status.state !== 'up') throw new BackstayError('SANDBOX_DOWN', `No sandbox is running in ${dir}.`);
  const file = faultsFile(dir, namespace, workload);
  await mkdir(join(dir, 'faults', namespace), { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify(faults)}\n`, { mode: 0o600 });
}
