import type { DataOptions, Plan } from '../model/index.ts';

/** The command that plans the same again with other choices about data, for a person to copy. */
export function commandOf(
  { stack, scope, target, options, undoes }: Pick<Plan, 'stack' | 'scope' | 'target' | 'options' | 'undoes'>,
  data: DataOptions,
): string {
  const flag = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [name, quoted(value)];
  const on = (name: string, given: boolean | undefined): string[] => (given === true ? [name] : []);
  const all: DataOptions = { ...options.data, ...data };
  const verb = undoes === undefined ? [options.hold ? 'rollback' : 'apply', stack] : ['undo', undoes];
  const where = undoes === undefined ? [...flag('--to', target.said), '--scope', scopeText(scope)] : [];
  return [
    'backstay',
    ...verb,
    ...where,
    ...flag('--scenario', scenarioText(all.scenario)),
    ...flag('--restore', pairs(all.restore)),
    ...on('--skip-database-backup', all.skipBackup),
    ...flag('--accept-data-loss', all.acceptLoss?.join(',')),
    ...on('--emergency', options.emergency),
    ...on('--skip-validation', options.skipValidation),
    ...flag('--severity', options.severity),
    ...on('--break-glass', options.breakGlass),
    ...flag('--incident', options.incident),
    ...flag('--reason', options.reason),
  ].join(' ');
}

function scopeText(scope: Plan['scope']): string {
  return scope.kind === 'workloads' ? scope.names.join(',') : scope.kind;
}

function scenarioText(scenario: DataOptions['scenario']): string | undefined {
  return typeof scenario === 'object' ? pairs(scenario) : scenario;
}

function pairs(record: Readonly<Record<string, string>> | undefined): string | undefined {
  if (record === undefined) return undefined;
  return Object.entries(record)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}

/** For a shell: as it is where nothing in it means anything there. */
function quoted(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
