import type { Finding } from './problems.ts';

/**
 * What only shows when two settings are seen together. Works on settings that may still be of the wrong shape, so that
 * these findings are reported along with all others instead of one round later.
 */
export function crossCheck(raw: unknown): Finding[] {
  const settings = isRecord(raw) ? raw : {};
  const hooks = listOf(settings.hooks);
  const checks = listOf(settings.checks);
  const flags = namesOf(listOf(settings.flags));
  const findings = [...repeated('hooks', hooks), ...repeated('checks', checks)];
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
  const when = isRecord(settings.context) && isRecord(settings.context.when) ? settings.context.when.flag : undefined;
  if (typeof when === 'string' && !flags.includes(when)) {
    findings.push({
      path: ['context', 'when', 'flag'],
      found: JSON.stringify(when),
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
