import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { ManifestFile, ReadManifests } from '../../ports/index.ts';

const MANIFEST = /\.(ya?ml|json)$/;

/** Every YAML and JSON file below a directory, sorted by path. Hidden files and folders are left out. */
export const readManifests: ReadManifests = async (directory) => {
  const paths = await walk(directory);
  if (paths.length === 0) throw invalid(directory, 'holds no .yaml, .yml or .json file');
  return Promise.all(paths.map(async (path): Promise<ManifestFile> => ({ path, text: await readFile(path, 'utf8') })));
};

async function walk(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw invalid(directory, cause.code === 'ENOENT' ? 'does not exist' : 'cannot be read as a directory', cause);
  });
  const found: string[] = [];
  for (const entry of entries
    .filter(({ name }) => !name.startsWith('.'))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...(await walk(path)));
    else if (MANIFEST.test(entry.name)) found.push(path);
  }
  return found;
}

function invalid(directory: string, what: string, cause?: unknown): BackstayError {
  return new BackstayError('MANIFESTS_INVALID', `${directory} ${what}.`, {
    at: { file: directory },
    ...(cause === undefined ? {} : { cause }),
  });
}
