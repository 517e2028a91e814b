import { type Trigger, TRIGGERS } from '../actions/require-person.ts';
import { BackstayError } from '../errors/index.ts';
import { type PlanOptions, type Scope, SCOPES } from '../model/index.ts';
import { dataOptionsOf } from './data-options.ts';

type Options = Readonly<Record<string, unknown>>;

/** The value of an option that takes text; the parser gives nothing else for it. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** `full`, `traffic` and the like by name; anything else is names of workloads, with commas. @default full */
export function scopeOf(given: string | undefined): Scope {
  if (given === undefined) return { kind: 'full' };
  const named = SCOPES.find((scope) => scope === given);
  if (named !== undefined) return { kind: named };
  const names = given.split(',').map((name) => name.trim());
  const odd = names.find((name) => !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name));
  if (odd !== undefined) {
    throw new BackstayError(
      'USAGE',
      `--scope "${given}" is neither one of ${SCOPES.join(', ')} nor a list of workload names.`,
    );
  }
  return { kind: 'workloads', names };
}

/** `--to`, or the older `--target-version`; both only when they agree. */
export function targetOf(options: Options): string | undefined {
  const [to, version] = [textOf(options['to']), textOf(options['targetVersion'])];
  if (to !== undefined && version !== undefined && to !== version) {
    throw new BackstayError('USAGE', `--to ${to} and --target-version ${version} name two targets.`);
  }
  return to ?? version;
}

/** Steps that only a flag brings into a plan. */
function forceOf(options: Options): Pick<PlanOptions, 'force'> {
  const replace = textOf(options['forceReplace'])
    ?.split(',')
    .map((name) => name.trim());
  const force = {
    ...(options['forcePods'] === true ? { pods: true as const } : {}),
    ...(options['forceFinalizers'] === true ? { finalizers: true as const } : {}),
    ...(replace === undefined ? {} : { replace }),
  };
  return Object.keys(force).length === 0 ? {} : { force };
}

export function planOptionsOf(options: Options, hold = true): PlanOptions {
  const take = textOf(options['take']);
  const reason = textOf(options['reason']);
  const incident = textOf(options['incident']);
  const severity = textOf(options['severity']);
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
    allowUnknownImages: options['allowUnknownImages'] === true,
    ...(options['allowHeld'] === true ? { allowHeld: true as const } : {}),
    ...dataOptionsOf(options),
    ...forceOf(options),
    ...(severity === undefined ? {} : { severity }),
    ...(options['breakGlass'] === true ? { breakGlass: true as const } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(incident === undefined ? {} : { incident }),
  };
}

/** Who or what asks for a run. */
export function triggerOf(options: Options): Trigger {
  const given = textOf(options['trigger']) ?? 'person';
  const trigger = TRIGGERS.find((one) => one === given);
  if (trigger !== undefined) return trigger;
  throw new BackstayError('USAGE', `--trigger ${given} is not one of ${TRIGGERS.join(', ')}.`);
}

/** The unfinished run to give up, with `--reason` as the reason. */
export function abandonOf(options: Options): { readonly abandon?: { readonly run: string; readonly reason: string } } {
  const [run, reason] = [textOf(options['abandon']), textOf(options['reason'])];
  if (run === undefined) return {};
  if (reason !== undefined && reason.trim() !== '') return { abandon: { run, reason } };
  throw new BackstayError('USAGE', `--abandon ${run} needs --reason: it is journaled in both runs.`);
}

/** `halt` or `return`. @default the stack's policy */
export function onInvalidOf(options: Options): { readonly onInvalid?: 'halt' | 'return' } {
  const given = textOf(options['onInvalid']);
  if (given === undefined) return {};
  if (given === 'halt' || given === 'return') return { onInvalid: given };
  throw new BackstayError('USAGE', `--on-invalid ${given} is neither halt nor return.`);
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `5m`, `1h`, `90d` or plain seconds, as milliseconds. */
export function durationMsOf(given: string | undefined, flag: string): number | undefined {
  if (given === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(given);
  const amount = Number(match?.[1]);
  if (match === null || !(amount > 0))
    throw new BackstayError('USAGE', `${flag} "${given}" is no duration such as 90s or 5m.`);
  return amount * UNITS[(match[2] ?? 's') as keyof typeof UNITS];
}

/** A moment of the past, by the options of these names. */
export function pastAsked(
  options: Readonly<Record<string, unknown>>,
  time: string,
  restorePoint: string,
): { readonly time?: string; readonly restorePoint?: string } {
  const [at, name] = [options[time], options[restorePoint]];
  return {
    ...(typeof at === 'string' ? { time: at } : {}),
    ...(typeof name === 'string' ? { restorePoint: name } : {}),
  };
}
