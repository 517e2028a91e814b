import { spawn } from 'node:child_process';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from '../kit/database.ts';
import type { Env } from '../kit/service.ts';
import type { Release } from './release.ts';

const SOURCE = fileURLToPath(new URL('../../../../examples/summit/migrations', import.meta.url));
/** Python does not know the names of the sandbox's Services. */
const TUNNEL = fileURLToPath(new URL('../tunnel/main.ts', import.meta.url));

/**
 * Lays out what the image of a release carries: Alembic's settings, its own revisions and none that came later, and
 * Alembic itself. `alembic` is the program of this machine.
 */
export async function layOut(app: string, { revisions }: Release, alembic: string): Promise<void> {
  await rm(app, { recursive: true, force: true });
  await mkdir(join(app, 'versions'), { recursive: true });
  for (const file of ['alembic.ini', 'env.py', 'script.py.mako']) await cp(join(SOURCE, file), join(app, file));
  for (const revision of revisions)
    await cp(join(SOURCE, 'versions', `${revision}.py`), join(app, 'versions', `${revision}.py`));
  await mkdir(join(app, 'bin'));
  for (const name of ['alembic', 'python3']) {
    const script = `#!/bin/sh\nexec '${process.execPath}' '${TUNNEL}' '${join(dirname(alembic), name)}' "$@"\n`;
    await writeFile(join(app, 'bin', name), script, { mode: 0o755 });
  }
}

/**
 * Takes the schema up to the release's own head. One that is not known here is of a later release, and left alone; so is
 * everything while the database is closed for maintenance.
 */
export async function upgrade(database: Database, release: Release, app: string, env: Env): Promise<void> {
  const at = await revisionOf(database);
  if (at === release.head || (at !== null && !release.revisions.includes(at))) return;
  await run(join(app, 'bin', 'alembic'), ['-c', join(app, 'alembic.ini'), 'upgrade', 'head'], env);
}

export async function revisionOf(database: Database): Promise<string | null> {
  const [there] = await database.query<{ there: boolean }>(
    "SELECT to_regclass('alembic_version') IS NOT NULL AS there",
  );
  if (there?.there !== true) return null;
  const [row] = await database.query<{ version_num: string }>('SELECT version_num FROM alembic_version');
  return row?.version_num ?? null;
}

async function run(program: string, args: readonly string[], env: Env): Promise<void> {
  const child = spawn(program, [...args], { env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0)
    throw new Error(`alembic upgrade ended with ${code}: ${said.trim().split('\n').at(-1) ?? 'nothing was said'}`);
}
