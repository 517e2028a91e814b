import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stack } from '../../model/index.ts';

/** Where a backend of files keeps what it knows of one stack. */
export interface StateFiles {
  readonly locks: string;
  readonly state: string;
}

/** Undefined for a backend of another kind, which looks after its own files. */
export function stateFilesOf({ name, engine: { backend } }: Stack, project: string): StateFiles | undefined {
  if (!backend.startsWith('file:///')) return undefined;
  const root = join(fileURLToPath(backend), '.pulumi');
  return {
    locks: join(root, 'locks', 'organization', project, name),
    state: join(root, 'stacks', project, `${name}.json`),
  };
}

/** What of a stack's files Pulumi could not read, from its own words. */
export function damageIn(message: string): keyof StateFiles | undefined {
  if (!/unexpected end of JSON input|invalid character .* looking for/.test(message)) return undefined;
  return message.includes('failed to load checkpoint') ? 'state' : 'locks';
}

/**
 * Goes on without what a power cut or a full disk left half written. Half a lock says of nobody that he works, and is
 * removed. The state is put aside as `….damaged-TIME`: it is an index of what is live, and is made again from there.
 */
export async function mend(damage: keyof StateFiles, files: StateFiles): Promise<void> {
  if (damage === 'state') {
    await rename(files.state, `${files.state}.damaged-${Date.now()}`);
    return;
  }
  for (const name of await readdir(files.locks)) {
    const path = join(files.locks, name);
    if (!isJson(await readFile(path, 'utf8'))) await rm(path, { force: true });
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
