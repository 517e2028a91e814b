import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError } from '../errors/index.ts';
import { ToolCache, cacheRoot } from './cache.ts';
import { withLock } from './lock.ts';
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
/** Of the scripts in `bin`: other scripts are another entry of the cache. */
const SCRIPTS = 1;

/**
 * In the folder that `$BACKSTAY_NEO4J_BIN` names, on PATH, in the cache, else Neo4j Community from its Maven artifacts,
 * which run on Java 17 or 21. Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findNeo4j(options: ToolOptions = {}): Promise<Neo4jTools> {
  const env = options.env ?? process.env;
  const cache = new ToolCache(cacheRoot(options));
  const named = env['BACKSTAY_NEO4J_BIN'];
  if (named !== undefined && named !== '') {
    const tools = await toolsIn(named, env, cache);
    if (tools !== undefined) return tools;
    throw new BackstayError(
      'TOOL_MISSING',
      `BACKSTAY_NEO4J_BIN names ${named}, where ${PROGRAMS.join(' and ')} do not run`,
      {
        next: 'Correct it, or unset it to let Backstay find them itself.',
      },
    );
  }
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(isAbsolute)) {
    const tools = await toolsIn(folder, env, cache);
    if (tools !== undefined) return tools;
  }
  return await cachedOrFetched(options, env, cache);
}

async function cachedOrFetched(
  options: ToolOptions,
  env: NonNullable<ToolOptions['env']>,
  cache: ToolCache,
): Promise<Neo4jTools> {
  const entry = join(cache.root, 'neo4j', `${VERSION}-${SCRIPTS}`);
  const cached = async (): Promise<Neo4jTools | undefined> => {
    const answer = await cache.find(entry, 'neo4j', options.verify ?? false);
    return answer.state === 'found' ? commandsIn(join(entry, 'bin'), answer.tool.version) : undefined;
  };
  const there = await cached();
  if (there !== undefined) return there;
  if ((env['BACKSTAY_OFFLINE'] ?? '') !== '')
    throw new BackstayError('TOOL_MISSING', 'neo4j: not found, and BACKSTAY_OFFLINE forbids fetching it', {
      next: `Install ${PROGRAMS.join(' and ')}, or name their folder with BACKSTAY_NEO4J_BIN.`,
    });
  const { signal } = options;
  const say = (stage: 'find' | 'download' | 'publish', message: string, fraction?: number): void =>
    options.onProgress?.({ tool: 'neo4j', stage, message, ...(fraction === undefined ? {} : { fraction }) });
  return await withLock(
    `${cache.root}\nneo4j`,
    { onWait: (says) => say('find', `another process: ${says}`), ...(signal === undefined ? {} : { signal }) },
    async (tell) => {
      const meanwhile = await cached();
      if (meanwhile !== undefined) return meanwhile;
      const work = await cache.workFolder('neo4j');
      const staging = join(work, 'entry');
      try {
        await fetchJars({
          tool: 'neo4j',
          jars: parseJars(await readFile(LIST, 'utf8')),
          into: join(staging, 'lib'),
          work,
          env,
          ...(signal === undefined ? {} : { signal }),
          onProgress: (message, fraction) => {
            tell(message);
            say('download', message, fraction);
          },
        });
        await writeScripts(staging);
        const made = await toolsIn(join(staging, 'bin'), env, cache);
        if (made === undefined)
          throw new BackstayError(
            'TOOL_MISSING',
            'neo4j was fetched and does not run: there is no Java, or an old one',
            {
              next: 'Install Java 17 or 21, or name it with JAVA_HOME.',
            },
          );
        say('publish', `checking in Neo4j ${made.version}`, 1);
        await cache.publish(entry, staging, {
          tool: 'neo4j',
          version: made.version,
          madeBy: 'downloaded',
          program: join('bin', 'neo4j'),
        });
        return commandsIn(join(entry, 'bin'), made.version);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
  );
}

async function toolsIn(
  folder: string,
  env: NonNullable<ToolOptions['env']>,
  cache: ToolCache,
): Promise<Neo4jTools | undefined> {
  const files = PROGRAMS.map((name) => join(folder, name));
  if (!files.every(isProgram)) return undefined;
  const pattern = /^(?:neo4j-admin )?(\d+\.\d+\.\d+)/m;
  const version = await knownVersion(files[0] ?? '', { args: ['--version'], pattern, env }, cache.versionMemos);
  return version === undefined ? undefined : commandsIn(folder, version);
}

function commandsIn(bin: string, version: string): Neo4jTools {
  return { admin: [join(bin, 'neo4j-admin')], console: [join(bin, 'neo4j'), 'console'], version };
}

function isProgram(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    accessSync(realpathSync(path), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The artifacts are a library: the programs of a distribution are two small scripts around their entry points. */
async function writeScripts(staging: string): Promise<void> {
  const bin = join(staging, 'bin');
  await mkdir(bin);
  await writeFile(
    join(bin, 'neo4j-admin'),
    script('org.neo4j.cli.AdminTool "$@"', 'NEO4J_HOME=${NEO4J_HOME:-$here}\nexport NEO4J_HOME\n'),
  );
  const folders = '--home-dir="$NEO4J_HOME" --config-dir="${NEO4J_CONF:-$NEO4J_HOME/conf}"';
  await writeFile(join(bin, 'neo4j'), script(`org.neo4j.server.CommunityEntryPoint ${folders}`));
  // The cache takes only what may be run for whole.
  for (const folder of [bin, join(staging, 'lib')])
    for (const name of await readdir(folder)) await chmod(join(folder, name), 0o755);
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
