import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Spawned {
  readonly child: ChildProcess;
  /** Once the process is dead, whether or not others still hold its output. */
  readonly ended: Promise<Ended>;
}

const atWork = new Set<ChildProcess>();

/** A process in a group of its own: what it starts is in it, and signals to us do not reach it. */
export function spawned(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Spawned {
  const child = spawn(command, [...args], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  atWork.add(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    const done = (code: number | null, signal: NodeJS.Signals | null): void => {
      atWork.delete(child);
      resolve({ code, signal, stdout, stderr });
    };
    // An orphan keeps the pipes open: of a killed process nothing more is to be heard.
    child.once('exit', (code, signal) => {
      if (signal !== null) done(code, signal);
    });
    child.once('close', done);
  });
  return { child, ended };
}

/** Ends whatever was started and is not over. */
export function endAll(): void {
  for (const { pid } of atWork) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}

/** Processes that were started, directly or not, for a state folder: `pulumi`, its plugins, hooks, and Backstay itself. */
export async function processesOf(stateDir: string): Promise<readonly string[]> {
  const wanted = `BACKSTAY_STATE_DIR=${stateDir}`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      if (!environment.split('\0').includes(wanted)) return [];
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command === '' ? [] : [`${pid} ${command.split('\0').slice(0, 3).join(' ')}`];
    }),
  );
  return found.flat();
}
