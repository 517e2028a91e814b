import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackstayError } from '../../errors/index.ts';
import type { Stack } from '../../model/index.ts';
import type { StateLock } from '../../ports/index.ts';

/**
 * Who holds the lock of a stack in Pulumi's own backend, without asking the CLI: a file for each holder.
 * @throws ENGINE_FAILED for a backend that is not a folder, which only the CLI can ask
 */
export async function stateLocks({ name, engine }: Stack, projectName: string): Promise<readonly StateLock[]> {
  const { backend } = engine;
  if (!backend.startsWith('file://'))
    throw new BackstayError(
      'ENGINE_FAILED',
      `Locks of the backend ${new URL(backend).protocol}// cannot be looked at.`,
    );
  const root = backend.startsWith('file:///') ? fileURLToPath(backend) : backend.slice('file://'.length);
  const folder = join(root, '.pulumi', 'locks', 'organization', projectName, name);
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const locks = files.filter((file) => file.endsWith('.json'));
  return await Promise.all(locks.map(async (file) => await lockIn(join(folder, file))));
}

async function lockIn(file: string): Promise<StateLock> {
  try {
    const { pid, username, hostname, timestamp } = JSON.parse(await readFile(file, 'utf8')) as Readonly<
      Record<string, unknown>
    >;
    const text = (value: unknown): string => (typeof value === 'string' ? value : '?');
    return {
      who: `${text(username)}@${text(hostname)} (process ${typeof pid === 'number' ? pid : '?'})`,
      ...(typeof timestamp === 'string' ? { since: timestamp } : {}),
    };
  } catch {
    return { who: `${file}, which cannot be read` };
  }
}
