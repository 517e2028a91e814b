import { setTimeout as delay } from 'node:timers/promises';
import type { PodProcess } from './process.ts';

/** At least this long between preStop and SIGKILL, as a kubelet has it, milliseconds. */
const AFTER_HOOK_MS = 2000;

/** preStop, SIGTERM, and SIGKILL when the grace is over; the hook's time is part of the grace. */
export async function endProcess(process: PodProcess, graceMs: number, preStop?: () => Promise<void>): Promise<void> {
  const start = Date.now();
  const hook = graceMs > 0 ? preStop : undefined;
  await hook?.();
  process.signal('SIGTERM');
  const left = graceMs - (Date.now() - start);
  await killAfter(process, hook === undefined ? graceMs : Math.max(left, AFTER_HOOK_MS));
}

/** SIGKILL after the time, unless the process has ended by then. */
export async function killAfter(process: PodProcess, ms: number): Promise<void> {
  const ended = new AbortController();
  void process.exited.then(() => ended.abort());
  await delay(ms, undefined, { signal: ended.signal }).catch(() => undefined);
  process.signal('SIGKILL');
}
