import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { ensureBundle } from './bundle.ts';
import { onlyWhatRuns, unpackDebian } from './debian.ts';
import type { ToolOptions } from './types.ts';
import { probeVersion } from './versions.ts';

export interface PgBackRest {
  /** Absolute path. */
  readonly program: string;
  /** `2.45`. */
  readonly version: string;
}

/** With the libraries that a Debian lacks which has no PostgreSQL of its own. */
const PACKAGES = ['pgbackrest', 'libpq5', 'libxml2', 'liblz4-1', 'libbz2-1.0'];

/**
 * pgBackRest from the packages of this machine's Debian: the bench restores with it beside ours, for information.
 * Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findPgBackRest(options: ToolOptions = {}): Promise<PgBackRest> {
  const entry = await ensureBundle(
    {
      name: 'pgbackrest',
      version: 'debian-2',
      pins: PACKAGES.join(' '),
      program: join('bin', 'pgbackrest'),
      make: async (staging, work) => {
        await unpackDebian({ tool: 'pgbackrest', packages: PACKAGES, programs: ['pgbackrest'], staging }, work);
        await onlyWhatRuns(staging);
      },
    },
    options,
  );
  const program = join(entry, 'bin', 'pgbackrest');
  const version = await probeVersion(program, { args: ['version'], pattern: /(\d+\.\d+)/, env: process.env });
  if (version !== undefined) return { program, version };
  throw new BackstayError('TOOL_BUILD_FAILED', `pgBackRest cannot be run from ${entry}`);
}
