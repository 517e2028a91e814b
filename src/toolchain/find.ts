import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import type { ToolSpec } from './catalogue.ts';
import type { FoundTool, ToolOrigin } from './types.ts';
import { knownVersion } from './versions.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Looks for a tool outside our cache: named by its variable, in KUBEBUILDER_ASSETS, on PATH. What lies around and will
 * not do is passed over; what the user named must do. Error: TOOL_MISSING naming the variable.
 */
export async function findOutside(tool: ToolSpec, env: Env, memoDir: string): Promise<FoundTool | undefined> {
  const named = env[tool.variable];
  if (named !== undefined && named !== '') return await findNamed(tool, named, env, memoDir);
  const assets = env['KUBEBUILDER_ASSETS'];
  if (tool.inAssets && assets !== undefined && assets !== '') {
    const found = await lookAt(tool, join(assets, tool.name), 'assets', env, memoDir);
    if (found !== undefined) return found;
  }
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    // An entry that is not absolute depends on where one happens to stand.
    if (!isAbsolute(folder)) continue;
    const found = await lookAt(tool, join(folder, tool.name), 'path', env, memoDir);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function findNamed(tool: ToolSpec, named: string, env: Env, memoDir: string): Promise<FoundTool> {
  const path = resolve(named);
  const sizeBytes = await programSize(path);
  const next = `Correct ${tool.variable}, or unset it to let Backstay find ${tool.name} itself.`;
  if (sizeBytes === undefined) {
    throw new BackstayError('TOOL_MISSING', `${tool.variable} names ${path}, which is not a program`, { next });
  }
  const version = await knownVersion(path, probeOf(tool, env), memoDir);
  if (version === undefined || !tool.willDoNamed(version)) {
    const said = version === undefined ? 'does not say its version' : `is version ${version}`;
    throw new BackstayError('TOOL_MISSING', `${tool.variable} names ${path}, which ${said}; wanted is ${tool.wanted}`, {
      next,
    });
  }
  return { name: tool.name, path, version, origin: 'named', sizeBytes };
}

async function lookAt(
  tool: ToolSpec,
  path: string,
  origin: ToolOrigin,
  env: Env,
  memoDir: string,
): Promise<FoundTool | undefined> {
  const sizeBytes = await programSize(path);
  if (sizeBytes === undefined) return undefined;
  const version = await knownVersion(path, probeOf(tool, env), memoDir);
  if (version === undefined || !tool.willDo(version)) return undefined;
  return { name: tool.name, path, version, origin, sizeBytes };
}

export function probeOf(tool: ToolSpec, env: Env): { args: readonly string[]; pattern: RegExp; env: Env } {
  return { args: tool.versionArgs, pattern: tool.versionPattern, env };
}

/** Bytes. Undefined for what is not there, not a file, or not executable by us. */
export async function programSize(path: string): Promise<number | undefined> {
  try {
    await access(path, constants.X_OK);
    const seen = await stat(path);
    return seen.isFile() ? seen.size : undefined;
  } catch {
    return undefined;
  }
}
