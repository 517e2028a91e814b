import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Stack as PulumiStack, UpOptions } from '@pulumi/pulumi/automation/index.js';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { ObjectKey, Stack } from '../../model/index.ts';
import type { Cluster, Engine, EngineResult, EngineUpdate } from '../../ports/index.ts';
import type { Outcome, RunningProvider } from '../../provider/index.ts';
import { commandAt } from './command.ts';
import { damageIn, mend, type StateFiles, stateFilesOf } from './damaged.ts';
import { collectEvents } from './events.ts';
import { resultOf } from './result.ts';
import { type Cli, lockHolders, recover } from './stale-lock.ts';
import { makeWorkspace, type Workspace } from './workspace.ts';

export interface PulumiEngineOptions {
  readonly stack: Stack;
  readonly cluster: Cluster;
  /** The CLI. */
  readonly pulumiPath: string;
  /** Its version, where it is known. */
  readonly pulumiVersion?: string;
  /** Name of the Pulumi project: part of every URN. */
  readonly projectName: string;
  /** Folder for Pulumi's own files and for each run's workspace. */
  readonly stateDir: string;
  readonly passphrase: () => Promise<string>;
  /** What the CLI gets beside our settings: PATH, HOME, credentials of cloud backends and of the official plugin. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The Pulumi engine through the Automation API, with an inline program and, unless the stack asks for the official plugin,
 * the in-process provider. Objects that fail are in the result; ENGINE_FAILED is thrown when no update came about at all,
 * CANCELLED when the signal fired, TOOL_MISSING when the CLI cannot be run.
 */
export function createPulumiEngine(options: PulumiEngineOptions): Engine {
  return {
    preview: (update) => run('preview', options, update),
    up: (update) => run('up', options, update),
  };
}

type Verb = 'preview' | 'up';

async function run(verb: Verb, options: PulumiEngineOptions, update: EngineUpdate): Promise<EngineResult> {
  const { stack } = options;
  const workspace = await makeWorkspace(stack, options.projectName, join(options.stateDir, 'engine'));
  try {
    if (verb === 'preview' || !stack.engine.savedPlan) return await carry(verb, options, update, workspace);
    // Foreseen a moment before, everything being quiet by now: what would come out otherwise Pulumi itself refuses.
    const plan = join(workspace.dir, 'plan.json');
    const foreseen = await carry('preview', options, update, workspace, plan);
    return foreseen.failed.length > 0 ? foreseen : await carry('up', options, update, workspace, plan);
  } finally {
    await workspace.remove();
  }
}

/** One call of the engine, with a provider of its own: the engine cancels a provider when a call ends. */
async function carry(
  verb: Verb,
  options: PulumiEngineOptions,
  update: EngineUpdate,
  workspace: Workspace,
  plan?: string,
): Promise<EngineResult> {
  const began = performance.now();
  const { stack, cluster } = options;
  const { startProvider } = await import('../../provider/index.ts');
  const own = stack.engine.provider === 'backstay';
  const [provider, { uid }] = await Promise.all([
    startProvider({
      cluster,
      permit: update.permit,
      foreign: stack.foreign,
      readyTimeoutMs: update.readyTimeoutMs,
      onProgress: update.onProgress,
      signal: update.signal,
    }),
    cluster.identity(),
  ]);
  try {
    const { pulumi, calls, cli } = await openStack(options, workspace, own ? provider : undefined, () =>
      program(update, uid),
    );
    const events = collectEvents();
    const settings: UpOptions = {
      color: 'never',
      onEvent: events.take,
      ...(update.signal === undefined ? {} : { signal: update.signal }),
      ...(plan === undefined ? {} : { plan }),
      ...(own ? {} : await scopeOf(update, options)),
    };
    // With the official plugin the state is more than an index: it alone knows what was made.
    const files = own ? stateFilesOf(stack, options.projectName) : undefined;
    const error = await settled(verb, pulumi, settings, cli, workspace, files);
    if (update.signal?.aborted === true) throw cancelled(stack.name, update.signal);
    const outcomes: ReadonlyMap<ObjectKey, Outcome> = own ? provider.outcomes : new Map();
    const totalMs = performance.now() - began;
    const result = resultOf({ observed: events.observed, outcomes, calls, totalMs });
    // Without a summary the engine did not come to an end of its own, whatever it had done by then.
    const ended = events.observed.summaryMs !== undefined;
    if (error !== undefined && (result.failed.length === 0 || !ended))
      throw engineFailed(stack.name, events.observed.errors, error);
    return result;
  } finally {
    await provider.close();
  }
}

async function program(update: EngineUpdate, clusterUid: string): Promise<void> {
  const { registerObjects } = await import('../../program/register.ts');
  const { objects, order } = update;
  await registerObjects(objects, { clusterUid, ...(order === undefined ? {} : { order }) });
}

/** The Pulumi stack of `options.stack`'s name, with that program and, where one is given, our provider instead of plugins. */
export async function openStack(
  options: Omit<PulumiEngineOptions, 'cluster'>,
  workspace: Workspace,
  provider: Pick<RunningProvider, 'debugProviders'> | undefined,
  inline: () => Promise<void>,
) {
  const { stack, stateDir } = options;
  const pulumiHome = join(stateDir, 'pulumi-home');
  await mkdir(pulumiHome, { recursive: true, mode: 0o700 });
  const [{ command, calls, run: call }, { LocalWorkspace, Stack: Automated }, passphrase] = await Promise.all([
    commandAt(options.pulumiPath, options.pulumiVersion),
    import('@pulumi/pulumi/automation/index.js'),
    options.passphrase(),
  ]);
  const envVars: Record<string, string> = {
    ...definedIn(options.env),
    PULUMI_CONFIG_PASSPHRASE: passphrase,
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: 'true',
    // The state is written once, at the end, instead of whole after each object: what is lost when the engine is killed is
    // found live again. With the official plugin, which does not look there, every step is kept.
    ...(stack.engine.savedPlan ? { PULUMI_EXPERIMENTAL: 'true' } : {}),
    ...(provider === undefined ? {} : { PULUMI_EXPERIMENTAL: 'true', PULUMI_SKIP_CHECKPOINTS: 'true' }),
    ...(provider === undefined
      ? await officialAccess(stack, workspace, options.env)
      : { PULUMI_DEBUG_PROVIDERS: provider.debugProviders }),
  };
  const local = await LocalWorkspace.create({
    workDir: workspace.dir,
    pulumiCommand: command,
    pulumiHome,
    program: inline,
    envVars,
    secretsProvider: stack.engine.secretsProvider,
  });
  const pulumi = await Automated.select(stack.name, local);
  const cli: Cli = (args) => call([...args], workspace.dir, { PULUMI_HOME: pulumiHome, ...envVars });
  return { pulumi, calls, cli };
}

/**
 * Runs it, mending once each what can be mended: no stack yet, what a killed run left behind and, where `files` are given,
 * files that were cut in half. Gives back the error that is left, if any.
 */
export async function settled(
  verb: Verb,
  pulumi: PulumiStack,
  settings: UpOptions,
  cli: Cli,
  workspace: Workspace,
  files?: StateFiles,
): Promise<unknown> {
  const mended = new Set<string>();
  for (;;) {
    try {
      await (verb === 'up' ? pulumi.up(settings) : pulumi.preview(settings));
      return undefined;
    } catch (error) {
      if (isBackstayError(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      const holders = lockHolders(message);
      const damage = files === undefined ? undefined : damageIn(message);
      const fault = /no stack named.*found/.test(message) ? 'missing' : holders.length > 0 ? 'locked' : damage;
      if (fault === undefined || mended.has(fault)) return error;
      mended.add(fault);
      if (fault === 'missing') await pulumi.workspace.createStack(pulumi.name);
      else if (files !== undefined && fault !== 'locked') await mend(fault, files);
      else await recover(holders, pulumi.name, workspace.dir, cli);
    }
  }
}

/**
 * The official plugin knows no permit: what may change is named to the engine instead. Objects that the state has and the
 * plan does not name are then neither changed nor deleted.
 */
async function scopeOf(
  update: EngineUpdate,
  { stack, projectName }: PulumiEngineOptions,
): Promise<Pick<UpOptions, 'target'>> {
  const { permit, objects } = update;
  const planned = new Set([...permit.create, ...permit.update, ...permit.replace, ...permit.delete.keys()]);
  const { typeOf } = await import('../../program/register.ts');
  const urn = (type: string, name: string): string => `urn:pulumi:${stack.name}::${projectName}::${type}::${name}`;
  const registered = objects.flatMap((object) => {
    const { key, type } = typeOf(object);
    return planned.has(key) ? [urn(type, key)] : [];
  });
  const removed = [...permit.delete.keys()].map((key) => urn('**', key));
  return { target: [urn('pulumi:providers:kubernetes', 'backstay'), ...registered, ...removed] };
}

/** The plugin finds the cluster by $KUBECONFIG, so that no state holds where or who we are; the first file's context counts. */
async function officialAccess(
  { cluster }: Stack,
  workspace: Workspace,
  env: PulumiEngineOptions['env'],
): Promise<Readonly<Record<string, string>>> {
  const files = [cluster.kubeconfig ?? env['KUBECONFIG'] ?? join(env['HOME'] ?? '', '.kube', 'config')];
  if (cluster.context !== undefined) {
    const chosen = join(workspace.dir, 'context.json');
    const config = { apiVersion: 'v1', kind: 'Config', 'current-context': cluster.context };
    await writeFile(chosen, JSON.stringify(config), { mode: 0o600 });
    files.unshift(chosen);
  }
  return { KUBECONFIG: files.join(delimiter) };
}

function definedIn(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function cancelled(stack: string, signal: AbortSignal): BackstayError {
  return new BackstayError(
    'CANCELLED',
    `The update of ${stack} was stopped; objects that were being written are finished.`,
    { cause: signal.reason },
  );
}

export function engineFailed(stack: string, errors: readonly string[], cause: unknown): BackstayError {
  const said = errors.length > 0 ? errors.join('\n') : firstLines(cause);
  return new BackstayError('ENGINE_FAILED', `Pulumi could not update ${stack}: ${said}`, {
    cause,
    details: { errors },
  });
}

/** The CLI's own words without the program's output. */
function firstLines(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const stderr = /stderr: ([\s\S]*?)(?:\nerr\?:|$)/.exec(text)?.[1] ?? text;
  return stderr.trim().split('\n').slice(0, 8).join('\n');
}
