import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { BackstayError } from '../../errors/index.ts';
import { deferSeldomModules } from './lazy-sdk.ts';

/** How the Automation API calls the CLI; internal to its class, and stable since 3.110. */
type Run = (
  args: string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
  onOutput?: (text: string) => void,
  onError?: (text: string) => void,
  signal?: AbortSignal,
) => Promise<CommandResult>;

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface Call {
  readonly args: string;
  readonly ms: number;
}

/**
 * The CLI at a path (and of a version, where it is known: asking costs a process) as the Automation API wants it, without the calls that cost a process start each and tell an update
 * nothing: selecting the stack (every call names it), outputs (the program has none) and history (the events say more).
 */
export async function commandAt(
  path: string,
  known?: string,
): Promise<{ readonly command: PulumiCommand; readonly calls: readonly Call[]; readonly run: Run }> {
  deferSeldomModules();
  const [{ PulumiCommand: Command }, version] = await Promise.all([
    import('@pulumi/pulumi/automation/index.js'),
    versionOf(path, known),
  ]);
  const calls: Call[] = [];
  // The constructor is private and `get` finds a CLI only as ROOT/bin/pulumi.
  const whole = Object.assign(Object.create(Command.prototype) as { run: Run }, { command: path, version });
  const timed: Run = async (args, ...rest) => {
    const began = performance.now();
    try {
      return await Command.prototype['run' as 'constructor'].call(whole, args, ...rest);
    } finally {
      calls.push({ args: args.slice(0, 2).join(' '), ms: performance.now() - began });
    }
  };
  const run: Run = async (args, ...rest) => {
    const answer = ANSWERS[args.slice(0, 2).join(' ')];
    return answer === undefined ? await timed(args, ...rest) : { stdout: answer, stderr: '', code: 0 };
  };
  return { command: Object.assign(whole, { run }) as unknown as PulumiCommand, calls, run: timed };
}

/** What the calls that are left out would print for a stack without outputs and history. */
const ANSWERS: Readonly<Record<string, string>> = { 'stack select': '', 'stack output': '{}', 'stack history': '[]' };

const versions = new Map<string, Promise<string>>();

async function versionOf(path: string, known: string | undefined): Promise<object> {
  const asked =
    (known === undefined ? versions.get(path) : Promise.resolve(known)) ??
    promisify(execFile)(path, ['version'], { env: { PULUMI_SKIP_UPDATE_CHECK: 'true' } }).then(({ stdout }) =>
      stdout.trim(),
    );
  versions.set(path, asked);
  try {
    const { SemVer } = await import('semver');
    return new SemVer(await asked);
  } catch (cause) {
    versions.delete(path);
    throw new BackstayError('TOOL_MISSING', `The Pulumi CLI at ${path} cannot be run.`, { cause });
  }
}
