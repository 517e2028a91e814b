import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { buildRecipe } from './build.ts';
import { ToolCache, cacheRoot } from './cache.ts';
import type { Catalogue, RecipeSpec, ToolSpec } from './catalogue.ts';
import { download } from './download.ts';
import { findOutside, probeOf } from './find.ts';
import { withLock } from './lock.ts';
import type { FoundTool, ToolOptions, ToolProgress, ToolStatus } from './types.ts';
import { probeVersion } from './versions.ts';

interface Job {
  readonly catalogue: Catalogue;
  readonly options: ToolOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cache: ToolCache;
  readonly unreachable: Map<string, string>;
  readonly report: (progress: ToolProgress) => void;
}

/**
 * Finds every named tool or obtains it: variable, PATH, cache, official download, build. Builds run one after another, in
 * the catalogue's order. Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function ensureFrom(
  catalogue: Catalogue,
  names: readonly string[],
  options: ToolOptions,
): Promise<ReadonlyMap<string, FoundTool>> {
  const job = jobOf(catalogue, options);
  const found = new Map<string, FoundTool>();
  for (const recipe of catalogue.recipes) {
    const tools = names.map((name) => specOf(catalogue, name)).filter((tool) => tool.recipe === recipe.name);
    const missing: ToolSpec[] = [];
    for (const tool of new Set(tools)) {
      const there = (await findOutside(tool, job.env, job.cache.versionMemos)) ?? (await findCached(job, tool));
      if (there === undefined) missing.push(tool);
      else found.set(tool.name, there);
    }
    if (missing.length > 0) await obtain(job, recipe, missing, found);
  }
  return found;
}

/** What there is of each tool, without fetching, building or repairing anything. */
export async function listFrom(catalogue: Catalogue, options: ToolOptions): Promise<readonly ToolStatus[]> {
  const job = jobOf(catalogue, options);
  const list: ToolStatus[] = [];
  for (const tool of catalogue.tools) list.push(await statusOf(job, tool));
  return list;
}

async function statusOf(job: Job, tool: ToolSpec): Promise<ToolStatus> {
  const absent = { name: tool.name, version: tool.version };
  try {
    const outside = await findOutside(tool, job.env, job.cache.versionMemos);
    if (outside !== undefined) return { state: 'found', ...outside };
  } catch (error) {
    if (!(error instanceof BackstayError)) throw error;
    return { ...absent, state: 'missing', reason: error.message };
  }
  const entry = await job.cache.entry(job.catalogue, tool);
  const cached = await job.cache.find(entry, tool.name, job.options.verify ?? false);
  if (cached.state === 'found') return { state: 'found', ...cached.tool };
  if (cached.state === 'damaged') return { ...absent, state: 'damaged', reason: cached.reason };
  return { ...absent, state: 'missing', reason: 'not fetched yet' };
}

function jobOf(catalogue: Catalogue, options: ToolOptions): Job {
  return {
    catalogue,
    options,
    env: options.env ?? process.env,
    cache: new ToolCache(cacheRoot(options)),
    unreachable: new Map(),
    report: (progress) => options.onProgress?.(progress),
  };
}

function specOf(catalogue: Catalogue, name: string): ToolSpec {
  const tool = catalogue.tools.find((candidate) => candidate.name === name);
  if (tool !== undefined) return tool;
  const known = catalogue.tools.map((candidate) => candidate.name).join(', ');
  throw new BackstayError('TOOL_MISSING', `${name} is not a tool that Backstay uses`, { next: `Known are ${known}.` });
}

async function findCached(job: Job, tool: ToolSpec): Promise<FoundTool | undefined> {
  const entry = await job.cache.entry(job.catalogue, tool);
  const answer = await job.cache.find(entry, tool.name, job.options.verify ?? false);
  if (answer.state === 'found') return answer.tool;
  if (answer.state === 'damaged') {
    job.report({
      tool: tool.name,
      stage: 'find',
      message: `the cached ${tool.name} is damaged (${answer.reason}); making it again`,
    });
  }
  return undefined;
}

