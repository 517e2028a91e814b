import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';

export interface Timed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Unix time in milliseconds at which it was started. */
  readonly startedAt: number;
  /** From the start to the end of the process, milliseconds. */
  readonly ms: number;
}

/** Of a command that failed: its last words say why. */
const LINES_SHOWN = 20;

/** Children that are at work: an interrupted bench ends them. */
const atWork = new Set<ChildProcess>();
let stopped = false;

export interface RunOptions {
  /** Not ended when the bench is interrupted, not even by the terminal: what it starts outlives it. */
  readonly whole?: boolean;
}

/** Runs a command as a process of its own. Throws a TypeError with what it said when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  options: RunOptions = {},
): Promise<Timed> {
  const ended = await tryRun(command, args, env, options);
  if (ended.code === 0) return ended;
  const said = `${ended.stderr}${ended.stdout}`.trimEnd().split('\n').slice(-LINES_SHOWN).join('\n');
  throw new TypeError(`${command} ${args.join(' ')} ended with ${ended.code}\n${said}`);
}

export function tryRun(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { whole = false }: RunOptions = {},
): Promise<Timed> {
  if (stopped && !whole) return Promise.reject(new TypeError('interrupted'));
  return new Promise((resolve, reject) => {
    const startedAt = Date.now();
    const began = performance.now();
    const child = spawn(command, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: whole });
    if (!whole) atWork.add(child);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    let ms = 0;
    child.once('exit', () => (ms = performance.now() - began));
    child.once('close', (code) => {
      atWork.delete(child);
      resolve({ code: code ?? 1, stdout, stderr, startedAt, ms });
    });
  });
}

/** Ends what is at work and starts nothing more. */
export function stopAll(): void {
  stopped = true;
  for (const child of atWork) child.kill('SIGTERM');
}

const METER = new URL('./meter.mjs', import.meta.url);

export interface Usage {
  /** Peak of resident memory. */
  readonly peakBytes: number;
  /** Processor time of the process and all its threads, milliseconds. */
  readonly cpuMs: number;
  /** Read by the process itself, not by its children; 0 where the machine does not count it. */
  readonly readBytes: number;
}

/** Environment by which a Node process leaves in a file what it used. */
export function metered(env: NodeJS.ProcessEnv, file: string): NodeJS.ProcessEnv {
  return { ...env, NODE_OPTIONS: `--import=${METER.href}`, BACKSTAY_BENCH_METER: file };
}

/** Reads and removes the file, so that a process that left none is not mistaken for the one before. */
export function usageIn(file: string): Usage {
  const usage = JSON.parse(readFileSync(file, 'utf8')) as Usage;
  rmSync(file);
  return usage;
}
