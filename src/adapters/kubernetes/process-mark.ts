import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';

/** Names one life of one process. */
export interface ProcessMark {
  /** Its name, its boot and its process namespace; empty where that cannot be told. */
  readonly machine: string;
  readonly pid: number;
  /** Drawn anew in each process, for numbers are used again. */
  readonly life: string;
}

const LIFE = randomUUID();
let machine: Promise<string> | undefined;

/** Of this process, on the machine that calls itself `host`. */
export async function processMark(host = ''): Promise<ProcessMark> {
  machine ??= thisMachine();
  const own = await machine;
  return { machine: own === '' ? '' : `${host}/${own}`, pid: process.pid, life: LIFE };
}

/** True only when the other process surely is gone: it ran on this very machine, and nothing runs under its number. */
export function isDead(self: ProcessMark, other: Partial<ProcessMark> | undefined): boolean {
  if (other === undefined || self.machine === '' || other.machine !== self.machine) return false;
  if (typeof other.pid !== 'number' || other.life === self.life) return false;
  if (other.pid === self.pid) return true;
  try {
    process.kill(other.pid, 0);
    return isUnfetched(other.pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Dead, and its parent has not looked yet: it still answers signals, in some containers for ever. */
function isUnfetched(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return 'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Linux only; elsewhere a dead holder is found by its silence. */
async function thisMachine(): Promise<string> {
  try {
    const [boot, namespace] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readlink('/proc/self/ns/pid'),
    ]);
    return `${boot.trim()}/${namespace}`;
  } catch {
    return '';
  }
}
