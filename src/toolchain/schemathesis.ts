import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBundle, writePrograms } from './bundle.ts';
import { unpackFromPypi } from './pypi.ts';
import type { ToolOptions } from './types.ts';

const VERSION = '4.32.5';
const REQUIREMENTS = fileURLToPath(new URL('recipes/schemathesis/requirements.txt', import.meta.url));

/** Without what this machine's own Python loads at its start: some of that changes files of packages, and the cache wants them as published. */
const PROGRAM = `#!/bin/sh
PYTHONPATH="$(dirname -- "$(readlink -f -- "$0")")/../packages"
export PYTHONPATH
exec python3 -S -c 'from schemathesis.cli import schemathesis; schemathesis()' "$@"
`;

/** Asks an API whatever its description allows, and what it does not: for the tests. Errors: TOOL_MISSING, TOOL_BUILD_FAILED. */
export async function findSchemathesis(options: ToolOptions = {}): Promise<string> {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const program = join('bin', 'schemathesis');
  const entry = await ensureBundle(
    {
      name: 'schemathesis',
      version: VERSION,
      pins: requirements + PROGRAM,
      program,
      make: async (staging, work) => {
        const packages = join(staging, 'packages');
        await unpackFromPypi({ tool: 'schemathesis', packages, requirements: REQUIREMENTS }, work);
        await writePrograms(staging, { schemathesis: PROGRAM });
      },
    },
    options,
  );
  return join(entry, program);
}
