import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { ensureBundle } from './bundle.ts';
import { onlyWhatRuns, unpackDebian } from './debian.ts';
import { findTogether, programsIn } from './folders.ts';
import type { ToolOptions } from './types.ts';
import { probeVersion } from './versions.ts';

/** Redis' own programs, of one version: what a backup of a Redis store is taken, checked and tried with. */
export interface RedisTools {
  /** Absolute paths. */
  readonly server: string;
  readonly cli: string;
  readonly checkRdb: string;
  /** `7.0.15`. */
  readonly version: string;
}

const PROGRAMS = ['redis-server', 'redis-cli', 'redis-check-rdb'] as const;
/** With the libraries that a bare Debian lacks. */
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'];
/** Part of the entry's name in the cache. Which patch release it holds, its manifest says. */
const ENTRY = 'debian-7';
/** Older ones cannot say when a key expires (PEXPIRETIME). */
const OLDEST = 7;

/**
 * In the folder that `$BACKSTAY_REDIS_BIN` names, on PATH, in the cache, else from the packages of this machine's Debian.
 * Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findRedis(options: ToolOptions = {}): Promise<RedisTools> {
  const there = await findTogether({
    variable: 'BACKSTAY_REDIS_BIN',
    env: options.env ?? process.env,
    lacking: `where there are no ${PROGRAMS.join(', ')} of Redis ${OLDEST} or later`,
    toolsIn,
  });
  return there ?? (await cachedOrFetched(options));
}

async function cachedOrFetched(options: ToolOptions): Promise<RedisTools> {
  const entry = await ensureBundle(
    {
      name: 'redis',
      version: ENTRY,
      pins: PACKAGES.join(' '),
      program: join('bin', 'redis-server'),
      instead: `Install ${PROGRAMS.join(', ')}, or name their folder with BACKSTAY_REDIS_BIN.`,
      make: async (staging, work) => {
        await unpackDebian({ tool: 'redis', packages: PACKAGES, programs: PROGRAMS, staging }, work);
        if ((await toolsIn(join(staging, 'bin'))) === undefined)
          throw new BackstayError('TOOL_MISSING', `the Redis of this machine's Debian is older than ${OLDEST}`, {
            next: `Install Redis ${OLDEST} or later, or name the folder of its programs with BACKSTAY_REDIS_BIN.`,
          });
        await onlyWhatRuns(staging);
      },
    },
    options,
  );
  const tools = await toolsIn(join(entry, 'bin'));
  if (tools !== undefined) return tools;
  throw new BackstayError('TOOL_BUILD_FAILED', `Redis cannot be run from ${entry}`);
}

async function toolsIn(folder: string): Promise<RedisTools | undefined> {
  const programs = await programsIn(folder, PROGRAMS);
  if (programs === undefined) return undefined;
  const [server, cli, checkRdb] = programs;
  const version = await probeVersion(server, { args: ['--version'], pattern: /v=(\d+\.\d+\.\d+)/, env: process.env });
  if (version === undefined || Number(version.split('.')[0]) < OLDEST) return undefined;
  return { server, cli, checkRdb, version };
}
