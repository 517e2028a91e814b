import { BackstayError } from '../../errors/index.ts';
import type { Exec } from '../../ports/index.ts';
import { Tail } from './tail.ts';

/** Bytes kept of stdout and of stderr each, unless more are asked for: the end, where the reason usually stands. */
const KEPT_OUTPUT_BYTES = 64 * 1024;
/** Between asking a command to end and ending it. */
const GRACE_MS = 2_000;

export interface ExecOptions {
  /** What commands inherit: PATH and the like. Nothing else of ours reaches them. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly graceMs?: number;
  /** Added to each command's environment, made anew for each. @default nothing */
  readonly mark?: () => Promise<Readonly<Record<string, string>>>;
}

/**
 * Runs commands without a shell, in a process group of their own: a Ctrl-C at the terminal reaches Backstay alone, which
 * stops between steps, and a command's children end with it.
 * @throws HOOK_FAILED when the program cannot be started, TIMEOUT when its time is over, and the signal's reason.
 */
export function createExec({ env, graceMs = GRACE_MS, mark = async () => ({}) }: ExecOptions): Exec {
  return {
    run: async ([file, ...args], options) => {
      if (file === undefined) throw new BackstayError('HOOK_FAILED', 'a command hook has an empty command');
      options.signal?.throwIfAborted();
      const { execa } = await import('execa');
      const child = execa(file, args, {
        env: { ...env, ...options.env, ...(await mark()) },
        extendEnv: false,
        reject: false,
        buffer: false,
        stdin: 'ignore',
        detached: true,
        cleanup: false,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      });
      const kept = options.keepBytes ?? KEPT_OUTPUT_BYTES;
      const stdout = new Tail(kept);
      const stderr = new Tail(kept);
      child.stdout.on('data', (chunk: Uint8Array) => stdout.push(chunk));
      child.stderr.on('data', (chunk: Uint8Array) => stderr.push(chunk));
      const limit = AbortSignal.timeout(options.timeoutMs);
      const stop = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
      const end = endGroupOn(stop, child.pid, graceMs);
      try {
        const result = await child;
        options.signal?.throwIfAborted();
        if (limit.aborted) {
          throw new BackstayError('TIMEOUT', `command ${file} did not end within ${options.timeoutMs} ms`, {
            details: { stderr: stderr.text() },
          });
        }
        if (result.exitCode === undefined && result.signal === undefined) {
          throw new BackstayError(
            'HOOK_FAILED',
            `command ${file} cannot be started: ${result.code ?? 'unknown reason'}`,
            {
              cause: result.cause,
            },
          );
        }
        return { exitCode: result.exitCode ?? 128, stdout: stdout.text(), stderr: stderr.text() };
      } finally {
        end();
      }
    },
  };
}

/** Ends the whole group of a process when the signal fires. Call the answer once the process has ended. */
function endGroupOn(signal: AbortSignal, pid: number | undefined, graceMs: number): () => void {
  let kill: NodeJS.Timeout | undefined;
  const stop = (): void => {
    sendToGroup(pid, 'SIGTERM');
    kill = setTimeout(() => sendToGroup(pid, 'SIGKILL'), graceMs);
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return () => {
    signal.removeEventListener('abort', stop);
    clearTimeout(kill);
    // Children that outlived a stopped command hold nothing back any more.
    if (signal.aborted) sendToGroup(pid, 'SIGKILL');
  };
}

function sendToGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // The group is gone already: what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
