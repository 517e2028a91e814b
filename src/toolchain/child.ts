import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/**
 * Waits for the end of its standard input beside the command and then kills the whole group: a compiler must not outlive
 * the process that wanted it, however that one ends.
 */
const WATCHDOG = [
  'exec 3<&0',
  '"$@" </dev/null 3<&- & work=$!',
  '(read -r _ <&3; kill -KILL 0) & watch=$!',
  'wait "$work"; code=$?',
  'kill "$watch" 2>/dev/null',
  'exit "$code"',
].join('\n');

export interface ChildResult {
  readonly exitCode: number;
  /** The last lines of both streams, for messages. */
  readonly tail: readonly string[];
}

/** The last words of a command that failed, as an error carries them. `lines`: those to read at once. */
export function toldBy(
  tail: readonly string[],
  lines: readonly string[] = tail.slice(-3),
): { readonly details: { readonly output: readonly string[] }; readonly next: string } {
  return { details: { output: tail }, next: `It said: ${lines.join(' | ')}` };
}

/** Runs a command in a process group of its own that ends with us. Rejects with the signal's reason, or when it cannot be started. */
export async function runChild(
  command: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly signal?: AbortSignal;
    readonly onLine: (line: string, stream: 'out' | 'err') => void;
  },
): Promise<ChildResult> {
  options.signal?.throwIfAborted();
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(
    '/bin/sh',
    ['-c', WATCHDOG, 'sh', ...command],
    {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  // Closing it is the kill; an error on it means that the child is gone, which `close` reports.
  child.stdin.on('error', () => child.stdin.destroy());
  const tail: string[] = [];
  for (const [stream, name] of [
    [child.stdout, 'out'],
    [child.stderr, 'err'],
  ] as const) {
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line);
      if (tail.length > 20) tail.shift();
      options.onLine(line, name);
    });
  }
  const stop = () => child.stdin.destroy();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 137));
    });
    options.signal?.throwIfAborted();
    return { exitCode, tail };
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}
