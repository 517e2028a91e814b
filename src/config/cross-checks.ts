import { approvalFindings } from './approvals-schema.ts';
import { DURATION, milliseconds } from './fields.ts';
import { notificationFindings } from './notifications-schema.ts';
import type { Finding } from './problems.ts';
import { scheduleFindings } from './schedules-schema.ts';
import { observeFindings } from './observe-schema.ts';
import { triggerFindings } from './triggers-schema.ts';

/**
 * What only shows when two settings are seen together. Works on settings that may still be of the wrong shape, so that
 * these findings are reported along with all others instead of one round later.
 */
export function crossCheck(raw: unknown): Finding[] {
  const settings = isRecord(raw) ? raw : {};
  const hooks = listOf(settings.hooks);
  const checks = listOf(settings.checks);
  const flags = namesOf(listOf(settings.flags));
  const findings = [
    ...repeated('hooks', hooks),
    ...repeated('checks', checks),
    ...repeated('probes', listOf(settings.probes)),
    ...repeated('stores', listOf(settings.stores)),
    ...repeated('schedules', listOf(settings.schedules)),
  ];
  for (const [index, check] of checks.entries()) {
    const flag = isRecord(check) && isRecord(check.onlyIf) ? check.onlyIf.flag : undefined;
    if (typeof flag === 'string' && !flags.includes(flag)) {
      findings.push({
        path: ['checks', index, 'onlyIf', 'flag'],
        found: JSON.stringify(flag),
        expected: declared('flags', flags),
      });
    }
  }
  findings.push(
    ...aboutMetrics(settings.metrics),
    ...approvalFindings(settings),
    ...triggerFindings(settings),
    ...observeFindings(settings),
    ...scheduleFindings(settings),
    ...notificationFindings(settings),
  );
  const when = isRecord(settings.context) && isRecord(settings.context.when) ? settings.context.when.flag : undefined;
  if (typeof when === 'string' && !flags.includes(when)) {
    findings.push({
      path: ['context', 'when', 'flag'],
      found: JSON.stringify(when),
      expected: declared('flags', flags),
    });
  }
  const closing = isRecord(settings.maintenance) ? settings.maintenance.flag : undefined;
  if (typeof closing === 'string' && !flags.includes(closing)) {
    findings.push({
      path: ['maintenance', 'flag'],
      found: JSON.stringify(closing),
      expected: declared('flags', flags),
    });
  }
  const dependencies = isRecord(settings.context) ? listOf(settings.context.dependencies) : [];
  for (const [index, name] of dependencies.entries()) {
    if (typeof name === 'string' && !namesOf(checks).includes(name)) {
      const path = ['context', 'dependencies', index];
      findings.push({ path, found: JSON.stringify(name), expected: declared('checks', namesOf(checks)) });
    }
  }
  return findings;
}

/** Prometheus refuses more points than this a series. */
const MOST_POINTS = 11_000;

function aboutMetrics(metrics: unknown): Finding[] {
  if (!isRecord(metrics)) return [];
  const { window = '1h', step = '15s' } = metrics;
  const findings = repeated('metrics', listOf(metrics.queries)).map(({ path, ...rest }) => ({
    ...rest,
    path: ['metrics', 'queries', ...path.slice(1)],
  }));
  if (typeof window !== 'string' || typeof step !== 'string') return findings;
  if (!DURATION.test(window) || !DURATION.test(step)) return findings;
  const stepMs = milliseconds(step);
  if (stepMs > 0 && milliseconds(window) / stepMs <= MOST_POINTS) return findings;
  return [
    ...findings,
    { path: ['metrics', 'step'], found: JSON.stringify(step), expected: `at most ${MOST_POINTS} steps in ${window}` },
  ];
}

function repeated(setting: string, entries: readonly unknown[]): Finding[] {
  const names = entries.map((entry) => (isRecord(entry) ? entry.name : undefined));
  return names.flatMap((name, index) =>
    typeof name === 'string' && names.indexOf(name) < index
      ? [
          {
            path: [setting, index, 'name'],
            found: `${JSON.stringify(name)} a second time`,
            expected: 'a name of its own',
          },
        ]
      : [],
  );
}

function declared(setting: string, names: readonly string[]): string {
  return names.length === 0
    ? `a name declared in ${setting}, which has none`
    : `one of the ${setting}: ${names.join(', ')}`;
}

function namesOf(entries: readonly unknown[]): string[] {
  return entries.flatMap((entry) => (isRecord(entry) && typeof entry.name === 'string' ? [entry.name] : []));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
