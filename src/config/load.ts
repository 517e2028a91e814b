import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { BackstayError, didYouMean } from '../errors/index.ts';
import type { Stack } from '../model/index.ts';
import { compileStack } from './compile.ts';
import { crossCheck } from './cross-checks.ts';
import { type Environment, readEnvironment, type Variables } from './environment.ts';
import { settingsJsonSchema } from './json-schema.ts';
import { defaultKeyFolder, readPublicKeys } from './key-folder.ts';
import { expandPath } from './paths.ts';
import { type Finding, findingsOf, invalid, placed, type Problem } from './problems.ts';
import { PREFIX, type RawSettings, settingsSchema } from './schema.ts';
import { parseSource, type SourceFile } from './source.ts';

export interface LoadOptions {
  readonly projectDir: string;
  readonly env: Variables;
}

const STACK_FILE = /^Pulumi\.(.+)\.ya?ml$/;

/** Names of the stacks that have a file in `stacks/`, sorted. No folder, no stacks. */
export async function listStacks(projectDir: string): Promise<readonly string[]> {
  return [...(await stackFiles(projectDir)).keys()].toSorted();
}

/**
 * Reads, checks and compiles `stacks/Pulumi.<name>.yaml`.
 * Errors: STACK_UNKNOWN (lists what there is); STACK_INVALID, once, with every problem in `details.problems`.
 */
export async function loadStack(name: string, options: LoadOptions): Promise<Stack> {
  const environment = readEnvironment(options.env, options.projectDir);
  const { file, source, settings } = await readSettings(name, options.projectDir);
  const inProject = (path: string): string => expandPath(path, options.projectDir, environment);
  const keyFolder =
    settings.keys === undefined ? defaultKeyFolder(environment, name) : inProject(settings.keys.directory);
  const [publicKeys, backend] = await Promise.all([readPublicKeys(keyFolder), projectBackend(options.projectDir)]);
  const secretsProvider = (source.value as { readonly secretsprovider?: unknown }).secretsprovider;
  return deepFreeze(
    compileStack(settings, {
      name,
      file,
      projectDir: options.projectDir,
      environment,
      keyFolder,
      publicKeys,
      pulumi: {
        ...(backend === undefined ? {} : { backend }),
        ...(typeof secretsProvider === 'string' ? { secretsProvider } : {}),
      },
    }),
  );
}

/** The `backstay:target` of a stack file: where plain `pulumi up` goes. Errors as loadStack. */
export async function readTarget(name: string, options: Pick<LoadOptions, 'projectDir'>): Promise<string | undefined> {
  return (await readSettings(name, options.projectDir)).settings.target;
}

/** Where the keys of a stack are: what `backstay keys init` fills. Errors as loadStack. */
export async function keyFolderOf(name: string, options: LoadOptions): Promise<string> {
  const environment: Environment = readEnvironment(options.env, options.projectDir);
  const { settings } = await readSettings(name, options.projectDir);
  if (settings.keys === undefined) return defaultKeyFolder(environment, name);
  return expandPath(settings.keys.directory, options.projectDir, environment);
}

async function stackFiles(projectDir: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(projectDir, 'stacks');
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new BackstayError('STACK_UNKNOWN', `The folder ${folder} cannot be read.`, { cause: error });
  });
  return new Map(
    names.flatMap((file) => STACK_FILE.exec(file)?.[1] ?? []).map((stack) => [stack, fileIn(folder, stack, names)]),
  );
}

function fileIn(folder: string, stack: string, names: readonly string[]): string {
  return join(folder, names.includes(`Pulumi.${stack}.yaml`) ? `Pulumi.${stack}.yaml` : `Pulumi.${stack}.yml`);
}

async function readSettings(
  name: string,
  projectDir: string,
): Promise<{ readonly file: string; readonly source: SourceFile; readonly settings: RawSettings }> {
  const files = await stackFiles(projectDir);
  const file = files.get(name);
  if (file === undefined) throw unknownStack(name, [...files.keys()].toSorted(), projectDir);
  const source = parseSource(await readFile(file, 'utf8'));
  if (source.faults.length > 0) {
    throw invalid(
      file,
      source.faults.map(
        ({ place, message }): Problem => ({ ...place, path: '', found: message, expected: 'valid YAML' }),
      ),
    );
  }
  const { settings, findings } = check(source.value);
  if (settings === undefined) {
    throw invalid(
      file,
      placed(findings, source, (path) =>
        path.length === 0 ? ['config'] : ['config', `${PREFIX}${String(path[0])}`, ...path.slice(1)],
      ),
    );
  }
  return { file, source, settings };
}

function check(value: unknown): { readonly settings?: RawSettings; readonly findings: readonly Finding[] } {
  const config =
    typeof value === 'object' && value !== null ? (value as { readonly config?: unknown }).config : undefined;
  const entries = typeof config === 'object' && config !== null ? Object.entries(config) : [];
  const ours = entries.flatMap(([key, entry]) =>
    key.startsWith(PREFIX) ? [[key.slice(PREFIX.length), entry] as const] : [],
  );
  // What Pulumi encrypted cannot be read without the engine: each such value is one finding, and not also of the wrong type.
  const encrypted = ours.filter(([, entry]) => isEncrypted(entry));
  const raw = Object.fromEntries(ours);
  const result = settingsSchema.safeParse(raw);
  const others = result.success ? [] : findingsOf(result.error.issues, raw, settingsJsonSchema());
  const findings = [
    ...encrypted.map(
      ([key]): Finding => ({
        path: [key],
        found: 'a value encrypted by Pulumi',
        expected: 'a plain setting; name secrets as {env: NAME} or {file: PATH}',
      }),
    ),
    ...others.filter(({ path }) => !encrypted.some(([key]) => key === path[0])).map(withPrefix),
    ...crossCheck(raw),
  ];
  return result.success && findings.length === 0 ? { settings: result.data, findings } : { findings };
}

/** At the top level people see and type the prefix. */
function withPrefix(finding: Finding): Finding {
  if (finding.path.length !== 1 || finding.of !== 'key') return finding;
  const known = Object.keys(settingsSchema.shape).map((key) => PREFIX + key);
  const hint = finding.hint === undefined ? {} : { hint: PREFIX + finding.hint };
  return {
    ...finding,
    found: `the unknown key ${PREFIX}${String(finding.path[0])}`,
    expected: `one of ${known.join(', ')}`,
    ...hint,
  };
}

function isEncrypted(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'secure';
}

function unknownStack(name: string, stacks: readonly string[], projectDir: string): BackstayError {
  const near = didYouMean(name, stacks);
  const folder = join(projectDir, 'stacks');
  const there = stacks.length === 0 ? `There are no stack files in ${folder}.` : `There are: ${stacks.join(', ')}.`;
  const advice = near === undefined ? '' : ` Did you mean ${near}?`;
  return new BackstayError(
    'STACK_UNKNOWN',
    `There is no stack ${name} (no ${join(folder, `Pulumi.${name}.yaml`)}). ${there}${advice}`,
    {
      details: { stacks, ...(near === undefined ? {} : { didYouMean: near }) },
    },
  );
}

async function projectBackend(projectDir: string): Promise<string | undefined> {
  const file = join(projectDir, 'Pulumi.yaml');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const project = parse(text) as { readonly backend?: { readonly url?: unknown } } | null;
    return typeof project?.backend?.url === 'string' ? project.backend.url : undefined;
  } catch (cause) {
    throw new BackstayError('STACK_INVALID', `${file} is not valid YAML`, { at: { file }, cause });
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
