import { randomBytes } from 'node:crypto';
import { chown, cp, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where a server keeps its databases: the graphs themselves, and their transaction logs. Absolute paths. */
export interface Grounds {
  readonly databases: string;
  readonly transactions: string;
  /** Lines of its configuration that its programs need to find and read them. */
  readonly settings: readonly string[];
}

/** Of a data folder laid out as Neo4j does. */
export function groundsIn(data: string, settings: readonly string[] = []): Grounds {
  return {
    databases: join(data, 'databases'),
    transactions: join(data, 'transactions'),
    settings: [`server.directories.data=${data}`, ...settings],
  };
}

const SYSTEM = 'system';
const GOING = '.backstay-going-';

/** Every database but that of the server itself, by name, whole or not. */
export async function databasesIn({ databases }: Grounds): Promise<readonly string[]> {
  const entries = await readdir(databases, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== SYSTEM && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

/**
 * Removes a database that nobody serves, first out of its place by a rename: what was cut off then is no half database.
 * Gives whether there was any.
 */
export async function removeDatabase(grounds: Grounds, name: string): Promise<boolean> {
  let found = false;
  for (const parent of [grounds.databases, grounds.transactions]) {
    const going = join(parent, `${GOING}${randomBytes(4).toString('hex')}`);
    const moved = await rename(join(parent, name), going).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
    found ||= moved;
    for (const left of await readdir(parent).catch(() => []))
      if (left.startsWith(GOING)) await rm(join(parent, left), { recursive: true, force: true });
  }
  return found;
}

/** Bytes of a database and its logs. */
export async function sizeOf(grounds: Grounds, name: string): Promise<number> {
  const files = await Promise.all(
    [grounds.databases, grounds.transactions].map(async (dir) => await sizes(join(dir, name))),
  );
  return files.flat().reduce((sum, size) => sum + size, 0);
}

async function sizes(folder: string): Promise<readonly number[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // A server may remove a log between the two looks.
  return await Promise.all(
    files.map(
      async (file) =>
        await stat(file).then(
          ({ size }) => size,
          () => 0,
        ),
    ),
  );
}

/** What was loaded here as root becomes the property of whoever owns the other databases: the server is not root. */
export async function adopt({ databases, transactions }: Grounds, name: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(databases);
  if (uid === 0) return;
  for (const folder of [join(databases, name), join(transactions, name)]) {
    const below = await readdir(folder, { recursive: true, withFileTypes: true });
    await chown(folder, uid, gid);
    for (const entry of below) await chown(join(entry.parentPath, entry.name), uid, gid);
  }
}

/** A copy of a database that nobody serves, elsewhere, under the same name. */
export async function copyDatabase(from: Grounds, to: Grounds, name: string): Promise<void> {
  for (const part of ['databases', 'transactions'] as const) {
    await mkdir(to[part], { recursive: true });
    await cp(join(from[part], name), join(to[part], name), { recursive: true });
  }
}

/** A folder that only we can enter, gone when the work is done. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'backstay-neo4j-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