/** Under the recipe's lock: what another process finished meanwhile, else downloads, else one build for all that is left. */
async function obtain(
  job: Job,
  recipe: RecipeSpec,
  tools: readonly ToolSpec[],
  found: Map<string, FoundTool>,
): Promise<void> {
  const names = tools.map((tool) => tool.name).join(', ');
  const { signal } = job.options;
  const onWait = (says: string) => {
    const message = says === '' ? 'another process is at work on it' : `another process: ${says}`;
    job.report({ tool: names, stage: 'find', message });
  };
  const lock = `${job.cache.root}\n${recipe.name}`;
  await withLock(lock, { onWait, ...(signal === undefined ? {} : { signal }) }, async (tell) => {
    const telling: Job = {
      ...job,
      report: (progress) => {
        tell(progress.message);
        job.report(progress);
      },
    };
    const left: ToolSpec[] = [];
    for (const tool of tools) {
      const there = (await findCached(job, tool)) ?? (await fetchOfficial(telling, recipe, tool));
      if (there === undefined) left.push(tool);
      else found.set(tool.name, there);
    }
    if (left.length > 0) await buildAndPublish(telling, recipe, left, found);
  });
}

async function fetchOfficial(job: Job, recipe: RecipeSpec, tool: ToolSpec): Promise<FoundTool | undefined> {
  if (tool.download === undefined || isOffline(job)) return undefined;
  const report = (message: string, fraction?: number) =>
    job.report({ tool: tool.name, stage: 'download', message, ...(fraction === undefined ? {} : { fraction }) });
  const staging = await job.cache.workFolder(recipe.name);
  try {
    report('asking for the official program');
    const { signal } = job.options;
    const answer = await download({
      tool,
      spec: tool.download,
      staging,
      env: job.env,
      unreachable: job.unreachable,
      onProgress: ({ message, fraction }) => report(message, fraction),
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.state === 'refused') {
      report(`no download: ${answer.reason}`);
      return undefined;
    }
    const version = await probeVersion(join(staging, answer.program), probeOf(tool, job.env));
    if (version === undefined) {
      report('no download: the official program does not run on this machine');
      return undefined;
    }
    return await publish(job, tool, staging, { version, madeBy: 'downloaded', program: answer.program });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function buildAndPublish(
  job: Job,
  recipe: RecipeSpec,
  tools: readonly ToolSpec[],
  found: Map<string, FoundTool>,
): Promise<void> {
  const names = tools.map((tool) => tool.name).join(', ');
  const work = await job.cache.workFolder(recipe.name);
  try {
    const { signal } = job.options;
    const programs = await buildRecipe({
      recipe,
      tools,
      work,
      env: job.env,
      offline: isOffline(job),
      onProgress: (progress) => job.report({ tool: names, stage: 'build', ...progress }),
      ...(signal === undefined ? {} : { signal }),
    });
    for (const tool of tools) {
      const built = programs.get(tool.name)!;
      const version = await probeVersion(built, probeOf(tool, job.env));
      if (version === undefined) {
        throw new BackstayError('TOOL_BUILD_FAILED', `${tool.name} was built and does not run on this machine`);
      }
      const staging = join(work, `${tool.name}.entry`);
      await mkdir(join(staging, 'bin'), { recursive: true });
      const program = join('bin', tool.name);
      await rename(built, join(staging, program));
      found.set(tool.name, await publish(job, tool, staging, { version, madeBy: 'built', program }));
    }
  } finally {
    job.report({ tool: names, stage: 'publish', message: 'clearing up' });
    await rm(work, { recursive: true, force: true });
  }
}

/** Makes a staged folder the cache's entry of a tool. `program` is relative to it. */
async function publish(
  job: Job,
  tool: ToolSpec,
  staging: string,
  what: { readonly version: string; readonly madeBy: 'built' | 'downloaded'; readonly program: string },
): Promise<FoundTool> {
  job.report({ tool: tool.name, stage: 'publish', message: `checking in ${tool.name} ${what.version}`, fraction: 1 });
  const entry = await job.cache.entry(job.catalogue, tool);
  await job.cache.publish(entry, staging, { tool: tool.name, ...what });
  const answer = await job.cache.find(entry, tool.name, false);
  if (answer.state === 'found') return { ...answer.tool, origin: what.madeBy };
  throw new BackstayError('TOOL_BUILD_FAILED', `${tool.name} cannot be read back from ${entry}`, {
    next: 'Check that the cache folder is on a disk that works, or name another with BACKSTAY_CACHE_DIR.',
  });
}

/** BACKSTAY_OFFLINE: no downloads, and builds only from modules that are already on this machine. */
function isOffline(job: Job): boolean {
  return (job.env['BACKSTAY_OFFLINE'] ?? '') !== '';
}
