import type { CheckResult, HttpTarget, Stack } from '../model/index.ts';
import type { HttpAnswer } from '../ports/index.ts';

const TIMEOUT_MS = 10_000;

export interface Alert {
  readonly name: string;
  readonly startsAt: string;
}

export interface RunbookQuestion {
  readonly stack: Stack;
  /** Milliseconds since the epoch: an alert whose end has passed is not firing. */
  readonly now: number;
  readonly signal: AbortSignal;
  readonly ask: (
    target: HttpTarget,
    options: {
      readonly method: string;
      readonly path: string;
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
    },
  ) => Promise<HttpAnswer>;
  /** Measures checks of the stack by name. */
  readonly runNamed: (names: readonly string[]) => Promise<readonly CheckResult[]>;
}

export type RunbookAnswer =
  | {
      readonly applies: true;
      readonly message: string;
      readonly alerts: readonly Alert[];
      readonly dependencies: readonly string[];
    }
  /** `firing`: the names that are, where that could be found out. */
  | { readonly applies: false; readonly message: string; readonly firing?: readonly string[] };

/**
 * Asks whether the runbook applies: one of the stack's alerts is firing, and what the suspect depends on is itself
 * healthy. What cannot be found out counts as no.
 */
export async function askRunbook(question: RunbookQuestion): Promise<RunbookAnswer> {
  const { anyOf, dependencies } = question.stack.context;
  const firing = anyOf.length === 0 ? [] : await firingAlerts(question);
  if (typeof firing === 'string') return no(`cannot tell whether an alert is firing: ${firing}`);
  const alerts = firing.filter(({ name }) => anyOf.includes(name));
  if (anyOf.length > 0 && alerts.length === 0) {
    return { ...no(`none of ${anyOf.join(', ')} is firing`), firing: firing.map(({ name }) => name) };
  }
  const results = dependencies.length === 0 ? [] : await question.runNamed(dependencies);
  const bad = results.filter(({ verdict }) => verdict !== 'pass').map((r) => `${r.name}: ${r.verdict}, ${r.reason}`);
  for (const name of dependencies) {
    if (!results.some((result) => result.name === name)) bad.push(`${name}: unknown, the stack has no such check`);
  }
  if (bad.length > 0) return no(`the fault may not be the suspect's own: ${bad.join('; ')}`);
  return {
    applies: true,
    message: confirmation(alerts, results),
    alerts,
    dependencies: results.map(({ name }) => name),
  };
}

function no(message: string): { readonly applies: false; readonly message: string } {
  return { applies: false, message };
}

/** Firing alerts by Alertmanager's API v2, or in one line why they are not known. */
async function firingAlerts({ stack, ask, now, signal }: RunbookQuestion): Promise<readonly Alert[] | string> {
  const target = stack.context.alertmanager;
  if (target === undefined) return 'the stack file names no Alertmanager';
  try {
    const answer = await ask(target, { method: 'GET', path: '/api/v2/alerts', timeoutMs: TIMEOUT_MS, signal });
    if (answer.status !== 200) return `Alertmanager answers ${answer.status}`;
    return parseAlerts(answer.body, now);
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
