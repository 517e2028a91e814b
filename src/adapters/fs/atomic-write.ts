import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const TEMPORARY = '.writing-';
/** A temporary file older than this was left by a process that died. Milliseconds. */
const ABANDONED_AFTER = 3_600_000;

/** Puts a whole file in place or nothing. */
export type WriteFile = (path: string, bytes: string | Uint8Array) => Promise<void>;

/**
 * Puts a whole file in place or nothing: written beside its place, flushed, renamed, and the folder flushed too, so that
 * neither a kill nor a power cut leaves half of it under its name.
 */
export async function writeAtomically(path: string, bytes: string | Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `${TEMPORARY}${process.pid}-${randomBytes(6).toString('hex')}`);
  const handle = await open(temporary, 'wx', 0o644);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  await rename(temporary, path);
  await flushFolder(folder);
}

/** Removes what killed writers left in a folder. */
export async function sweep(folder: string, now: number): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((entry) => entry.startsWith(TEMPORARY))) {
    const path = join(folder, name);
    const age = await stat(path).then(
      (found) => now - found.mtimeMs,
      () => 0,
    );
    if (age > ABANDONED_AFTER) await rm(path, { force: true });
  }
}

export async function flushFolder(folder: string): Promise<void> {
  // Windows cannot open folders; its rename is durable enough without.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
