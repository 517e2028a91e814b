import { BackstayError } from '../../src/errors/index.ts';
import type { PlanOptions, Scope } from '../../src/model/index.ts';

type Variables = Readonly<Record<string, string | undefined>>;

export interface Inputs {
  readonly environment: string;
  readonly server: string;
  readonly stack: string;
  readonly audience: string;
  readonly target: string;
  readonly scope: Scope;
  readonly options: Partial<PlanOptions>;
  readonly dryRun: boolean;
  readonly wait: boolean;
}

/** The original workflow's names. */
const TYPES = ['application', 'database', 'infrastructure'] as const;

/** What the workflow says, by the environment variables in which the runner gives it. @throws USAGE naming the input */
export function readInputs(env: Variables): Inputs {
  const input = (name: string): string | undefined => {
    const value = env[`INPUT_${name.toUpperCase()}`]?.trim();
    return value === '' ? undefined : value;
  };
  const needed = (name: string): string => {
    const value = input(name);
    if (value === undefined) throw new BackstayError('USAGE', `The input ${name} is missing.`);
    return value;
  };
  const environment = needed('environment');
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(environment))
    throw new BackstayError('USAGE', `environment "${environment}" is no name of an environment.`);
  const said = input('rollback_type') ?? 'application';
  const type = TYPES.find((one) => one === said);
  if (type === undefined)
    throw new BackstayError('USAGE', `rollback_type "${said}" is not one of ${TYPES.join(', ')}.`);
  const backup = input('backup');
  if (backup !== undefined && type !== 'database')
    throw new BackstayError('USAGE', 'backup goes with rollback_type database.');
  const [severity, incident] = [input('severity'), input('incident')];
  return {
    environment,
    server: chosen('server', needed('server'), environment),
    stack: chosen('stack', input('stack') ?? environment, environment),
    audience: input('audience') ?? `backstay-${environment}`,
    target: input('target_revision') ?? 'known-good',
    scope: { kind: type },
    options: {
      reason: input('reason') ?? usualReason(env),
      ...(severity === undefined ? {} : { severity }),
      ...(incident === undefined ? {} : { incident }),
      ...(backup === undefined ? {} : { data: { restore: backupsOf(backup) } }),
    },
    dryRun: flag('dry_run', input('dry_run') ?? 'false'),
    wait: flag('wait', input('wait') ?? 'true'),
  };
}

/** One value for all, or the line of the environment: what is meant for one never serves another. */
function chosen(name: string, given: string, environment: string): string {
  const lines = given
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const pairs = lines.map((line) => /^([\w.-]+)\s*=\s*(\S.*)$/.exec(line));
  const [only] = lines;
  if (lines.length === 1 && only !== undefined && pairs[0] === null) return only;
  if (pairs.includes(null))
    throw new BackstayError('USAGE', `${name} is neither one value nor a line ENVIRONMENT=VALUE for each.`);
  const found = pairs.filter((pair) => pair?.[1] === environment);
  const [, , value] = found[0] ?? [];
  if (found.length === 1 && value !== undefined) return value;
  throw new BackstayError('USAGE', `${name} has ${found.length} lines for ${environment}; it takes one.`);
}

function backupsOf(given: string): Readonly<Record<string, string>> {
  const pairs = given.split(',').map((pair) => /^\s*([\w.-]+)=(\S+)\s*$/.exec(pair));
  if (pairs.includes(null)) throw new BackstayError('USAGE', `backup "${given}" is not STORE=BACKUP with commas.`);
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
}

function flag(name: string, given: string): boolean {
  if (given === 'true' || given === 'false') return given === 'true';
  throw new BackstayError('USAGE', `${name} "${given}" is neither true nor false.`);
}

function usualReason(env: Variables): string {
  const { GITHUB_ACTOR: actor = 'somebody', GITHUB_WORKFLOW: workflow = 'a workflow', GITHUB_REPOSITORY: of } = env;
  return `${workflow}${of === undefined ? '' : ` of ${of}`}, started by ${actor}`;
}
