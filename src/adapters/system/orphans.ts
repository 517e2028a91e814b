import { readdir, readFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { BackstayError } from '../../errors/index.ts';
import type { Clock, Lock } from '../../ports/index.ts';

/**
 * In the environment of whatever we start, and so of whatever that starts: for whom, and by which process. It says who a
 * process is for as long as it runs; numbers of processes are used again, and lists of them in files can be out of date.
 */
const MARK = 'BACKSTAY_CHILD_OF';
/** `engine`: Pulumi and its plugins. `command`: a hook's program, which leads a process group of its own. */
export type Role = 'engine' | 'command';

const TERM_MS = 1_000;
const KILL_MS = 5_000;
const LOOK_MS = 10;
/** Clock ticks a second in /proc, on every Linux there is. */
const TICKS = 100;
/** Between the mark and the start of the process that it was made for. Whatever a hook leaves running starts later. */
const START_MS = 1_000;

/** To be added to a child's environment. Empty where processes cannot be told apart: Linux tells. */
export async function childMark(role: Role, stack: string): Promise<Readonly<Record<string, string>>> {
  const self = await statOf(process.pid);
  if (self === undefined) return {};
  return { [MARK]: [role, stack, process.pid, self.started, Math.floor(uptime() * TICKS)].join(' ') };
}

/** Gives the stack only once nothing is left that a killed process of ours started for it. */
export function withoutOrphans(lock: Lock, clock: Pick<Clock, 'delay' | 'monotonic'>): Lock {
  return {
    look: async (stack) => await lock.look(stack),
    acquire: async (stack, holder, admit) => {
      const held = await lock.acquire(stack, holder, admit);
      try {
        await endOrphans(stack, clock);
        return held;
      } catch (error) {
        await held.release();
        throw error;
      }
    },
  };
}

/**
 * Ends what a killed process of ours left at work for this stack, and waits until it is gone. Asked for once the stack's
 * lease is held: nothing may act on the stack beside its holder then. What runs is asked to end first, and ended a second later.
 * @throws ENGINE_FAILED when something cannot be ended.
 */
async function endOrphans(stack: string, clock: Pick<Clock, 'delay' | 'monotonic'>): Promise<void> {
  const orphans = await orphansOf(stack);
  if (orphans.length === 0) return;
  for (const [signal, limitMs] of [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    for (const orphan of orphans) send(orphan, signal);
    if (await areGone(orphans, clock, limitMs)) return;
  }
  const pids = orphans.map(({ pid }) => pid).join(', ');
  throw new BackstayError(
    'ENGINE_FAILED',
    `What a killed run of ${stack} left running cannot be ended: process ${pids}.`,
    {
      next: 'End it by hand, then run the command again.',
      details: { pids: orphans.map(({ pid }) => pid) },
    },
  );
}

interface Orphan {
  readonly pid: number;
  readonly started: number;
  readonly role: Role;
}

async function orphansOf(stack: string): Promise<readonly Orphan[]> {
  const names = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map(async (name) => await orphanAt(Number(name), stack)),
  );
  return found.filter((one) => one !== undefined);
}

async function orphanAt(pid: number, stack: string): Promise<Orphan | undefined> {
  // Readable only for processes of our own user: nobody else's can be ours.
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  const mark = environment.split('\0').find((line) => line.startsWith(`${MARK}=`));
  if (mark === undefined) return undefined;
  const [role, of, parent, parentStarted, marked] = mark.slice(MARK.length + 1).split(' ');
  if (of !== stack || (role !== 'engine' && role !== 'command')) return undefined;
  const stat = await statOf(pid);
  if (stat === undefined || (await statOf(Number(parent)))?.started === Number(parentStarted)) return undefined;
  // A program that a hook left running on purpose is none of ours to end; the hook's own one leads its group.
  const isHookItself = stat.group === pid && (stat.started - Number(marked)) * (1000 / TICKS) <= START_MS;
  return role === 'engine' || isHookItself ? { pid, started: stat.started, role } : undefined;
}

function send({ pid, role }: Orphan, signal: NodeJS.Signals): void {
  try {
    process.kill(role === 'command' ? -pid : pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Nobody tells the end of a process that is not a child of ours: it is looked for, every few milliseconds. */
async function areGone(
  orphans: readonly Orphan[],
  clock: Pick<Clock, 'delay' | 'monotonic'>,
  limitMs: number,
): Promise<boolean> {
  const deadline = clock.monotonic() + limitMs;
  for (;;) {
    const stats = await Promise.all(orphans.map(async ({ pid, started }) => (await statOf(pid))?.started === started));
    if (!stats.includes(true)) return true;
    if (clock.monotonic() >= deadline) return false;
    await clock.delay(LOOK_MS);
  }
}

export interface Stat {
  readonly group: number;
  /** Clock ticks after the machine's start. */
  readonly started: number;
}

/** Undefined for a process that is gone, or dead and only not yet fetched by its parent. */
export async function statOf(pid: number): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The second field is the program's name, which may hold anything.
  const [state, , group, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const started = Number(rest[16]);
  return text === '' || state === 'Z' || state === 'X' ? undefined : { group: Number(group), started };
}
