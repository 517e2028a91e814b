import { dirname } from 'node:path';
import { askRunbook, type RunbookAnswer, runChecks } from '../checks/index.ts';
import { askTarget } from '../hooks/index.ts';
import { type CheckResult, type CheckSetting, overall, type Stack, type Verdict } from '../model/index.ts';
import type { Clock, Cluster, HttpClient } from '../ports/index.ts';
import { takeInventory } from './inventory.ts';

export interface CheckDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly http: HttpClient;
  readonly clock: Clock;
}

export interface CheckOptions {
  readonly when: 'capture' | 'before' | 'after';
  readonly onResult?: (result: CheckResult) => void;
  readonly signal?: AbortSignal;
}

/** Asks the checks of a stack now, outside of any run. Unknown never counts as pass. */
export async function checkStack(
  options: CheckOptions,
  deps: CheckDeps,
): Promise<{ readonly verdict: Verdict; readonly checks: readonly CheckResult[] }> {
  const settings = deps.stack.checks;
  const checks = await runChecks(settings, { ...(await contextOf(settings, deps, options.signal)), ...options });
  return { verdict: overall(checks), checks };
}

/** The same of those checks alone, whenever else they are asked. */
export async function checkNamed(
  names: readonly string[],
  options: Omit<CheckOptions, 'when'>,
  deps: CheckDeps,
): Promise<readonly CheckResult[]> {
  const settings = deps.stack.checks.filter(({ name }) => names.includes(name));
  return await runChecks(settings, { ...(await contextOf(settings, deps, options.signal)), ...options, when: 'named' });
}

/** Asks whether the stack's runbook applies now: an alert of its own is firing, and what the suspect depends on is well. */
export async function checkRunbook(options: Omit<CheckOptions, 'when'>, deps: CheckDeps): Promise<RunbookAnswer> {
  const { stack, cluster, http, clock } = deps;
  const signal = options.signal ?? new AbortController().signal;
  const namespace = stack.namespaces[0] ?? 'default';
  return await askRunbook({
    stack,
    now: clock.now(),
    signal,
    ask: async (target, request) => await askTarget(target, request, { cluster, http, namespace }),
    runNamed: async (names) => await checkNamed(names, { ...options, signal }, deps),
  });
}

/** Flags are read for those checks alone that depend on one: they take a look at the whole stack. */
async function contextOf(
  settings: readonly CheckSetting[],
  { stack, cluster, http, clock }: CheckDeps,
  signal?: AbortSignal,
) {
  const asked = signal === undefined ? {} : { signal };
  const isNeeded = settings.some(({ onlyIf }) => onlyIf !== undefined);
  const flags = isNeeded ? (await takeInventory(cluster, stack, asked)).flags : [];
  return { stack, cluster, http, clock, flags, baseDir: dirname(stack.file) };
}
