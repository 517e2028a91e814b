import { structuredPatch } from 'diff';

const CONTEXT_LINES = 3;
/** Beyond so many edited lines a minimal difference costs more than it tells: both texts are then shown whole. */
const MAX_EDITS = 2000;

export function isMultiLine(text: string): boolean {
  return text.includes('\n');
}

/**
 * Unified difference of two texts, line by line, without file headers. Hunks begin with their `@@` line; a missing line
 * break at the end is told as `\ No newline at end of file`, as diff(1) does.
 */
export function unifiedLines(before: string, after: string): readonly string[] {
  const patch = structuredPatch('', '', before, after, undefined, undefined, {
    context: CONTEXT_LINES,
    maxEditLength: MAX_EDITS,
  });
  if (patch === undefined) return [...marked('-', before), ...marked('+', after)];
  return patch.hunks.flatMap((hunk) => [
    `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`,
    ...hunk.lines,
  ]);
}

function marked(mark: '-' | '+', text: string): readonly string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => mark + line);
}
