import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBundle, writePrograms } from './bundle.ts';
import { unpackFromPypi } from './pypi.ts';
import type { ToolOptions } from './types.ts';

const VERSION = '1.20.1';
const REQUIREMENTS = fileURLToPath(new URL('recipes/alembic/requirements.txt', import.meta.url));

/**
 * A virtual environment knows its own place and cannot be moved into the cache; a folder of packages can. The folder may
 * stand first on PATH itself, so the python3 that is meant is the next one there.
 */
const PYTHON = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
PYTHONPATH="$here/../packages\${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
before=$IFS IFS=:
for folder in $PATH; do
  if [ -x "$folder/python3" ] && [ "$(readlink -f -- "$folder/python3")" != "$here/python3" ]; then
    IFS=$before
    exec "$folder/python3" "$@"
  fi
done
echo "there is no python3 on PATH" >&2
exit 127
`;
const ALEMBIC = `#!/bin/sh
exec "$(dirname -- "$(readlink -f -- "$0")")/python3" -m alembic "$@"
`;

/**
 * Alembic with SQLAlchemy and psycopg for the python3 of this machine: the program's path, with its `python3` beside it.
 * Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findAlembic(options: ToolOptions = {}): Promise<string> {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const program = join('bin', 'alembic');
  const entry = await ensureBundle(
    {
      name: 'alembic',
      version: VERSION,
      pins: requirements + PYTHON + ALEMBIC,
      program,
      make: async (staging, work) => {
        const packages = join(staging, 'packages');
        await unpackFromPypi({ tool: 'alembic', packages, requirements: REQUIREMENTS }, work);
        await writePrograms(staging, { python3: PYTHON, alembic: ALEMBIC });
      },
    },
    options,
  );
  return join(entry, program);
}
