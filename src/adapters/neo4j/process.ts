import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { BackstayError } from '../../errors/index.ts';

/**
 * Beside the program it waits for the end of its own standard input and then ends the whole group: a JVM, and what the
 * scripts around it started, does not outlive the process that wanted it, `kill -9` included. A folder that the program
 * needed goes with it.
 */
const BOUND = [
  'exec 3<&0',
  'folder=$1; shift',
  '"$@" </dev/null 3<&- & work=$!',
  '(read -r _ <&3; if [ -n "$folder" ]; then rm -rf -- "$folder"; fi; kill -KILL 0) 2>/dev/null & watch=$!',
  'wait "$work"; code=$?',
  'kill "$watch" 2>/dev/null',
  'exit "$code"',
].join('\n');

/** Characters of a program's last words. */
const KEPT = 8_000;

export type Variables = Readonly<Record<string, string | undefined>>;

export interface Child {
  /** Resolves with its exit code. Rejects when it cannot be started. */
  readonly ended: Promise<number>;
  /** What it said last. */
  readonly said: () => string;
  /** Ends it and all that it started at once; `ended` tells when it is gone. */
  readonly end: () => void;
}

/** `folder` is removed when this process ends before the program. */
export function start(command: readonly string[], env: Variables, folder = ''): Child {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(
    '/bin/sh',
    ['-c', BOUND, 'sh', folder, ...command],
    { detached: true, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] },
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

/** Runs a command that starts or stops something else; that keeps the command's streams open, so its own end counts. */
function launch([file = '', ...args]: readonly string[], env: Variables): Child {
  const child = spawn(file, args, { detached: true, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-KEPT)));
  const ended = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      words += error.message;
      resolve(127);
    });
    child.once('exit', (code) => {
      // A turn of the event loop for what it said last; then its streams are let go.
      setImmediate(() => {
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
        resolve(code ?? 137);
      });
    });
  });
  return { ended, said: () => words, end: () => void child.kill('SIGKILL') };
}

export interface ToolRun {
  readonly env: Variables;
  /** Milliseconds. A database that cannot be opened leaves Neo4j's JVM hanging without a word. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  /** It may leave something running (a server that it started), which is not waited for and not ended. @default false */
  readonly detaches?: boolean;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly said: string;
}

/** Runs a program to its end, whatever its exit code. @throws TIMEOUT, and TOOL_MISSING when it cannot be started */
export async function runTool(command: readonly string[], run: ToolRun): Promise<ToolResult> {
  const { env, limitMs, signal, detaches = false } = run;
  signal?.throwIfAborted();
  const child = detaches ? launch(command, env) : start(command, env);
  const limit = AbortSignal.timeout(limitMs);
  const stop = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  stop.addEventListener('abort', child.end, { once: true });
  try {
    const exitCode = await child.ended;
    signal?.throwIfAborted();
    if (limit.aborted)
      throw new BackstayError('TIMEOUT', `${nameOf(command)} did not end within ${limitMs} ms, and was ended`, {
        details: { tool: command[0] ?? '', output: lastLines(child.said()) },
      });
    if (exitCode === 126 || exitCode === 127)
      throw new BackstayError('TOOL_MISSING', `${nameOf(command)} cannot be started: ${lastLines(child.said())}`);
    return { exitCode, said: child.said() };
  } finally {
    stop.removeEventListener('abort', child.end);
  }
}

/** The last lines that say something: progress bars and Java's stack are left out. */
export function lastLines(text: string): string {
  return text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '' && !/^(\s+at |Files: |\.+ +\d+%|Run with '--verbose')/.test(line))
    .slice(-4)
    .join('; ');
}

export function nameOf(command: readonly string[]): string {
  const [program = ''] = command;
  return program.slice(program.lastIndexOf('/') + 1);
}
