import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError } from '../errors/index.ts';
import { type BundleWork, ensureBundle } from './bundle.ts';
import { runChild } from './child.ts';
import type { ToolOptions } from './types.ts';

const VERSION = '1.20.1';
const REQUIREMENTS = fileURLToPath(new URL('recipes/alembic/requirements.txt', import.meta.url));

/** A virtual environment knows its own place and cannot be moved into the cache; a folder of packages can. */
const PYTHON = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
PYTHONPATH="$here/../packages\${PYTHONPATH:+:$PYTHONPATH}" exec python3 "$@"
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
        await install(join(staging, 'packages'), work);
        await mkdir(join(staging, 'bin'));
        await writeFile(join(staging, 'bin', 'python3'), PYTHON);
        await writeFile(join(staging, program), ALEMBIC);
      },
    },
    options,
  );
  return join(entry, program);
}

async function install(packages: string, { env, signal, say }: BundleWork): Promise<void> {
  say('installing Alembic from PyPI');
  const what = ['--only-binary', ':all:', '--no-deps', '--no-compile', '--target', packages, '-r', REQUIREMENTS];
  const pip = ['python3', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', ...what];
  const { exitCode, tail } = await runChild(pip, {
    cwd: '/',
    env: { ...env, PIP_ROOT_USER_ACTION: 'ignore' },
    onLine: (line) => say(line),
    ...(signal === undefined ? {} : { signal }),
  });
  if (exitCode !== 0)
    throw new BackstayError('TOOL_MISSING', `alembic: not found, and pip ended with ${exitCode}`, {
      details: { output: tail },
      next: `It said: ${tail.slice(-3).join(' | ')}`,
    });
  // Programs of pip's own making, which know where they were made.
  await rm(join(packages, 'bin'), { recursive: true, force: true });
}
