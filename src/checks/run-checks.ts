import type { CheckResult, CheckSetting } from '../model/index.ts';
import { applies } from './applies.ts';
import { measureCanary } from './canary.ts';
import type { CheckContext, Finding } from './context.ts';
import { measureHttp } from './http.ts';
import { measurePerformance } from './performance.ts';
import { measureRollout } from './rollout.ts';

/**
 * Measures the checks that apply, in at most the time each has. Results stand in the order of the settings. Never throws
 * for what a measurement meets: that is verdict `unknown`, with its reason. Throws the signal's reason when told to stop.
 */
export async function runChecks(
  settings: readonly CheckSetting[],
  context: CheckContext,
): Promise<readonly CheckResult[]> {
  const chosen = settings.flatMap((setting): readonly Chosen[] => {
    const known = applies(setting, context);
    return known === false ? [] : [known === true ? { setting } : { setting, known }];
  });
  const results = new Map<CheckSetting, CheckResult>();
  const measureOne = async ({ setting, known }: Chosen): Promise<void> => {
    const result = await timed(setting, context, known);
    context.signal?.throwIfAborted();
    results.set(setting, result);
    context.onResult?.(result);
  };
  // Latency is measured alone: the other checks would be measured with it.
  const loud = chosen.filter(({ setting }) => setting.kind === 'performance');
  await Promise.all(chosen.filter((c) => !loud.includes(c)).map(measureOne));
  for (const one of loud) await measureOne(one);
  return chosen.map(({ setting }) => results.get(setting) as CheckResult);
}

interface Chosen {
  readonly setting: CheckSetting;
  /** The finding that stands before anything is measured. */
  readonly known?: Finding;
}

async function timed(setting: CheckSetting, context: CheckContext, known: Finding | undefined): Promise<CheckResult> {
  const { clock } = context;
  const at = new Date(clock.now()).toISOString();
  const began = clock.monotonic();
  const finding = known ?? (await bounded(setting, context));
  return { name: setting.name, kind: setting.kind, at, durationMs: Math.round(clock.monotonic() - began), ...finding };
}

async function bounded(setting: CheckSetting, context: CheckContext): Promise<Finding> {
  const limit = AbortSignal.timeout(setting.timeoutMs);
  const signal = context.signal === undefined ? limit : AbortSignal.any([limit, context.signal]);
  try {
    return await measure(setting, { ...context, signal });
  } catch (error) {
    if (limit.aborted) return { verdict: 'unknown', reason: `not measured within ${setting.timeoutMs} ms` };
    return {
      verdict: 'unknown',
      reason: `cannot be measured: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

async function measure(
  setting: CheckSetting,
  context: CheckContext & { readonly signal: AbortSignal },
): Promise<Finding> {
  switch (setting.kind) {
    case 'http':
      return await measureHttp(setting, context);
    case 'performance':
      return await measurePerformance(setting, context);
    case 'rollout':
      return await measureRollout(setting, context);
    case 'canary':
      return await measureCanary(setting, context);
  }
}
