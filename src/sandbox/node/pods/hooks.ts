import { setTimeout as delay } from 'node:timers/promises';
import { httpProbe, type ProbeAttempt, type ProbeTarget } from '../probes/run-probe.ts';
import type { Handler } from './pod-types.ts';

/** Runs a lifecycle hook, at most for `timeoutMs`. Never throws. */
export async function runHook(handler: Handler, target: ProbeTarget, timeoutMs: number): Promise<ProbeAttempt> {
  if (handler.exec !== undefined) {
    const { exitCode, output } = await target.exec(handler.exec.command ?? [], timeoutMs);
    return { ok: exitCode === 0, message: output };
  }
  if (handler.httpGet !== undefined) return await httpProbe(handler.httpGet, target, timeoutMs);
  if (handler.sleep !== undefined) await delay(Math.min(handler.sleep.seconds * 1000, timeoutMs));
  return { ok: true, message: '' };
}
