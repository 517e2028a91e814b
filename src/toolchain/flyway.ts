import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBundle, writePrograms } from './bundle.ts';
import { fetchJars, parseJars } from './maven.ts';
import type { ToolOptions } from './types.ts';

const VERSION = '11.14.1';
const LIST = fileURLToPath(new URL('recipes/flyway/jars.txt', import.meta.url));

const SCRIPT = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xshare:auto -XX:TieredStopAtLevel=1 -cp "$here/../lib/*" org.flywaydb.commandline.Main "$@"
`;

/**
 * Flyway's open edition with PostgreSQL's driver, for Java 17 or later: the program's path. Its whole tree of dependencies
 * does not start (too old a Jackson among them); the list holds what is needed and no more.
 * Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findFlyway(options: ToolOptions = {}): Promise<string> {
  const list = await readFile(LIST, 'utf8');
  const program = join('bin', 'flyway');
  const entry = await ensureBundle(
    {
      name: 'flyway',
      version: VERSION,
      pins: list + SCRIPT,
      program,
      make: async (staging, work) => {
        await fetchJars({ tool: 'flyway', jars: parseJars(list), into: join(staging, 'lib') }, work);
        await writePrograms(staging, { flyway: SCRIPT });
      },
    },
    options,
  );
  return join(entry, program);
}
