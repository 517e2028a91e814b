import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError } from '../errors/index.ts';
import { ensureBundle, writePrograms } from './bundle.ts';
import { ToolCache, cacheRoot } from './cache.ts';
import { findTogether, programsIn } from './folders.ts';
import { fetchJars, parseJars } from './maven.ts';
import type { ToolOptions } from './types.ts';
import { knownVersion } from './versions.ts';

/** Neo4j's own programs, of one version: what a backup of a Neo4j store is taken, checked and tried with. */
export interface Neo4jTools {
  /** First arguments of the admin tool. */
  readonly admin: readonly string[];
  /** Command that runs a server until it is ended; its folders come in NEO4J_HOME and NEO4J_CONF. */
  readonly console: readonly string[];
  /** `5.26.30`. */
  readonly version: string;
}

const PROGRAMS = ['neo4j-admin', 'neo4j'] as const;
const VERSION = '5.26.30';
const LIST = fileURLToPath(new URL('recipes/neo4j/jars.txt', import.meta.url));
const FOLDERS = '--home-dir="$NEO4J_HOME" --config-dir="${NEO4J_CONF:-$NEO4J_HOME/conf}"';
/** The artifacts are a library: the programs of a distribution are two small scripts around their entry points. */
const SCRIPTS = {
  'neo4j-admin': script('org.neo4j.cli.AdminTool "$@"', 'NEO4J_HOME=${NEO4J_HOME:-$here}\nexport NEO4J_HOME\n'),
  neo4j: script(`org.neo4j.server.CommunityEntryPoint ${FOLDERS}`),
} as const;

/**
 * In the folder that `$BACKSTAY_NEO4J_BIN` names, on PATH, in the cache, else Neo4j Community from its Maven artifacts,
 * which run on Java 17 or 21. Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findNeo4j(options: ToolOptions = {}): Promise<Neo4jTools> {
  const env = options.env ?? process.env;
  const cache = new ToolCache(cacheRoot(options));
  const there = await findTogether({
    variable: 'BACKSTAY_NEO4J_BIN',
    env,
    lacking: `where ${PROGRAMS.join(' and ')} do not run`,
    toolsIn: async (folder) => await toolsIn(folder, env, cache),
  });
  return there ?? (await cachedOrFetched(options));
}

async function cachedOrFetched(options: ToolOptions): Promise<Neo4jTools> {
  const list = await readFile(LIST, 'utf8');
  const entry = await ensureBundle(
    {
      name: 'neo4j',
      version: VERSION,
      pins: list + Object.values(SCRIPTS).join(''),
      program: join('bin', 'neo4j'),
      instead: `Install ${PROGRAMS.join(' and ')}, or name their folder with BACKSTAY_NEO4J_BIN.`,
      make: async (staging, work) => {
        await fetchJars({ tool: 'neo4j', jars: parseJars(list), into: join(staging, 'lib') }, work);
        await writePrograms(staging, SCRIPTS);
        const versions = new ToolCache(cacheRoot(options));
        if ((await toolsIn(join(staging, 'bin'), work.env, versions)) !== undefined) return;
        throw new BackstayError('TOOL_MISSING', 'neo4j was fetched and does not run: there is no Java, or an old one', {
          next: 'Install Java 17 or 21, or name it with JAVA_HOME.',
        });
      },
    },
    options,
  );
  return commandsIn(join(entry, 'bin'), VERSION);
}

async function toolsIn(
  folder: string,
  env: NonNullable<ToolOptions['env']>,
  cache: ToolCache,
): Promise<Neo4jTools | undefined> {
  const programs = await programsIn(folder, PROGRAMS);
  if (programs === undefined) return undefined;
  const pattern = /^(?:neo4j-admin )?(\d+\.\d+\.\d+)/m;
  const version = await knownVersion(programs[0], { args: ['--version'], pattern, env }, cache.versionMemos);
  return version === undefined ? undefined : commandsIn(folder, version);
}

function commandsIn(bin: string, version: string): Neo4jTools {
  return { admin: [join(bin, 'neo4j-admin')], console: [join(bin, 'neo4j'), 'console'], version };
}

/** As little Java as will do: these are small graphs, or short jobs, unless HEAP_SIZE says otherwise. */
function script(main: string, before = ''): string {
  const flags =
    '-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss1m --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED';
  return `#!/bin/sh
here=$(cd -- "$(dirname -- "$0")/.." && pwd)
${before}exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx"\${HEAP_SIZE:-512m}" ${flags} \${JAVA_OPTS:-} -cp "$here/lib/*" ${main}
`;
}
