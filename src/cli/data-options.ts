import { BackstayError } from '../errors/index.ts';
import { type DataOptions, type PlanOptions, type Scenario, SCENARIOS } from '../model/index.ts';

type Options = Readonly<Record<string, unknown>>;

/** What was said about data stores; nothing where nothing was. */
export function dataOptionsOf(options: Options): Pick<PlanOptions, 'data'> {
  const scenario = textIn(options, 'scenario');
  const restore = textIn(options, 'restore');
  const restoreAll = textIn(options, 'restoreAll');
  const accept = textIn(options, 'acceptDataLoss');
  const data: DataOptions = {
    ...(scenario === undefined ? {} : { scenario: scenarioOf(scenario) }),
    ...(restore === undefined ? {} : { restore: pairsOf(restore, '--restore', 'STORE=BACKUP') }),
    ...(restoreAll === undefined ? {} : { restoreAll }),
    ...(options['skipDatabaseBackup'] === true ? { skipBackup: true as const } : {}),
    ...(accept === undefined ? {} : { acceptLoss: accept.split(',').map(digestText) }),
  };
  return Object.keys(data).length === 0 ? {} : { data };
}

function textIn(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** `B`, or `main=B,audit=A`. */
function scenarioOf(given: string): NonNullable<DataOptions['scenario']> {
  if (!given.includes('=')) return letterOf(given);
  const pairs = pairsOf(given, '--scenario', 'A, B, C or STORE=A');
  return Object.fromEntries(Object.entries(pairs).map(([store, letter]) => [store, letterOf(letter)]));
}

function letterOf(given: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario === given.toUpperCase());
  if (found !== undefined) return found;
  throw new BackstayError('USAGE', `--scenario ${given} is not one of ${SCENARIOS.join(', ')}.`);
}

function pairsOf(given: string, flag: string, form: string): Readonly<Record<string, string>> {
  const pairs = given.split(',').map((part) => {
    const [, name = '', value = ''] = /^\s*([^=\s]+)=(\S+)\s*$/.exec(part) ?? [];
    if (name === '') throw new BackstayError('USAGE', `${flag} "${part}" is not of the form ${form}.`);
    return [name, value] as const;
  });
  if (new Set(pairs.map(([name]) => name)).size < pairs.length)
    throw new BackstayError('USAGE', `${flag} names a store twice.`);
  return Object.fromEntries(pairs);
}

function digestText(given: string): string {
  const text = given.trim();
  if (/^(sha256:)?[0-9a-f]{12,64}$/i.test(text)) return text;
  throw new BackstayError(
    'USAGE',
    `--accept-data-loss "${text}" is not the digest of a report: 12 hexadecimal digits or more.`,
  );
}
