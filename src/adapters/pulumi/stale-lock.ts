import { existsSync, watch } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError } from '../../errors/index.ts';

/** One CLI call in the run's workspace, with the stack named. */
export type Cli = (args: readonly string[]) => Promise<{ readonly stdout: string; readonly stderr: string }>;

/** How long an engine that outlived its parent may take to notice and end. */
const ENDING_MS = 30_000;
/** The lock's time has whole seconds only, and clocks are set. */
const CLOCK_SLACK_MS = 5_000;
const LOCK = /(file:\/\/\S+?)?:? ?created by (\S+)@(\S+) \(pid (\d+)\)(?: at (\S+Z))?/g;

interface LockHolder {
  readonly file?: string;
  readonly user: string;
  readonly host: string;
  readonly pid: number;
  /** When the lock was made, milliseconds since the epoch. */
  readonly at?: number;
}

/** Who holds the stack's lock in Pulumi's own backend, from the CLI's words; empty when that is not what is wrong. */
export function lockHolders(message: string): readonly LockHolder[] {
  if (!message.includes('currently locked')) return [];
  return [...message.matchAll(LOCK)].map(([, url, user = '', host = '', pid, at]) => ({
    ...(url === undefined ? {} : { file: fileURLToPath(url) }),
    user,
    host,
    pid: Number(pid),
    ...(at === undefined ? {} : { at: Date.parse(at) }),
  }));
}

/**
 * Opens a stack that a killed run left locked, and drops operations that it left pending: their objects are looked up
 * live anyway. Throws ENGINE_FAILED when a holder may still be at work.
 */
export async function recover(holders: readonly LockHolder[], stack: string, workDir: string, cli: Cli): Promise<void> {
  for (const holder of holders) await ended(holder, stack);
  await cli(['cancel', '--yes', '--stack', stack]);
  await dropPending(stack, workDir, cli);
}

/** Removes pending operations from the state. Secrets stay encrypted on the way. */
export async function dropPending(stack: string, workDir: string, cli: Cli): Promise<void> {
  const file = join(workDir, 'state.json');
  await cli(['stack', 'export', '--stack', stack, '--file', file]);
  const state = JSON.parse(await readFile(file, 'utf8')) as {
    deployment?: { pending_operations?: readonly unknown[] };
  };
  if ((state.deployment?.pending_operations ?? []).length === 0) return;
  const { pending_operations: _, ...deployment } = state.deployment ?? {};
  await writeFile(file, JSON.stringify({ ...state, deployment }), { mode: 0o600 });
  await cli(['stack', 'import', '--stack', stack, '--file', file]);
}

async function ended(holder: LockHolder, stack: string): Promise<void> {
  const who = `${holder.user}@${holder.host} (process ${holder.pid})`;
  if (holder.host !== hostname()) {
    throw new BackstayError(
      'ENGINE_FAILED',
      `Pulumi's state of ${stack} is locked by ${who}, which cannot be looked at from here.`,
      {
        next: `Make sure that it has ended, then run \`pulumi cancel --stack ${stack}\`.`,
      },
    );
  }
  if (!(await isRunning(holder.pid)) || (await isYounger(holder))) return;
  if (holder.file !== undefined && (await unlocked(holder.file))) return;
  throw new BackstayError('ENGINE_FAILED', `Pulumi's state of ${stack} is locked by ${who}, which is still running.`, {
    next: 'Wait for it to end, or end it, then run it again.',
  });
}

/** One that is dead and not yet fetched by its parent still answers signals; in a container nobody may ever fetch it. */
async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Numbers of processes are used again: one that began after the lock was made did not make it. Linux tells; else unknown. */
async function isYounger({ pid, at }: LockHolder): Promise<boolean> {
  if (at === undefined) return false;
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // Clock ticks (hundredths of a second) after the machine's start, behind a name that may hold anything.
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const startedAt = Date.now() - uptime() * 1000 + ticks * 10;
  return startedAt > at + CLOCK_SLACK_MS;
}

/** Waits for the lock file to go: an engine whose parent was killed ends by itself as soon as it notices. */
async function unlocked(file: string): Promise<boolean> {
  const limit = AbortSignal.timeout(ENDING_MS);
  return await new Promise((resolve) => {
    const watcher = watch(dirname(file), { signal: limit }, (_event, name) => {
      if (name === basename(file) && !existsSync(file)) done(true);
    });
    const done = (gone: boolean): void => {
      watcher.close();
      resolve(gone);
    };
    watcher.on('error', () => done(!existsSync(file)));
    limit.addEventListener('abort', () => done(!existsSync(file)));
    if (!existsSync(file)) done(true);
  });
}
