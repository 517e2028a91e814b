import { CATALOGUE } from './catalogue.ts';
import { ensureFrom, listFrom } from './ensure.ts';
import type { FoundTool, ToolName, ToolOptions, ToolStatus } from './types.ts';

export { findPostgresClient } from './postgres-client.ts';
export { progressPrinter } from './progress.ts';
export {
  type FoundTool,
  TOOL_NAMES,
  type ToolName,
  type ToolOptions,
  type ToolProgress,
  type ToolStatus,
} from './types.ts';

/** One tool, found or obtained. Errors: TOOL_MISSING, TOOL_BUILD_FAILED. */
export async function findTool(name: ToolName, options: ToolOptions = {}): Promise<FoundTool> {
  return (await ensureTools([name], options))[name];
}

/** Several tools; those of one recipe are built together, recipes one after another. Errors: as `findTool`. */
export async function ensureTools<N extends ToolName>(
  names: readonly N[],
  options: ToolOptions = {},
): Promise<Record<N, FoundTool>> {
  const found = await ensureFrom(CATALOGUE, names, options);
  return Object.fromEntries(found) as Record<N, FoundTool>;
}

/** What there is of every tool. Never downloads, builds or repairs. */
export async function listTools(options: ToolOptions = {}): Promise<readonly ToolStatus[]> {
  return await listFrom(CATALOGUE, options);
}
