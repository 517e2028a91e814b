import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { BackstayError } from '../../errors/index.ts';

/** Redis' own programs on this machine, of one version. Absolute paths. */
export interface RedisTools {
  readonly server: string;
  readonly cli: string;
  readonly checkRdb: string;
  /** `7.0.15`. */
  readonly version: string;
}

/**
 * Beside the program it waits for the end of its own standard input, and then ends the program: none outlives the process
 * that wanted it, `kill -9` included. What the program needed for itself goes with it.
 */
const BOUND = [
  'exec 3<&0',
  'folder=$1; shift',
  'if [ -n "$folder" ]; then mkdir -m 700 -- "$folder" || exit 73; fi',
  '"$@" </dev/null 3<&- & work=$!',
  '(read -r _ <&3; kill -KILL "$work") 2>/dev/null & watch=$!',
  // Nobody may be listening any more: what the shell has to say of it must not end it before it has cleared up.
  'trap "" PIPE; exec >/dev/null 2>&1',
  'wait "$work"; code=$?',
  'kill "$watch" 2>/dev/null',
  'if [ -n "$folder" ]; then rm -rf -- "$folder"; fi',
  'exit "$code"',
].join('\n');

/** Characters of a program's last words. */
const KEPT = 4_000;

export interface Child {
  /** Resolves with its exit code. Rejects when it cannot be started. */
  readonly ended: Promise<number>;
  /** What it said last. */
  readonly said: () => string;
  /** Ends it at once; `ended` tells when it is gone. */
  readonly end: () => void;
}

/** `folder` is made for it, readable by nobody else, and removed when it ends, whoever ends it. */
export function start(command: readonly string[], env: Readonly<Record<string, string>> = {}, folder = ''): Child {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(
    '/bin/sh',
    ['-c', BOUND, 'sh', folder, ...command],
    // A group of its own: an interrupt at the terminal is for us to answer.
    { detached: true, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...env }, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-KEPT)));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 137));
  });
  ended.catch(() => undefined);
  return { ended, said: () => words, end: () => child.stdin.destroy() };
}

/**
 * Runs one of the tools to its end, and gives what it said. Its exit code is necessary and not sufficient: callers look
 * at what it left. @throws STORE_FAILED with the end of what it said
 */
export async function runTool(
  command: readonly string[],
  { env, signal }: { readonly env?: Readonly<Record<string, string>>; readonly signal?: AbortSignal } = {},
): Promise<string> {
  signal?.throwIfAborted();
  const child = start(command, env);
  signal?.addEventListener('abort', child.end, { once: true });
  try {
    const code = await child.ended;
    signal?.throwIfAborted();
    if (code === 0) return child.said();
    throw new BackstayError('STORE_FAILED', `${nameOf(command)}: ${lastLines(child.said()) || `exit code ${code}`}`, {
      details: { tool: command[0] ?? '', exitCode: code },
    });
  } finally {
    signal?.removeEventListener('abort', child.end);
  }
}

export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join('; ');
}

function nameOf([program = '']: readonly string[]): string {
  return program.slice(program.lastIndexOf('/') + 1);
}
