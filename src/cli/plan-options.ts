import { BackstayError } from '../errors/index.ts';
import { type PlanOptions, type Scope, SCOPES } from '../model/index.ts';

type Options = Readonly<Record<string, unknown>>;

const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value));

/** `full`, `traffic` and the like by name; anything else is names of workloads, with commas. @default full */
export function scopeOf(given: unknown): Scope {
  if (given === undefined) return { kind: 'full' };
  const named = SCOPES.find((scope) => scope === given);
  if (named !== undefined) return { kind: named };
  const names = String(given)
    .split(',')
    .map((name) => name.trim());
  const odd = names.find((name) => !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name));
  if (odd !== undefined) {
    throw new BackstayError(
      'USAGE',
      `--scope "${String(given)}" is neither one of ${SCOPES.join(', ')} nor a list of workload names.`,
    );
  }
  return { kind: 'workloads', names };
}

/** `--to`, or the older `--target-version`; both only when they agree. */
export function targetOf(options: Options): string | undefined {
  const [to, version] = [text(options['to']), text(options['targetVersion'])];
  if (to !== undefined && version !== undefined && to !== version) {
    throw new BackstayError('USAGE', `--to ${to} and --target-version ${version} name two targets.`);
  }
  return to ?? version;
}

export function planOptionsOf(options: Options, hold = true): PlanOptions {
  const take = text(options['take']);
  const reason = text(options['reason']);
  const incident = text(options['incident']);
  return {
    emergency: options['emergency'] === true || options['immediate'] === true,
    skipValidation: options['skipValidation'] === true,
    validateBefore: options['validateBefore'] === true,
    exactReplicas: options['exactReplicas'] === true,
    allowClusterMismatch: options['allowClusterMismatch'] === true,
    allowUnsigned: options['allowUnsigned'] === true,
    takeFrom: take === undefined ? [] : take.split(','),
    deleteProtected: options['deleteProtected'] === true,
    hold,
    ...(reason === undefined ? {} : { reason }),
    ...(incident === undefined ? {} : { incident }),
  };
}

/** `90s`, `5m`, `1h` or plain seconds, as milliseconds. */
export function durationMsOf(given: unknown, flag: string): number | undefined {
  if (given === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(String(given));
  const amount = Number(match?.[1]);
  if (match === null || !(amount > 0))
    throw new BackstayError('USAGE', `${flag} "${String(given)}" is no duration such as 90s or 5m.`);
  return amount * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(match[2] ?? 's') as 'ms' | 's' | 'm' | 'h'];
}
