import { BackstayError } from '../../errors/index.ts';
import type { DatabaseAddress, MigrationPlace } from '../../ports/index.ts';
import { hidden } from './output.ts';

export interface RunOptions {
  readonly where: MigrationPlace;
  readonly timeoutMs: number;
  /** What is told to be missing where it is. @default the command's first word */
  readonly program?: string;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Passwords that the program may have written down. */
  readonly secrets: readonly string[];
}

/** With what must not be shown of it. */
export function withSecrets(
  result: Omit<RunResult, 'secrets'>,
  { password }: Pick<DatabaseAddress, 'password'>,
): RunResult {
  return { ...result, secrets: password === undefined ? [] : [password] };
}

/**
 * Where a migration tool runs, with the address of the database in its environment. Never throws for an exit code.
 * Errors: TOOL_MISSING when the program is not there, EXEC_UNAVAILABLE, TIMEOUT.
 */
export interface Runner {
  readonly kind: 'local' | 'pod';
  run(command: readonly string[], options: RunOptions): Promise<RunResult>;
}

/** What a tool is told of its database by its environment: the same names here and in a pod. */
export interface Wanted {
  /** Variable of the address. */
  readonly variable: string;
  /** How an address is written there. */
  readonly form: AddressForm;
}

export interface AddressForm {
  readonly url: (address: DatabaseAddress) => string;
  /** Beside the address, such as `FLYWAY_PASSWORD`. */
  readonly beside: (address: DatabaseAddress) => Readonly<Record<string, string | undefined>>;
  /** Appended to the query of an address that a pod brings along. */
  readonly query: string;
}

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** @throws TOOL_MISSING for the exit codes by which shells and runtimes say that there is no such program. */
export function assertThere(
  { exitCode, stderr, secrets }: RunResult,
  program: string,
  place: string,
  next: string,
): void {
  if (exitCode !== NOT_FOUND && exitCode !== NOT_EXECUTABLE) return;
  throw new BackstayError('TOOL_MISSING', `${program} cannot be run ${place}.`, {
    next,
    details: { program, output: hidden(stderr.trim(), secrets).slice(-1000) },
  });
}

/** Files of a folder beside the tool: here, or in its pod. */
export interface ScriptFile {
  readonly name: string;
  readonly text: string;
}

const LIST = 'cd "$1" && for f in *; do if [ -f "$f" ]; then printf "%s\\n" "$f"; fi; done';
const READ = 'wc -c <"$1" && cat "$1"';

export async function listScripts(runner: Runner, folder: string, where: MigrationPlace): Promise<readonly string[]> {
  const { stdout } = await shell(runner, LIST, folder, where);
  return stdout.split('\n').filter((name) => name !== '');
}

/** Whole, or not at all: the way out of a pod may cut what is long, and half a script must not be run. */
export async function readScript(runner: Runner, folder: string, name: string, where: MigrationPlace): Promise<string> {
  const path = `${folder}/${name}`;
  const { stdout } = await shell(runner, READ, path, where);
  const end = stdout.indexOf('\n');
  const text = stdout.slice(end + 1);
  const bytes = Number(stdout.slice(0, end).trim());
  if (end > 0 && Buffer.byteLength(text) === bytes) return text;
  throw new BackstayError(
    'MIGRATION_REFUSED',
    `${path} could not be read whole: ${bytes} bytes, and not all arrived.`,
    {
      next: 'Split it, or run the migrations on this machine.',
    },
  );
}

async function shell(runner: Runner, script: string, path: string, where: MigrationPlace): Promise<RunResult> {
  const command = ['sh', '-c', script, 'sh', path];
  const result = await runner.run(command, { where, timeoutMs: 60_000 });
  if (result.exitCode === 0) return result;
  throw new BackstayError('MIGRATION_REFUSED', `${path} cannot be read: ${result.stderr.trim()}`, {
    next: 'Correct the folder in the stack file (migrations.undo, or runs.folder).',
  });
}
