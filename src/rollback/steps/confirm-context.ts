import type { CheckResult } from '../../model/index.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';

const TIMEOUT_MS = 10_000;
const OVERRIDE = '--emergency skips this check';

interface Alert {
  readonly name: string;
  readonly startsAt: string;
}

/**
 * Asks whether the runbook applies: one of the stack's alerts is firing, and what the suspect depends on is itself
 * healthy. What cannot be found out counts as no.
 */
export const confirmContext: Executor = async (_action, context) => {
  const { state, deps } = context;
  const { anyOf, dependencies } = deps.stack.context;
  if (state.plan.options.emergency) {
    return { outcome: 'skipped', touched: false, message: 'not asked: --emergency' };
  }
  const firing = anyOf.length === 0 ? [] : await firingAlerts(context);
  if (typeof firing === 'string') return refused(`cannot tell whether an alert is firing: ${firing}`);
  const known = firing.filter(({ name }) => anyOf.includes(name));
  if (anyOf.length > 0 && known.length === 0) {
    return refused(`none of ${anyOf.join(', ')} is firing`, { firing: firing.map(({ name }) => name) });
  }
  const results = dependencies.length === 0 ? [] : await askDependencies(context);
  const missing = dependencies.filter((name) => !results.some((r) => r.name === name));
  const bad = results
    .filter(({ verdict }) => verdict !== 'pass')
    .map(({ name, verdict, reason }) => `${name}: ${verdict}, ${reason}`);
  for (const name of missing) bad.push(`${name}: unknown, the stack has no such check`);
  if (bad.length > 0) return refused(`the fault may not be the suspect's own: ${bad.join('; ')}`);
  return {
    outcome: 'done',
    touched: false,
    message: confirmation(known, results),
    result: {
      alerts: known.map(({ name, startsAt }) => ({ name, startsAt })),
      dependencies: results.map(({ name }) => name),
    },
  };
};

async function askDependencies({ deps, signal, report }: StepContext): Promise<readonly CheckResult[]> {
  const names = deps.stack.context.dependencies;
  const onResult = (result: CheckResult): void => report({ type: 'check.measured', result });
  return await deps.runChecks({ when: 'named', names, onResult, signal });
}

/** Firing alerts by Alertmanager's API v2, or in one line why they are not known. */
async function firingAlerts({ deps, signal }: StepContext): Promise<readonly Alert[] | string> {
  const target = deps.stack.context.alertmanager;
  if (target === undefined) return 'the stack file names no Alertmanager';
  try {
    const answer = await deps.ask(target, { method: 'GET', path: '/api/v2/alerts', timeoutMs: TIMEOUT_MS, signal });
    if (answer.status !== 200) return `Alertmanager answers ${answer.status}`;
    return parseAlerts(answer.body, deps.clock.now());
  } catch (error) {
    if (signal.aborted) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** Exported for its table test. A silenced alert counts: silencing a page does not heal what it told about. */
export function parseAlerts(body: string, now: number): readonly Alert[] | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return 'Alertmanager does not answer with JSON';
  }
  if (!Array.isArray(parsed)) return 'Alertmanager does not answer with a list of alerts';
  const alerts: Alert[] = [];
  for (const entry of parsed as readonly unknown[]) {
    const { labels, startsAt, endsAt } = (entry ?? {}) as {
      labels?: { alertname?: unknown };
      startsAt?: unknown;
      endsAt?: unknown;
    };
    if (typeof labels?.alertname !== 'string') continue;
    const ends = typeof endsAt === 'string' ? Date.parse(endsAt) : Number.NaN;
    // Year 1 is how Alertmanager writes "no end known".
    const over = !Number.isNaN(ends) && ends > 0 && ends <= now;
    if (!over) alerts.push({ name: labels.alertname, startsAt: typeof startsAt === 'string' ? startsAt : '' });
  }
  return alerts;
}

function confirmation(alerts: readonly Alert[], dependencies: readonly CheckResult[]): string {
  const parts = [
    ...(alerts.length > 0 ? [`firing: ${alerts.map(({ name }) => name).join(', ')}`] : []),
    ...(dependencies.length > 0 ? [`healthy: ${dependencies.map(({ name }) => name).join(', ')}`] : []),
  ];
  return parts.length === 0 ? 'the stack names no precondition' : parts.join('; ');
}

function refused(message: string, result?: { readonly firing: readonly string[] }): StepResult {
  return {
    outcome: 'failed',
    code: 'CONTEXT_UNCONFIRMED',
    touched: false,
    message: `${message} (${OVERRIDE})`,
    ...(result === undefined ? {} : { result }),
  };
}
